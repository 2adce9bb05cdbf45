import { sizeOf } from '../../core/batch.js';
import { uniforms } from '../../core/key.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import type { Initializer } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';

export interface XavierUniformOptions {
  /** Inputs of one output unit. */
  readonly fanIn: number;
  /** Outputs of one input unit; for query, key and value, which the reference keeps in one [3D, D] matrix, 3D. */
  readonly fanOut: number;
}

/**
 * Uniform in ±√(6 / (fanIn + fanOut)) (Glorot and Bengio, "Understanding the difficulty of training deep feedforward
 * neural networks", AISTATS 2010, equation 16). The fans are options, not read off the shape: a convolution counts its
 * kernel, fused matrices count their whole.
 *
 * @example
 * xavierUniform({ fanIn: 96, fanOut: 288 }).values(fold(rootKey(1), 'query'), [96, 96]); // within ±0.125
 */
export function xavierUniform(options: XavierUniformOptions): Initializer {
  checkOptions('xavierUniform', options, ['fanIn', 'fanOut']);
  const { fanIn, fanOut } = options;
  checkInteger('xavierUniform', 'fanIn', fanIn);
  checkInteger('xavierUniform', 'fanOut', fanOut);
  const bound = Math.sqrt(6 / (fanIn + fanOut));
  return {
    recipe: recipe('maskflow/models', 'xavierUniform', { fanIn, fanOut }),
    values: (key, shape) => Float32Array.from(uniforms(key, sizeOf(shape)), (u) => bound * (2 * u - 1)),
  };
}
