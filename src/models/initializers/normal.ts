import { sizeOf } from '../../core/batch.js';
import { normals } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';
import type { Initializer } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';

export interface NormalOptions {
  /** Standard deviation, at least 0; default 0.02 (class and mask tokens of MAE). */
  readonly std?: number;
}

/**
 * Independent normals with mean 0, not truncated (at std 0.02 the usual cut at ±2 never bites).
 *
 * @example
 * normal({ std: 0.02 }).values(fold(rootKey(1), 'token'), [1, 1, 96]); // 96 values, the same for the same key
 */
export function normal(options: NormalOptions = {}): Initializer {
  checkOptions('normal', options, ['std']);
  const { std = 0.02 } = options;
  check(Number.isFinite(std) && std >= 0, 'normal', 'std', 'must be a finite number of at least 0', std, 'Try normal({ std: 0.02 }).');
  return {
    recipe: recipe('maskflow/models', 'normal', { std }),
    values: (key, shape) => Float32Array.from(normals(key, sizeOf(shape)), (z) => std * z),
  };
}
