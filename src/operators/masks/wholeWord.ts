// Whole-word masking (official BERT repository, `do_whole_word_mask`; Hugging Face `DataCollatorForWholeWordMask`): all pieces
// of a word or none. The budget counts pieces, not words, so that as much is hidden as by `countBased`, or a little less.
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { checkMost, countBudget } from './countBudget.js';
import { beginDraws, beginOrder, inOrder } from './draws.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes } from '../../core/slab.js';
import { wordsOf } from './wordsOf.js';

export interface WholeWordOptions {
  /** Share of the tokens that is hidden, special ones counted, in [0, 1]. Default 0.15. */
  readonly ratio?: number;
  /** Most tokens hidden in a row (the reference: 512). Default: no bound. */
  readonly most?: number;
}

/**
 * Hides whole words in random order as long as they fit into the budget of `countBased`, min(most, max(1, round(length ·
 * ratio))) tokens, halves to the even number: a word that is too long for what is left is passed over. So at most the budget
 * is hidden, and nothing where every word is longer than it. Words are runs of the column `words` (int32 [rows, length], −1
 * on special tokens); without it every token is a word.
 *
 * @throws MaskflowError for an unknown option, a ratio outside [0, 1], or `most` below 1
 *
 * @example
 * sentences.pipe(mask(wholeWord({ ratio: 0.15 })));
 */
export function wholeWord(options: WholeWordOptions = {}): Mask {
  checkOptions('wholeWord', options, ['ratio', 'most']);
  const { ratio = 0.15, most = Number.POSITIVE_INFINITY } = options;
  checkRatio('wholeWord', ratio);
  checkMost('wholeWord', most);
  return {
    recipe: recipe('maskflow/operators', 'wholeWord', { ratio, most }),
    readsIfPresent: ['words'],
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      const { count, starts, ends } = wordsOf(tokens);
      let room = countBudget(tokens.length, ratio, most);
      beginDraws(key);
      beginOrder(count);
      for (let place = 0; place < count && room > 0; place++) {
        const word = inOrder(place);
        const end = ends[word] as number;
        const first = starts[word] as number;
        if (end - first > room) continue;
        for (let i = first; i < end; i++) hidden[i] = 1;
        room -= end - first;
      }
      return hidden;
    },
  };
}
