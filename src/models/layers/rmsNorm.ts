import * as tf from '@tensorflow/tfjs';
import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { ones } from '../initializers/ones.js';
import { parameter } from './parameter.js';

/** `<prefix>.weight` [width], ones at first. */
export function rmsNormParameters(prefix: string, width: number): Parameters {
  return { [`${prefix}.weight`]: { shape: [width], init: ones() } };
}

/**
 * x over the root of the mean of its squares (+ eps), times the weight; over the last axis (Zhang and Sennrich: "Root mean
 * square layer normalization", NeurIPS 2019, equation 4).
 *
 * @example
 * const y = rmsNorm(parameters, 'model.norm', x, 1e-5);
 */
export function rmsNorm(parameters: Tensors, prefix: string, x: Tensor, eps: number): Tensor {
  return x.mul(tf.rsqrt(x.square().mean(-1, true).add(eps))).mul(parameter(parameters, `${prefix}.weight`));
}
