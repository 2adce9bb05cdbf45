// Entropy-bounded unmasking (Ben-Hamu et al. 2025, "Accelerated sampling from masked diffusion models via entropy bounded
// unmasking", section 4): as many tokens at once as a bound on their joint error allows, so steps follow the text.
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { beginDraws } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { checkTemperature, timeOf } from './ranked.js';
import { type Sampler, drawsOf, positionsOf } from './sampler.js';
import { tokenStats } from './tokenStats.js';

export interface EntropyBoundedOptions {
  /** Bound γ in nats on the sum of entropies less the largest of them. 0 fixes one token, and those that are certain. Default 0.1. */
  readonly bound?: number;
  /** Temperature of tokens; 0 takes the most probable. Default 0. */
  readonly temperature?: number;
}

/**
 * How many of the positions, sorted by ascending entropy, are fixed: the longest prefix with Σ H − max H ≤ bound; at least 1.
 *
 * @example
 * boundedPrefix([0.1, 0.2, 0.4, 0.9], 0.3); // 3
 */
export function boundedPrefix(entropies: ArrayLike<number>, bound: number): number {
  // Sorted ascending, the largest of a prefix is its last, so what counts is the sum of those before it.
  let sum = 0;
  let count = 0;
  while (count < entropies.length && sum <= bound) sum += entropies[count++] as number;
  return Math.max(Math.min(1, entropies.length), count);
}

/**
 * Fixes the positions of lowest entropy, in each step as many as the bound allows.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, entropyBounded({ bound: 0.1 }), { start, maskId, vocabulary });
 */
export function entropyBounded(options: EntropyBoundedOptions = {}): Sampler {
  checkOptions('entropyBounded', options, ['bound', 'temperature']);
  const { bound = 0.1, temperature = 0 } = options;
  check(typeof bound === 'number' && bound >= 0, 'entropyBounded', 'bound', 'must be a number of at least 0', bound);
  checkTemperature('entropyBounded', temperature);
  return {
    recipe: recipe('maskflow/operators', 'entropyBounded', { bound, temperature }),
    ask: (row) => ({ time: timeOf(row), positions: positionsOf(row.masked) }),
    decide(row, seen, key) {
      const { positions } = seen.ask;
      const stats = Array.from(positions, (_, i) => tokenStats(seen, seen.from(i)));
      const entropyOf = (i: number): number => (stats[i] as (typeof stats)[number]).entropy;
      const order = stats.map((_, i) => i).sort((a, b) => entropyOf(a) - entropyOf(b) || a - b);
      const chosen = Int32Array.from(order.slice(0, boundedPrefix(order.map(entropyOf), bound))).sort();
      beginDraws(drawsOf(key, 0));
      const tokens = chosen.map((i) => (temperature === 0 ? (stats[i] as (typeof stats)[number]).best : drawToken(seen, seen.from(i), temperature)));
      return { positions: chosen.map((i) => positions[i] as number), tokens, time: timeOf(row, chosen.length) };
    },
  };
}
