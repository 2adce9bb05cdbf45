// Top-k probability margin (Kim et al. 2025, "Train for the worst, plan for the best", section 4): the gap between the two most
// probable tokens says how sure the network is where confidence is misled by several good tokens.
import { type RankedOptions, ranked } from './ranked.js';
import type { Sampler } from './sampler.js';

export type MarginOptions = RankedOptions;

/**
 * Fixes the positions whose two most probable tokens are furthest apart.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, margin({ steps: 64 }), { start, maskId, vocabulary });
 */
export function margin(options: MarginOptions = {}): Sampler {
  return ranked('margin', options, ({ first, second }) => first - second);
}
