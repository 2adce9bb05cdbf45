import { sizeOf } from '../../core/batch.js';
import type { Initializer } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';

/**
 * All zeros: biases, and slots that start from nothing. The key is not read.
 *
 * @example
 * zeros().values(rootKey(0), [3]); // Float32Array [0, 0, 0]
 */
export function zeros(): Initializer {
  return { recipe: recipe('maskflow/models', 'zeros'), values: (_key, shape) => new Float32Array(sizeOf(shape)) };
}
