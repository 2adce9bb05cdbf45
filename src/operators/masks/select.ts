// A mask is select(score(tokens)). A score sees a grid and a key, a mask sees scores: neither knows the modality.
import { type Data, sizeOf } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import type { Key } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';
import { type Recipe, recipe } from '../../core/recipe.js';
import { eligibleCount } from './eligibleCount.js';
import { hideAmong } from './hideAmong.js';
import { keepCount } from './keepCount.js';
import { freshBytes } from '../../core/slab.js';

/** What a score or a mask may look at: the layout of one sample's tokens, never what they stand for. */
export interface Tokens {
  /** [49] frames, [7, 7] patches, [4, 7, 7] tubes. */
  readonly grid: readonly number[];
  /** Tokens that exist, counted in raster order; those behind are padding and are never hidden. */
  readonly length: number;
  /** The sample's score column, one number a token in raster order, where the mask asked for one. */
  readonly score?: Float32Array;
  /** One byte a cell, 1 = a special token (CLS, SEP, BOS, EOS, padding): it exists and counts in `length`, but is never hidden. */
  readonly special?: Uint8Array;
  /** The sample's part of the columns that the mask reads, by name: one number a token, or whatever such a column has a row. */
  readonly columns?: Readonly<Record<string, Data>>;
}

/** One number a token in raster order; the lowest stay visible, the highest are hidden, the lower index stays visible on ties. */
export interface Score {
  readonly recipe: Recipe;
  values(tokens: Tokens, key: Key): Float64Array | Float32Array | Uint32Array;
}

/** Which tokens of one sample are hidden: 1 = hidden, one byte a cell of the grid in raster order. A pure function of its arguments. */
export interface Mask {
  readonly recipe: Recipe;
  /** Columns that `hide` needs in `tokens.columns`; the stage refuses batches without them. */
  readonly reads?: readonly string[];
  /** Columns that `hide` looks at where the batch has them. */
  readonly readsIfPresent?: readonly string[];
  /** True for a rule that may hide special tokens (XLM's does); every other rule that hides one is refused. */
  readonly hidesSpecial?: boolean;
  hide(tokens: Tokens, key: Key): Uint8Array;
}

export interface SelectOptions {
  /** Share of the tokens that is hidden, in [0, 1]; exactly n − ⌊n · (1 − ratio)⌋ of the n that exist and are not special. */
  readonly ratio: number;
}

/**
 * The mask that hides the highest scores: exactly `n − keepCount(n, ratio)` tokens, whatever the scores are; n counts those
 * that exist and are not special. Padding (index ≥ length) and special tokens are never hidden. This is MAE's ranking of noise (He et al. 2022, section 3) for any score.
 *
 * @throws MaskflowError for a ratio outside [0, 1]; when used, for NaN among the scores, too few of them, or a length that
 * the grid cannot hold
 *
 * @example
 * const rule = select(uniformScore(), { ratio: 0.75 });
 * rule.hide({ grid: [14, 14], length: 196 }, rootKey(0)); // Uint8Array [196] with 147 ones
 */
export function select(score: Score, options: SelectOptions): Mask {
  checkOptions('select', options, ['ratio']);
  const { ratio } = options;
  checkRatio('select', ratio);
  const { name } = score.recipe;
  return {
    recipe: recipe('maskflow/operators', 'select', { score: score.recipe, ratio }),
    hide(tokens, key) {
      const { length } = tokens;
      const hidden = freshBytes(checkedCells(tokens));
      const values = score.values(tokens, key);
      if (values.length < length) {
        throw new MaskflowError({ rule: `the score ${name} must have one value for each of the ${length} tokens`, value: values.length });
      }
      const count = eligibleCount(tokens);
      hideAmong(hidden, values, tokens, count, count - keepCount(count, ratio), name);
      return hidden;
    },
  };
}

/** Throws unless `ratio` is a number in [0, 1]. */
export function checkRatio(stage: string, ratio: unknown): void {
  check(
    typeof ratio === 'number' && ratio >= 0 && ratio <= 1,
    stage,
    'ratio',
    'must lie in [0, 1]',
    ratio,
    'It is the share of hidden tokens: 0.75 hides three of four.',
  );
}

/** Cells of a sample's grid; throws for a grid without axes, a length that it cannot hold, and `special` of another size. */
export function checkedCells({ grid, length, special }: Tokens): number {
  const cells = sizeOf(grid);
  if (grid.length === 0) throw new MaskflowError({ option: 'grid', rule: 'must have at least one axis', value: grid });
  if (!(Number.isInteger(length) && length >= 0 && length <= cells)) {
    throw new MaskflowError({ option: 'length', rule: `must be an integer in [0, ${cells}] on a grid of [${grid.join(', ')}]`, value: length });
  }
  if (special !== undefined && special.length < length) {
    throw new MaskflowError({ option: 'special', rule: `must have one byte for each of the ${length} tokens`, value: special.length });
  }
  return cells;
}
