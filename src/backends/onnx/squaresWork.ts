import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensors } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';
import type { Values } from '../weightSets.js';
import type { HostGradient } from './onnxGradients.js';
import { type Work, floats, under } from './work.js';

/** The sum of squares of each gradient: the norm, but for its last sum, which is one of float64. */
export function squaresWork(gradients: Values<HostGradient>): Work {
  return {
    name: 'norm',
    of: recipe('maskflow/backends', 'norm'),
    inputs: floats('gradients', gradients),
    build: (given) => ({ squares: squaresOf(under('gradients', given)) }),
  };
}

/** [gradients], in a step as in `norm`: both must come to the same number. */
export function squaresOf(gradients: Tensors): Tensor {
  return tf.stack(Object.values(gradients).map((gradient) => gradient.square().sum()));
}
