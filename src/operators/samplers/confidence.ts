// MaskGIT's order (Chang et al. 2022, section 3.2), which LLaDA calls low-confidence remasking: predict every hidden token, keep the
// most confident ones, hide the others again. What is fixed stays fixed; for fixed tokens that compete again see `remasking`.
import { type RankedOptions, ranked } from './ranked.js';
import type { Sampler } from './sampler.js';

export type ConfidenceOptions = RankedOptions;

/**
 * Fixes the positions whose token has the highest probability, at temperature 1 whatever `temperature` the token is drawn at.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, confidence({ steps: 64 }), { start, maskId, vocabulary });
 */
export function confidence(options: ConfidenceOptions = {}): Sampler {
  return ranked('confidence', options, (_, probability) => probability());
}
