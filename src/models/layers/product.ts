import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/**
 * x · Wᵀ over the last axis of `x` [..., inputs] with `weight` [outputs, inputs]: a linear layer without bias.
 *
 * @example
 * const logits = product(hidden, parameter(parameters, 'model.embed_tokens.weight'));
 */
export function product(x: Tensor, weight: Tensor): Tensor {
  const [outputs, inputs] = weight.shape as [number, number];
  return tf.matMul(x.reshape([-1, inputs]) as tf.Tensor2D, weight as tf.Tensor2D, false, true).reshape([...x.shape.slice(0, -1), outputs]);
}
