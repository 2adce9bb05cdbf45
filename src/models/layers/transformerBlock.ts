// The pre-norm block of ViT (Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021, equations 2 and 3), with the
// parameter names of Hugging Face's ViT layers.
import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { attention, attentionParameters } from './attention.js';
import { layerNorm, layerNormParameters } from './layerNorm.js';
import { mlp, mlpParameters } from './mlp.js';

export interface BlockSize {
  readonly width: number;
  /** Hidden units of the MLP. */
  readonly hidden: number;
}

export interface BlockOptions {
  readonly heads: number;
  readonly eps: number;
  /** [rows, tokens], 1 where a token exists; without it all exist. */
  readonly keys?: Tensor | undefined;
}

/** The sixteen tensors of one block, under `prefix`. */
export function transformerBlockParameters(prefix: string, { width, hidden }: BlockSize): Parameters {
  return {
    ...attentionParameters(`${prefix}.attention`, width),
    ...mlpParameters(prefix, width, hidden),
    ...layerNormParameters(`${prefix}.layernorm_before`, width),
    ...layerNormParameters(`${prefix}.layernorm_after`, width),
  };
}

/**
 * x + attention(norm x), then x + mlp(norm x); [rows, tokens, width] in and out.
 *
 * @example
 * const y = transformerBlock(parameters, 'vit.encoder.layer.0', x, { heads: 4, eps: 1e-6 });
 */
export function transformerBlock(parameters: Tensors, prefix: string, x: Tensor, { heads, eps, keys }: BlockOptions): Tensor {
  const attended = x.add(attention(parameters, `${prefix}.attention`, layerNorm(parameters, `${prefix}.layernorm_before`, x, eps), { heads, keys }));
  return attended.add(mlp(parameters, prefix, layerNorm(parameters, `${prefix}.layernorm_after`, attended, eps)));
}
