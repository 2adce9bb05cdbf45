import * as tf from '@tensorflow/tfjs';
import type { Initializer, Parameters, Tensor, Tensors } from '../../core/program.js';
import { xavierUniform } from '../initializers/xavierUniform.js';
import { zeros } from '../initializers/zeros.js';
import { parameter } from './parameter.js';

export interface LinearOptions {
  /** Features in. */
  readonly inputs: number;
  /** Features out. */
  readonly outputs: number;
  /** First weight; default Xavier uniform over (inputs, outputs). */
  readonly init?: Initializer;
}

/** `<prefix>.weight` [outputs, inputs], as PyTorch lays it out, and `<prefix>.bias` [outputs]. */
export function linearParameters(prefix: string, { inputs, outputs, init = xavierUniform({ fanIn: inputs, fanOut: outputs }) }: LinearOptions): Parameters {
  return { [`${prefix}.weight`]: { shape: [outputs, inputs], init }, [`${prefix}.bias`]: { shape: [outputs], init: zeros() } };
}

/** x · Wᵀ + b over the last axis of `x` [..., inputs] with `weight` [outputs, inputs]: one 2-D product, whatever the rank. */
export function project(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  const flat = tf.matMul(x.reshape([-1, inputs]) as tf.Tensor2D, weight as tf.Tensor2D, false, true).add(bias);
  return flat.reshape([...x.shape.slice(0, -1), outputs]);
}

/**
 * The layer `prefix`: float32 [..., inputs] to [..., outputs].
 *
 * @example
 * const y = linear(parameters, 'decoder.decoder_embed', x);
 */
export function linear(parameters: Tensors, prefix: string, x: Tensor): Tensor {
  return project(x, parameter(parameters, `${prefix}.weight`), parameter(parameters, `${prefix}.bias`));
}
