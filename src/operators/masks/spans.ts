// Span masking (SpanBERT, Joshi et al. 2020, section 3.1; official fairseq `PairWithSpanMaskingScheme`): runs of whole words of
// geometric length until the budget is exact. The reference redraws an anchor that is hidden already; after a few redraws the
// anchor is drawn among the visible tokens directly, which is the same distribution and ends at ratio 1 too.
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { columnOf } from './columnOf.js';
import { beginDraws, drawBelow, drawUniform } from './draws.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes } from '../../core/slab.js';
import { wordsOf } from './wordsOf.js';

export interface SpansOptions {
  /** Share of the tokens that is hidden, special ones not counted, in [0, 1]. Default 0.15. */
  readonly ratio?: number;
  /** q of the lengths, in (0, 1): P(l) ∝ q (1 − q)^(l − 1). Default 0.2. */
  readonly geometric?: number;
  /** Longest span in words. Default 10; the mean is then 3.80. */
  readonly longest?: number;
}

/** Redraws of an anchor before it is drawn among the visible tokens. */
const redraws = 8;
/** By place among the tokens that belong to words: the token, and its word. Reused: nothing is allocated a mask. */
let places = new Int32Array(256);
let wordAt = new Int32Array(256);

/**
 * P(1) … P(longest) of a geometric distribution cut at `longest` and scaled to sum 1.
 *
 * @example
 * spanLengths(0.2, 10); // [0.2241, 0.1792, 0.1434, …]
 */
export function spanLengths(geometric: number, longest: number): number[] {
  const weights = Array.from({ length: longest }, (_, i) => geometric * (1 - geometric) ** i);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Hides exactly ⌈n · ratio⌉ of the n tokens that belong to words (the product in doubles). Until they are hidden: a length of
 * 1 … `longest` words, a visible token, and from the start of its word on so many words are hidden; a span ends early at a
 * special token, where another document begins, and where the budget is reached, if need be inside a word. Spans may touch:
 * what is hidden are runs. Words are runs of the column `words` (int32 [rows, length], −1 on special tokens), documents the
 * numbers in `documents` (int32); without them every token is a word, and a row one document. For sequences: on grids of
 * several axes take `block`.
 *
 * @throws MaskflowError for an unknown option, a ratio outside [0, 1], `geometric` outside (0, 1), `longest` below 1; when
 * used, for a grid of more than one axis
 *
 * @example
 * sentences.pipe(mask(spans({ ratio: 0.15 })));
 */
export function spans(options: SpansOptions = {}): Mask {
  checkOptions('spans', options, ['ratio', 'geometric', 'longest']);
  const { ratio = 0.15, geometric = 0.2, longest = 10 } = options;
  checkRatio('spans', ratio);
  check(typeof geometric === 'number' && geometric > 0 && geometric < 1, 'spans', 'geometric', 'must lie in (0, 1)', geometric);
  checkInteger('spans', 'longest', longest);
  let sum = 0;
  const upTo = Float64Array.from(spanLengths(geometric, longest), (probability) => (sum += probability));
  return {
    recipe: recipe('maskflow/operators', 'spans', { ratio, geometric, longest }),
    readsIfPresent: ['words', 'documents'],
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      if (tokens.grid.length > 1) {
        throw new MaskflowError({ option: 'grid', rule: 'spans are for sequences, grids of one axis', value: tokens.grid, hint: 'Take block({ ratio }).' });
      }
      const { count, starts, ends, tokens: candidates } = wordsOf(tokens);
      const documents = columnOf(tokens, 'documents', 'int32');
      if (places.length < candidates) {
        places = new Int32Array(2 * candidates);
        wordAt = new Int32Array(2 * candidates);
      }
      for (let word = 0, place = 0; word < count; word++) {
        for (let i = starts[word] as number; i < (ends[word] as number); i++) {
          places[place] = i;
          wordAt[place++] = word;
        }
      }
      let missing = Math.ceil(candidates * ratio);
      let visible = candidates;
      beginDraws(key);
      while (missing > 0) {
        // 1. How many words, and the word where they begin.
        const unit = drawUniform();
        let words = 1;
        while (words < longest && unit >= (upTo[words - 1] as number)) words++;
        let anchor = drawBelow(candidates);
        for (let tries = 0; hidden[places[anchor] as number] === 1 && tries < redraws; tries++) anchor = drawBelow(candidates);
        if (hidden[places[anchor] as number] === 1) {
          anchor = 0;
          for (let skip = drawBelow(visible); hidden[places[anchor] as number] === 1 || skip-- > 0; ) anchor++;
        }
        // 2. They are hidden one after the other, as long as they follow on each other.
        const first = wordAt[anchor] as number;
        const document = documents?.[starts[first] as number];
        for (let word = first; word < Math.min(count, first + words) && missing > 0; word++) {
          const start = starts[word] as number;
          if (word > first && (start !== (ends[word - 1] as number) || documents?.[start] !== document)) break;
          for (let i = start; i < (ends[word] as number) && missing > 0; i++) {
            if (hidden[i] === 1) continue;
            hidden[i] = 1;
            missing--;
            visible--;
          }
        }
      }
      return hidden;
    },
  };
}
