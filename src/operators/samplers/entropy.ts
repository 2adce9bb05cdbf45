// Lowest entropy first (the order of Dream and of most diffusion language models' samplers).
import { type RankedOptions, ranked } from './ranked.js';
import type { Sampler } from './sampler.js';

export type EntropyOptions = RankedOptions;

/**
 * Fixes the positions whose distribution has the lowest Shannon entropy; `noise` is added to minus the entropy.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, entropy({ steps: 64 }), { start, maskId, vocabulary });
 */
export function entropy(options: EntropyOptions = {}): Sampler {
  return ranked('entropy', options, (stats) => -stats.entropy, true);
}
