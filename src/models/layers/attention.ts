// Multi-head self-attention (Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2), parameters named as
// in Hugging Face's ViT: separate query, key and value.
import * as tf from '@tensorflow/tfjs';
import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { xavierUniform } from '../initializers/xavierUniform.js';
import { linear, linearParameters } from './linear.js';

/** What is taken off the score of a key that pads: its exponential is exactly 0 beside any real score. */
const FAR = 1e9;

/**
 * `<prefix>.attention.{query,key,value}` and `<prefix>.output.dense`, all [width, width] with bias. Query, key and value
 * start with the bound of the one [3 · width, width] matrix that the reference initialises: √(6 / (4 · width)).
 */
export function attentionParameters(prefix: string, width: number): Parameters {
  const init = xavierUniform({ fanIn: width, fanOut: 3 * width });
  const parts = ['query', 'key', 'value'].map((part) => linearParameters(`${prefix}.attention.${part}`, { inputs: width, outputs: width, init }));
  return Object.assign({}, ...parts, linearParameters(`${prefix}.output.dense`, { inputs: width, outputs: width }));
}

/**
 * Attention of every token of `x` [rows, tokens, width] to every token that exists. `keys` [rows, tokens] is 1 where a token
 * exists and 0 where it pads; without it all exist. A row needs at least one token.
 *
 * @example
 * const y = attention(parameters, 'vit.encoder.layer.0.attention', x, { heads: 4 });
 */
export function attention(
  parameters: Tensors,
  prefix: string,
  x: Tensor,
  { heads, keys }: { readonly heads: number; readonly keys?: Tensor | undefined },
): Tensor {
  const [rows, tokens, width] = x.shape as [number, number, number];
  const size = width / heads;
  const split = (part: string): Tensor => linear(parameters, `${prefix}.attention.${part}`, x).reshape([rows, tokens, heads, size]).transpose([0, 2, 1, 3]);
  // The scale goes onto the queries: heads · tokens · size products instead of heads · tokens · tokens.
  let scores: Tensor = tf.matMul(split('query').mul(1 / Math.sqrt(size)), split('key'), false, true);
  if (keys !== undefined) scores = scores.add(keys.sub(1).mul(FAR).reshape([rows, 1, 1, tokens]));
  const mixed = tf.matMul(tf.softmax(scores), split('value'));
  return linear(parameters, `${prefix}.output.dense`, mixed.transpose([0, 2, 1, 3]).reshape([rows, tokens, width]));
}
