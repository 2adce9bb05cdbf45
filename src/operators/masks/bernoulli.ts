// Independent masking: each token by a coin of its own. The usual collator for masked language modelling (Hugging Face
// `DataCollatorForLanguageModeling`), and the start of every masked-diffusion process. The count is binomial and may be 0;
// for an exact count take `random` or `countBased`. A coin compares one 32-bit word: probabilities are exact to 2^−32.
import { checkOptions } from '../../core/options.js';
import { philox } from '../../core/philox.js';
import { recipe } from '../../core/recipe.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes, freshWords } from '../../core/slab.js';

export interface BernoulliOptions {
  /** Probability that a token is hidden, in [0, 1]. Default 0.15. */
  readonly ratio?: number;
}

/**
 * Hides each token that exists and is not special with probability `ratio`, independently of all others; on any grid.
 * A token's coin depends on the sample and its index alone, so padding changes nothing, and a higher ratio hides a superset.
 *
 * @throws MaskflowError for an unknown option or a ratio outside [0, 1]
 *
 * @example
 * sentences.pipe(mask(bernoulli({ ratio: 0.15 })));
 */
export function bernoulli(options: BernoulliOptions = {}): Mask {
  checkOptions('bernoulli', options, ['ratio']);
  const { ratio = 0.15 } = options;
  checkRatio('bernoulli', ratio);
  const below = ratio * 2 ** 32;
  return {
    recipe: recipe('maskflow/operators', 'bernoulli', { ratio }),
    hide(tokens, { k0, k1, c1, c2, c3 }) {
      const hidden = freshBytes(checkedCells(tokens));
      const { length, special } = tokens;
      const coins = philox(freshWords(length), k0, k1, 0, c1, c2, c3);
      for (let i = 0; i < length; i++) hidden[i] = (coins[i] as number) < below ? 1 : 0;
      if (special !== undefined) for (let i = 0; i < length; i++) if (special[i] !== 0) hidden[i] = 0;
      return hidden;
    },
  };
}
