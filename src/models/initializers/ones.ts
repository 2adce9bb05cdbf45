import { sizeOf } from '../../core/batch.js';
import type { Initializer } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';

/**
 * All ones: the scale of a layer norm. The key is not read.
 *
 * @example
 * ones().values(rootKey(0), [2]); // Float32Array [1, 1]
 */
export function ones(): Initializer {
  return { recipe: recipe('maskflow/models', 'ones'), values: (_key, shape) => new Float32Array(sizeOf(shape)).fill(1) };
}
