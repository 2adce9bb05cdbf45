// BERT's selection (Devlin et al. 2019, section 3.1; official `create_pretraining_data.py`): a fixed share of the row's length
// at random. The reference shuffles the candidates and takes the first n; ranking one word a token gives the same sets.
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { checkMost, countBudget } from './countBudget.js';
import { eligibleCount } from './eligibleCount.js';
import { hideAmong } from './hideAmong.js';
import { uniformScore } from './random.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes } from '../../core/slab.js';

export interface CountBasedOptions {
  /** Share of the tokens that is hidden, special ones counted, in [0, 1]. Default 0.15. */
  readonly ratio?: number;
  /** Most tokens hidden in a row (BERT's script: 20 at length 128). Default: no bound. */
  readonly most?: number;
}

/**
 * Hides exactly min(most, max(1, round(length · ratio))) tokens, uniformly at random among those that are not special, or all
 * of these where there are fewer; on any grid. `length` counts special tokens too, and halves round to the even number: 30
 * tokens at 0.15 hide 4. At least one token is hidden, even at ratio 0. `random` differs in all three.
 *
 * @throws MaskflowError for an unknown option, a ratio outside [0, 1], or `most` below 1
 *
 * @example
 * sentences.pipe(mask(countBased({ ratio: 0.15, most: 20 })));
 */
export function countBased(options: CountBasedOptions = {}): Mask {
  checkOptions('countBased', options, ['ratio', 'most']);
  const { ratio = 0.15, most = Number.POSITIVE_INFINITY } = options;
  checkRatio('countBased', ratio);
  checkMost('countBased', most);
  const score = uniformScore();
  return {
    recipe: recipe('maskflow/operators', 'countBased', { ratio, most }),
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      const count = eligibleCount(tokens);
      hideAmong(hidden, score.values(tokens, key), tokens, count, Math.min(count, countBudget(tokens.length, ratio, most)), 'uniformScore');
      return hidden;
    },
  };
}
