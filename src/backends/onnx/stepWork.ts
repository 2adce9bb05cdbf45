// A whole training step as one piece of work: forward, backward, division by the count, global norm, clipping, update.
import * as tf from '@tensorflow/tfjs';
import type { Optimizer, Parameters, Program, Tensor, Tensors } from '../../core/program.js';
import type { ProgramInputs } from '../inputsOf.js';
import { located } from '../located.js';
import { updatedBy } from '../updatedBy.js';
import { gradientsOf } from './gradientsWork.js';
import { squaresOf } from './squaresWork.js';
import { type Work, floats, nameOf, prefixed, programSpecs, scalarSpecs, under } from './work.js';

/**
 * `next/weights/…`, `next/slots/…`, `total` ([sum, count]) and `squares`, the sum of all gradients' squares, before division.
 * The bound of the norm is an input, `scalars/clip`, where `clips`.
 */
export function stepWork(program: Program<'loss'>, inputs: ProgramInputs, optimizer: Optimizer, slots: Parameters, clips: boolean): Work {
  return {
    name: `step-${nameOf(program.recipe)}-${nameOf(optimizer.recipe)}`,
    of: program.recipe,
    inputs: { ...programSpecs(inputs), ...floats('slots', slots), ...scalarSpecs, ...(clips ? { 'scalars/clip': { shape: [], dtype: 'float32' } } : {}) },
    build(given) {
      const { gradients, total } = gradientsOf(program, inputs, given);
      const squares = squaresOf(gradients);
      const count = total.slice([1], [1]).reshape([]);
      const factor = clips ? clipped(tf.div(1, count), squares, count, given['scalars/clip'] as Tensor) : tf.div(1, count);
      const weights = under('weights', given);
      const { learningRate, step } = under('scalars', given);
      const after = located(optimizer.recipe, () =>
        updatedBy(optimizer, {
          weights: only(weights, inputs.trainable),
          gradients: Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, gradient.mul(factor)])),
          slots: under('slots', given),
          scalars: { learningRate: learningRate as Tensor, step: step as Tensor },
        }),
      );
      return { total, squares, ...prefixed('next/weights', after.weights), ...prefixed('next/slots', after.slots) };
    },
  };
}

/** The factor that brings the norm of the mean gradient down to `clip`, and leaves one below it as it is. */
function clipped(factor: Tensor, squares: Tensor, count: Tensor, clip: Tensor): Tensor {
  const norm = squares.reshape([]).sqrt().div(count);
  return factor.mul(tf.minimum(1, clip.div(norm)));
}

function only(tensors: Tensors, names: readonly string[]): Tensors {
  return Object.fromEntries(names.map((name) => [name, tensors[name] as Tensor]));
}
