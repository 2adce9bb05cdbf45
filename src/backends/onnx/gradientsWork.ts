import type { Program, Tensor, Tensors } from '../../core/program.js';
import { differentiate } from '../differentiate.js';
import type { ProgramInputs } from '../inputsOf.js';
import { lossOf } from '../outputOf.js';
import { type Work, nameOf, prefixed, programSpecs, under } from './work.js';

/** Gradients of the loss's sum as `gradients/…`, and `total`: [sum, count]. */
export function gradientsWork(program: Program<'loss'>, inputs: ProgramInputs): Work {
  return {
    name: `gradients-${nameOf(program.recipe)}`,
    of: program.recipe,
    inputs: programSpecs(inputs),
    build(given) {
      const { gradients, total } = gradientsOf(program, inputs, given);
      return { total, ...prefixed('gradients', gradients) };
    },
  };
}

/** Gradients of a program's loss in the surrounding scope. */
export function gradientsOf(program: Program<'loss'>, { signature, trainable }: ProgramInputs, given: Tensors): { gradients: Tensors; total: Tensor } {
  const weights = under('weights', given);
  const { found, total } = differentiate(() => lossOf(program.build(weights, under('columns', given), under('draws', given), signature)), trainable, weights);
  return { gradients: Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, unkept(tensor)])), total: unkept(total) };
}

/** The same values, owned by the scope. */
function unkept(tensor: Tensor): Tensor {
  const own = tensor.clone();
  tensor.dispose();
  return own;
}
