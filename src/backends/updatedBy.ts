// One update of an optimiser, checked; and its slots as parameters that begin with zeros.
import { sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import type { Optimizer, Parameters as ParametersOf, Tensor, Tensors } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { type Values, type WeightValue, sameShape } from './weightSets.js';

/** The slots of these weights. */
export function slotsOf(optimizer: Optimizer, weights: Values<WeightValue>): ParametersOf {
  const specs = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]));
  return Object.fromEntries(Object.entries(optimizer.slots(specs)).map(([name, { shape }]) => [name, { shape, init: zeros }]));
}

const zeros = { recipe: recipe('maskflow/backends', 'zeros'), values: (_: unknown, shape: readonly number[]) => new Float32Array(sizeOf(shape)) };

/** What the optimiser answers: each tensor its own handle on its values. Run it inside a tidy scope. */
export function updatedBy(optimizer: Optimizer, input: Parameters<Optimizer['update']>[0]): { readonly weights: Tensors; readonly slots: Tensors } {
  const answered = optimizer.update(input);
  return { weights: complete(input.weights, answered.weights, 'weight'), slots: complete(input.slots, answered.slots, 'slot') };
}

function complete(before: Tensors, after: Tensors, kind: 'weight' | 'slot'): Tensors {
  const result: Record<string, Tensor> = {};
  for (const [name, { shape }] of Object.entries(before)) {
    const tensor = after[name];
    if (tensor === undefined || !sameShape(tensor.shape, shape)) {
      throw new MaskflowError({ option: name, rule: `the optimizer must answer a ${kind} of shape [${shape.join(', ')}]`, value: tensor?.shape });
    }
    result[name] = tensor.clone();
  }
  for (const name of Object.keys(after)) {
    if (before[name] === undefined) throw new MaskflowError({ option: name, rule: `the optimizer answers a ${kind} that there is not` });
  }
  return result;
}
