// Selection of XLM, for monolingual text and for translation pairs alike (TLM, Conneau and Lample 2019, section 3; official
// `mask_out`): every position but the first and padding, so the end-of-sentence tokens between and behind two sentences can be
// hidden. With counts, the frequency-tempered option. The reference draws ⌈ratio · L · B⌉ positions of a whole batch without
// replacement; here each row draws its own ⌈ratio · length⌉, so that a mask does not depend on its neighbours.
import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';
import { philox } from '../../core/philox.js';
import { recipe } from '../../core/recipe.js';
import { neededColumn } from './columnOf.js';
import { beginDraws, drawWord } from './draws.js';
import { hideAmong } from './hideAmong.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes, freshWords } from '../../core/slab.js';
import { type Counts, checkCounts, countsRecipe } from './counts.js';

export interface TlmOptions {
  /** Probability that a token is hidden, in [0, 1]; with `counts` the share that is. Default 0.15. */
  readonly ratio?: number;
  /** How often each id of the vocabulary occurs in the corpus: rare tokens are then hidden more often, special ones never. */
  readonly counts?: Counts;
  /** With `counts`: a token is chosen in proportion to count^−alpha. Default 0.5. */
  readonly alpha?: number;
}

/** Reused, as the values that are ranked: nothing is allocated a mask. */
let scores = new Float64Array(256);
let excluded = new Uint8Array(256);

/**
 * Hides each token but the first one with probability `ratio`; special tokens behind the first one too. With `counts` it
 * hides exactly ⌈length · ratio⌉ tokens, drawn one after the other without replacement in proportion to max(count, 1)^−alpha,
 * or all that can be where there are fewer; then special tokens and ids of count 0 are never hidden, and the column `tokens`
 * (int32 ids) is read.
 *
 * @throws MaskflowError for an unknown option, a ratio outside [0, 1], counts that are no numbers ≥ 0, a negative alpha;
 * when used, for an id without a count
 *
 * @example
 * pairs.pipe(mask(tlm({ ratio: 0.15 })));
 */
export function tlm(options: TlmOptions = {}): Mask {
  checkOptions('tlm', options, ['ratio', 'counts', 'alpha']);
  const { ratio = 0.15, counts, alpha = 0.5 } = options;
  checkRatio('tlm', ratio);
  if (counts !== undefined) return tempered(ratio, counts, alpha);
  check(options.alpha === undefined, 'tlm', 'alpha', 'needs counts', alpha, 'Give counts: how often each id occurs in the corpus.');
  const below = ratio * 2 ** 32;
  return {
    recipe: recipe('maskflow/operators', 'tlm', { ratio }),
    hidesSpecial: true,
    hide(tokens, { k0, k1, c1, c2, c3 }) {
      const hidden = freshBytes(checkedCells(tokens));
      const { length } = tokens;
      const coins = philox(freshWords(length), k0, k1, 0, c1, c2, c3);
      for (let i = 1; i < length; i++) hidden[i] = (coins[i] as number) < below ? 1 : 0;
      return hidden;
    },
  };
}

function tempered(ratio: number, counts: Counts, alpha: number): Mask {
  checkCounts('tlm', counts);
  check(typeof alpha === 'number' && alpha >= 0 && Number.isFinite(alpha), 'tlm', 'alpha', 'must be a number of at least 0', alpha);
  const logWeights = Float64Array.from(counts, (count) => (count === 0 ? Number.NEGATIVE_INFINITY : -alpha * Math.log(Math.max(count, 1))));
  return {
    recipe: recipe('maskflow/operators', 'tlm', { ratio, counts: countsRecipe(counts), alpha }),
    reads: ['tokens'],
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      const { length, special } = tokens;
      const ids = neededColumn(tokens, 'tokens', 'int32');
      if (scores.length < length) {
        scores = new Float64Array(2 * length);
        excluded = new Uint8Array(2 * length);
      }
      // ln weight + Gumbel noise, ranked, is sampling without replacement in proportion to the weights (Efraimidis and Spirakis).
      let candidates = 0;
      beginDraws(key);
      for (let i = 0; i < length; i++) {
        const weight = logWeights[ids[i] as number];
        if (weight === undefined) {
          throw new MaskflowError({ option: 'counts', rule: `has ${counts.length} numbers, none for the id of token ${i}`, value: ids[i] });
        }
        const unit = ((drawWord() >>> 6) * 67108864 + (drawWord() >>> 6) + 0.5) / 4503599627370496;
        const out = i === 0 || weight === Number.NEGATIVE_INFINITY || (special !== undefined && special[i] !== 0);
        excluded[i] = out ? 1 : 0;
        scores[i] = out ? 0 : weight - Math.log(-Math.log(unit));
        if (!out) candidates++;
      }
      const row = { length, special: excluded };
      hideAmong(hidden, scores.subarray(0, length), row, candidates, Math.min(candidates, Math.ceil(length * ratio)), 'tlm');
      return hidden;
    },
  };
}
