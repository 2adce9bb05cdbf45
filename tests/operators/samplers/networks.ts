// Networks for tests: independent tokens with given distributions, and one whose answer depends on everything that a row shows.
import type { Network } from '../../../src/operators/samplers/network.js';
import type { Seen } from '../../../src/operators/samplers/sampler.js';
import { Draws, rootKey, fold } from '../../../src/core/key.js';

/** Each position has the distribution that `at` says, whatever else is visible. */
export const independent =
  (at: (position: number) => readonly number[]): Network =>
  ({ positions, width }) =>
    Float32Array.from(Array.from(positions).flatMap((position) => at(position % width).map(Math.log)));

/** Logits that are a hash of the row's visible tokens, its length and the position: no row knows of another. */
export const contextual =
  (vocabulary: number, calls: { count: number } = { count: 0 }): Network =>
  ({ positions, width, ids, lengths }) => {
    calls.count++;
    const logits = new Float32Array(positions.length * vocabulary);
    positions.forEach((position, k) => {
      const row = Math.floor(position / width);
      const text = ids.subarray(row * width, row * width + (lengths[row] as number)).join();
      const draws = new Draws(fold(rootKey(position % width), text));
      for (let id = 0; id < vocabulary; id++) logits[k * vocabulary + id] = 2 * draws.normal();
    });
    return logits;
  };

/** What a sampler sees of one row: `distributions[i]` at the i-th asked position. */
export function seenOf(positions: readonly number[], distributions: readonly (readonly number[])[], never: readonly number[] = [], time = 1): Seen {
  const vocabulary = distributions[0]?.length ?? 1;
  return {
    ask: { time, positions: Int32Array.from(positions) },
    logits: Float32Array.from(distributions.flat().map(Math.log)),
    vocabulary,
    never,
    from: (index) => index * vocabulary,
  };
}

/** Pearson's statistic of counts against probabilities (cells of probability 0 must be empty). */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, count, i) => {
    const expected = total * (probabilities[i] as number);
    if (expected === 0) return count === 0 ? sum : Number.POSITIVE_INFINITY;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
}
