import * as tf from '@tensorflow/tfjs';
import type { Parameters, Tensor, Tensors } from '../../core/program.js';
import { ones } from '../initializers/ones.js';
import { zeros } from '../initializers/zeros.js';
import { parameter } from './parameter.js';

/** `<prefix>.weight` [width], ones at first, and `<prefix>.bias` [width]. */
export function layerNormParameters(prefix: string, width: number): Parameters {
  return { [`${prefix}.weight`]: { shape: [width], init: ones() }, [`${prefix}.bias`]: { shape: [width], init: zeros() } };
}

/**
 * Layer norm over the last axis with biased variance (Ba, Kiros, Hinton: "Layer normalization", 2016).
 *
 * @example
 * const y = layerNorm(parameters, 'vit.layernorm', x, 1e-6);
 */
export function layerNorm(parameters: Tensors, prefix: string, x: Tensor, eps: number): Tensor {
  const centred = x.sub(x.mean(-1, true));
  const variance = centred.square().mean(-1, true);
  const normal = centred.mul(tf.rsqrt(variance.add(eps)));
  return normal.mul(parameter(parameters, `${prefix}.weight`)).add(parameter(parameters, `${prefix}.bias`));
}
