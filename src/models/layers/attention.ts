// Multi-head self-attention (Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2), parameters named as
// in Hugging Face's ViT: separate query, key and value.
import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { xavierUniform } from '../initializers/xavierUniform.js';
import { keyBias } from './attend.js';
import { linear, linearParameters } from './linear.js';
import { selfAttention } from './selfAttention.js';

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
  const mixed = selfAttention(parameters, `${prefix}.attention`, x, { heads, bias: keys && keyBias(keys) });
  return linear(parameters, `${prefix}.output.dense`, mixed);
}
