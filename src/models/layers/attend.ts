// The heart of multi-head attention, without weights (Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1).
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/** What is taken off the score of a key that must not be seen: its exponential is exactly 0 beside any real score. */
const FAR = 1e9;

/**
 * What is added to scores: 0 where a key may be seen and −10⁹ elsewhere. `seen` [rows, keys] holds 1 and 0; the answer
 * [rows, 1, 1, keys] broadcasts over heads and queries. With [rows, queries, keys] it is [rows, 1, queries, keys].
 */
export function keyBias(seen: Tensor): Tensor {
  const [rows, ...sides] = seen.shape as number[];
  return seen
    .sub(1)
    .mul(FAR)
    .reshape([rows as number, 1, ...(sides.length === 1 ? [1] : []), ...sides]);
}

export interface AttendOptions {
  readonly heads: number;
  /** Added to the scores; broadcasts with [rows, heads, queries, keys]. */
  readonly bias?: Tensor | undefined;
  /** Applied to queries and keys [rows, heads, tokens, size] before they are compared: rotary positions. */
  readonly turn?: (x: Tensor) => Tensor;
}

/**
 * softmax(q kᵀ / √size + bias) v for every head, heads side by side again: all [rows, tokens, width].
 *
 * @example
 * const mixed = attend({ query, key, value }, { heads: 4, bias: keyBias(keys) });
 */
export function attend(
  { query, key, value }: { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor },
  { heads, bias, turn = (x) => x }: AttendOptions,
): Tensor {
  const [rows, tokens, width] = query.shape as [number, number, number];
  const size = width / heads;
  const split = (x: Tensor): Tensor => x.reshape([rows, tokens, heads, size]).transpose([0, 2, 1, 3]);
  // The scale goes onto the queries: heads · tokens · size products instead of heads · tokens · tokens.
  let scores: Tensor = tf.matMul(turn(split(query)).mul(1 / Math.sqrt(size)), turn(split(key)), false, true);
  if (bias !== undefined) scores = scores.add(bias);
  const mixed = tf.matMul(tf.softmax(scores), split(value));
  return mixed.transpose([0, 2, 1, 3]).reshape([rows, tokens, width]);
}
