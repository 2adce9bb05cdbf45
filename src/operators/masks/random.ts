// Uniform random masking (MAE, He et al. 2022, section 3: "we sample random patches without replacement, following a
// uniform distribution"). The reference ranks noise drawn for the whole batch; here each sample ranks its own words, so a
// mask does not depend on its neighbours. Ranks 32-bit words: two are equal with probability 2^−32, then the lower index stays.
import { checkOptions } from '../../core/options.js';
import { philox } from '../../core/philox.js';
import { recipe } from '../../core/recipe.js';
import { type Mask, type Score, checkRatio, select } from './select.js';
import { freshWords } from '../../core/slab.js';

export interface RandomOptions {
  /** Share of the tokens that is hidden, in [0, 1]. Default 0.75. */
  readonly ratio?: number;
}

/**
 * White noise: one independent uniform 32-bit word a token, `words(key, length)` (Uint32Array [length]).
 *
 * @example
 * select(uniformScore(), { ratio: 0.5 });
 */
export function uniformScore(): Score {
  return {
    recipe: recipe('maskflow/operators', 'uniformScore'),
    values: ({ length }, { k0, k1, c1, c2, c3 }) => philox(freshWords(length), k0, k1, 0, c1, c2, c3),
  };
}

/**
 * Hides a uniformly random set of exactly n − ⌊n · (1 − ratio)⌋ of the n tokens that are not special; on grids of any rank.
 *
 * @throws MaskflowError for an unknown option or a ratio outside [0, 1]
 *
 * @example
 * images.pipe(mask(random({ ratio: 0.75 })));
 */
export function random(options: RandomOptions = {}): Mask {
  checkOptions('random', options, ['ratio']);
  const { ratio = 0.75 } = options;
  checkRatio('random', ratio);
  return { ...select(uniformScore(), { ratio }), recipe: recipe('maskflow/operators', 'random', { ratio }) };
}
