// The pre-norm block of LLaMA (Touvron et al., 2023): RMS norms, rotary positions, SwiGLU, no biases; parameters named as in
// Hugging Face's `LlamaDecoderLayer`. What a key may be seen by is up to `bias`: diffusion models (LLaDA, SMDM) see all.
import type { Initializer, Parameters, Tensor, Tensors } from '../../core/program.js';
import { attend } from './attend.js';
import { parameter } from './parameter.js';
import { product } from './product.js';
import { rmsNorm, rmsNormParameters } from './rmsNorm.js';
import { type Angles, rotary } from './rotary.js';
import { swiglu, swigluParameters } from './swiglu.js';

const parts = ['q_proj', 'k_proj', 'v_proj', 'o_proj'] as const;

/** The nine tensors of one block, under `prefix`. */
export function llamaBlockParameters(prefix: string, { width, hidden, init }: { width: number; hidden: number; init: Initializer }): Parameters {
  return {
    ...Object.fromEntries(parts.map((part) => [`${prefix}.self_attn.${part}.weight`, { shape: [width, width], init }])),
    ...swigluParameters(`${prefix}.mlp`, { width, hidden, init }),
    ...rmsNormParameters(`${prefix}.input_layernorm`, width),
    ...rmsNormParameters(`${prefix}.post_attention_layernorm`, width),
  };
}

/**
 * x + attention(norm x), then x + swiglu(norm x); [rows, tokens, width] in and out.
 *
 * @example
 * const y = llamaBlock(parameters, 'model.layers.0', x, { heads: 4, eps: 1e-5, angles });
 */
export function llamaBlock(
  parameters: Tensors,
  prefix: string,
  x: Tensor,
  { heads, eps, bias, angles }: { readonly heads: number; readonly eps: number; readonly bias?: Tensor | undefined; readonly angles: Angles },
): Tensor {
  const by = (part: (typeof parts)[number], of: Tensor): Tensor => product(of, parameter(parameters, `${prefix}.self_attn.${part}.weight`));
  const normed = rmsNorm(parameters, `${prefix}.input_layernorm`, x, eps);
  const mixed = attend(
    { query: by('q_proj', normed), key: by('k_proj', normed), value: by('v_proj', normed) },
    { heads, bias, turn: (of) => rotary(of, angles) },
  );
  const attended = x.add(by('o_proj', mixed));
  return attended.add(swiglu(parameters, `${prefix}.mlp`, rmsNorm(parameters, `${prefix}.post_attention_layernorm`, attended, eps)));
}
