import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/**
 * `x` itself, with a gradient of zero; tfjs has none of its own.
 *
 * @example
 * const target = stopGradient(teacherFeatures);
 */
export const stopGradient: (x: Tensor) => Tensor = tf.customGrad((x) => {
  const tensor = x as Tensor;
  return { value: tensor.clone(), gradFunc: (dy: Tensor) => tf.zerosLike(dy) };
});
