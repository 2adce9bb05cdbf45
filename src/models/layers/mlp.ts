import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { gelu } from './gelu.js';
import { linear, linearParameters } from './linear.js';

/** `<prefix>.intermediate.dense` [hidden, width] and `<prefix>.output.dense` [width, hidden], both with bias. */
export function mlpParameters(prefix: string, width: number, hidden: number): Parameters {
  return {
    ...linearParameters(`${prefix}.intermediate.dense`, { inputs: width, outputs: hidden }),
    ...linearParameters(`${prefix}.output.dense`, { inputs: hidden, outputs: width }),
  };
}

/**
 * Two layers with an exact GELU between, over the last axis.
 *
 * @example
 * const y = mlp(parameters, 'vit.encoder.layer.0', x);
 */
export function mlp(parameters: Tensors, prefix: string, x: Tensor): Tensor {
  return linear(parameters, `${prefix}.output.dense`, gelu(linear(parameters, `${prefix}.intermediate.dense`, x)));
}
