// A mask is select(score(tokens)). A score sees a grid and a key, a mask sees scores: neither knows the modality.
import type { Key } from '../../core/key.js';
import type { Recipe } from '../../core/recipe.js';

/** What a score or a mask may look at: the layout of one sample's tokens, never what they stand for. */
export interface Tokens {
  /** [49] frames, [7, 7] patches, [4, 7, 7] tubes. */
  readonly grid: readonly number[];
  /** Tokens that exist, counted in raster order; those behind are padding and are never hidden. */
  readonly length: number;
  /** The sample's score column, one number a token in raster order, where the mask asked for one. */
  readonly score?: Float32Array;
}

/** One number a token in raster order; the lowest stay visible, the highest are hidden, the lower index stays visible on ties. */
export interface Score {
  readonly recipe: Recipe;
  values(tokens: Tokens, key: Key): Float64Array | Float32Array | Uint32Array;
}

/** Which tokens of one sample are hidden: 1 = hidden, one byte a cell of the grid in raster order. A pure function of its arguments. */
export interface Mask {
  readonly recipe: Recipe;
  hide(tokens: Tokens, key: Key): Uint8Array;
}
