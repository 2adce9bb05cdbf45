import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensors } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';
import type { Values } from '../weightSets.js';
import type { HostGradient } from './onnxGradients.js';
import { type Work, floats, under } from './work.js';

/** The square of the norm of all gradients. */
export function squaresWork(gradients: Values<HostGradient>): Work {
  return {
    name: 'norm',
    of: recipe('maskflow/backends', 'norm'),
    inputs: floats('gradients', gradients),
    build: (given) => ({ squares: squaresOf(under('gradients', given)) }),
  };
}

/** [1]: the sum of the squares of all gradients. */
export function squaresOf(gradients: Tensors): Tensor {
  return tf
    .stack(Object.values(gradients).map((gradient) => gradient.square().sum()))
    .sum()
    .reshape([1]);
}
