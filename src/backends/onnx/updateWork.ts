import type { Optimizer, Parameters } from '../../core/program.js';
import { updatedBy } from '../updatedBy.js';
import type { Values, WeightValue } from '../weightSets.js';
import { type Work, floats, nameOf, prefixed, scalarSpecs, under } from './work.js';

/** One update of an optimiser: `next/weights/…` and `next/slots/…`. */
export function updateWork(optimizer: Optimizer, gradients: Values<WeightValue>, slots: Parameters): Work {
  return {
    name: `update-${nameOf(optimizer.recipe)}`,
    of: optimizer.recipe,
    inputs: { ...floats('weights', gradients), ...floats('gradients', gradients), ...floats('slots', slots), ...scalarSpecs },
    build(given) {
      const after = updatedBy(optimizer, {
        weights: under('weights', given),
        gradients: under('gradients', given),
        slots: under('slots', given),
        scalars: under('scalars', given),
      });
      return { ...prefixed('next/weights', after.weights), ...prefixed('next/slots', after.slots) };
    },
  };
}
