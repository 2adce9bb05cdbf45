import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/**
 * The exact GELU, x · Φ(x) by the error function (Hendrycks and Gimpel: "Gaussian error linear units", 2016), not the tanh
 * approximation.
 *
 * @example
 * gelu(tf.tensor1d([1])); // 0.8413
 */
export function gelu(x: Tensor): Tensor {
  return x.mul(tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5));
}
