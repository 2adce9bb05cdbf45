import type { Initializer, Parameters, Tensor, Tensors } from '../../core/program.js';
import { parameter } from './parameter.js';
import { product } from './product.js';

/** `<prefix>.gate_proj` and `<prefix>.up_proj` [hidden, width], `<prefix>.down_proj` [width, hidden]; no biases. */
export function swigluParameters(prefix: string, { width, hidden, init }: { width: number; hidden: number; init: Initializer }): Parameters {
  return {
    [`${prefix}.gate_proj.weight`]: { shape: [hidden, width], init },
    [`${prefix}.up_proj.weight`]: { shape: [hidden, width], init },
    [`${prefix}.down_proj.weight`]: { shape: [width, hidden], init },
  };
}

/**
 * down(silu(gate x) · up x), silu(x) = x · σ(x), over the last axis (Shazeer: "GLU variants improve transformer", 2020,
 * equation 6; names as in LLaMA).
 *
 * @example
 * const y = swiglu(parameters, 'model.layers.0.mlp', x);
 */
export function swiglu(parameters: Tensors, prefix: string, x: Tensor): Tensor {
  const by = (name: string, of: Tensor): Tensor => product(of, parameter(parameters, `${prefix}.${name}.weight`));
  return by('down_proj', silu(by('gate_proj', x)).mul(by('up_proj', x)));
}

/** x · σ(x). */
export function silu(x: Tensor): Tensor {
  return x.mul(x.sigmoid());
}
