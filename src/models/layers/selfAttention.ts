// Self-attention with one product for queries, keys and values: a third of the products of three layers side by side, each
// three times as large, and a third of the nodes of a compiled step.
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensors } from '../../core/program.js';
import { project } from './linear.js';
import { parameter } from './parameter.js';

export interface SelfAttentionOptions {
  readonly heads: number;
  /** Added to the scores: [rows, 1, 1, keys] or [rows, 1, queries, keys], as `keyBias` makes it. */
  readonly bias?: Tensor | undefined;
}

/**
 * softmax(q kᵀ / √size + bias) v for every head, heads side by side again. The layers `<prefix>.query`, `.key` and
 * `.value` [width, width] with bias map `x` [rows, tokens, width] to q, k and v.
 *
 * @example
 * const mixed = selfAttention(parameters, 'vit.encoder.layer.0.attention.attention', x, { heads: 4 });
 */
export function selfAttention(parameters: Tensors, prefix: string, x: Tensor, { heads, bias }: SelfAttentionOptions): Tensor {
  const [rows, tokens, width] = x.shape as [number, number, number];
  const size = width / heads;
  const joint = (kind: string): Tensor =>
    tf.concat(
      ['query', 'key', 'value'].map((part) => parameter(parameters, `${prefix}.${part}.${kind}`)),
      0,
    );
  // Heads first: the three parts are then whole blocks of memory.
  const all = project(x, joint('weight'), joint('bias'))
    .reshape([rows, tokens, 3 * heads, size])
    .transpose([2, 0, 1, 3]);
  const [query, key, value] = tf.split(all, 3, 0) as [Tensor, Tensor, Tensor];
  // The scale goes onto the queries: heads · tokens · size products instead of heads · tokens · tokens.
  let scores: Tensor = tf.matMul(query.mul(1 / Math.sqrt(size)), key, false, true);
  if (bias !== undefined) scores = scores.add(bias.reshape([1, rows, ...bias.shape.slice(2)]));
  return tf.matMul(tf.softmax(scores), value).transpose([1, 2, 0, 3]).reshape([rows, tokens, width]);
}
