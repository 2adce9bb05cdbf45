// The post-norm block of BERT (Devlin et al., NAACL 2019; the block of Vaswani et al. 2017), parameters named as in Hugging
// Face's `BertLayer`.
import type { Initializer, Parameters, Tensor, Tensors } from '../../core/program.js';
import { gelu } from './gelu.js';
import { layerNorm, layerNormParameters } from './layerNorm.js';
import { linear, linearParameters } from './linear.js';
import { selfAttention } from './selfAttention.js';

/** The sixteen tensors of one block, under `prefix`. */
export function bertBlockParameters(prefix: string, { width, hidden, init }: { width: number; hidden: number; init: Initializer }): Parameters {
  const dense = (name: string, inputs: number, outputs: number): Parameters => linearParameters(`${prefix}.${name}`, { inputs, outputs, init });
  return {
    ...dense('attention.self.query', width, width),
    ...dense('attention.self.key', width, width),
    ...dense('attention.self.value', width, width),
    ...dense('attention.output.dense', width, width),
    ...layerNormParameters(`${prefix}.attention.output.LayerNorm`, width),
    ...dense('intermediate.dense', width, hidden),
    ...dense('output.dense', hidden, width),
    ...layerNormParameters(`${prefix}.output.LayerNorm`, width),
  };
}

/**
 * norm(x + attention x), then norm(y + mlp y); [rows, tokens, width] in and out. `bias` is added to the scores (`keyBias`).
 *
 * @example
 * const y = bertBlock(parameters, 'bert.encoder.layer.0', x, { heads: 4, eps: 1e-12 });
 */
export function bertBlock(
  parameters: Tensors,
  prefix: string,
  x: Tensor,
  { heads, eps, bias }: { readonly heads: number; readonly eps: number; readonly bias?: Tensor | undefined },
): Tensor {
  const mixed = selfAttention(parameters, `${prefix}.attention.self`, x, { heads, bias });
  const attended = layerNorm(parameters, `${prefix}.attention.output.LayerNorm`, x.add(linear(parameters, `${prefix}.attention.output.dense`, mixed)), eps);
  const hidden = gelu(linear(parameters, `${prefix}.intermediate.dense`, attended));
  return layerNorm(parameters, `${prefix}.output.LayerNorm`, attended.add(linear(parameters, `${prefix}.output.dense`, hidden)), eps);
}
