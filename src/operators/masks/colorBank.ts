// The bank of noise patterns that masks are cut from: made once, a pure function of its options. Its key comes from
// `bankSeed` and not from the run's seed, as the reference loads one fixed bank for all its runs.
import { sizeOf } from '../../core/batch.js';
import { fold, normals, rootKey } from '../../core/key.js';
import { MaskflowError } from '../../core/errors.js';
import { type Color, type Sigmas, colorPattern, normalizePattern } from './colorPattern.js';
import { freshFloats } from '../../core/slab.js';

export interface ColorBankOptions extends Sigmas {
  /** Default `green`, the one that the paper recommends. */
  readonly color?: Color;
  /** Number of patterns. Default 256 (the official bank has 3072). */
  readonly patterns?: number;
  /** Default 0. */
  readonly bankSeed?: number;
}

export interface ColorBank {
  /** Sides of one pattern. */
  readonly shape: readonly number[];
  readonly patterns: number;
  /** [patterns, …shape], row-major, every pattern with mean 0 and variance 1. */
  readonly data: Float32Array;
}

/** Numbers that a bank may have: 1 GiB. */
const largest = 2 ** 28;

/**
 * Sides of the patterns for a window: `side` in 2-D; in 1-D and 3-D the side that gives about as many cells (64 → 4096, 64,
 * 16), as a cube of 64 would take 268 MB a bank; doubled along each axis until the window fits.
 *
 * @example
 * bankShape([14, 14], 64); // [64, 64]
 * bankShape([4, 20, 14], 64); // [16, 32, 16]
 */
export function bankShape(window: readonly number[], side: number): number[] {
  const own = Math.max(1, Math.round(side ** (2 / window.length)));
  return window.map((needed) => {
    let sides = own;
    while (sides < needed) sides *= 2;
    return sides;
  });
}

/**
 * A bank of coloured noise. Pattern i depends on bankSeed, i and the shape, not on the number of patterns; the colours of
 * one seed share their white noise.
 *
 * @throws MaskflowError for a bank of more than 2^28 numbers
 *
 * @example
 * colorBank([64, 64], { color: 'green' }).data; // Float32Array [256 · 64 · 64]
 */
export function colorBank(shape: readonly number[], options: ColorBankOptions = {}): ColorBank {
  const { color = 'green', patterns = 256, bankSeed = 0, ...sigmas } = options;
  const cells = sizeOf(shape);
  if (cells * patterns > largest) {
    throw new MaskflowError({
      stage: 'colorNoise',
      option: 'patterns',
      rule: `a bank of ${patterns} patterns of [${shape.join(', ')}] would take more than 1 GiB`,
      value: patterns,
      hint: `Take at most ${Math.max(1, Math.floor(largest / cells))} patterns, or a smaller grid.`,
    });
  }
  const key = fold(rootKey(bankSeed), 'colorBank');
  const data = new Float32Array(cells * patterns);
  for (let i = 0; i < patterns; i++) {
    data.set(normalizePattern(colorPattern(color, normals(fold(key, i), cells), shape, sigmas)), i * cells);
  }
  return { shape, patterns, data };
}

/** Where in a bank a window lies. */
export interface Crop {
  readonly pattern: number;
  /** First cell along each axis, in [0, side − window side]. */
  readonly offsets: ArrayLike<number>;
  /** Bit i = flipped along axis i. */
  readonly flips: number;
}

/**
 * The window of sides `sides` in one pattern, row-major, with the sign turned: the score of its tokens. The LARGEST noise
 * stays visible (official code; secondary descriptions say the opposite), and a score's lowest values do.
 */
export function windowScore(bank: ColorBank, sides: readonly number[], { pattern, offsets, flips }: Crop): Float32Array {
  const { shape, data } = bank;
  const rank = sides.length;
  const inner = sides[rank - 1] as number;
  let cells = 1;
  let size = 1;
  for (let axis = 0; axis < rank; axis++) {
    cells *= sides[axis] as number;
    size *= shape[axis] as number;
  }
  const result = freshFloats(cells);
  const backwards = (flips >>> (rank - 1)) & 1;
  const first = (offsets[rank - 1] as number) + (backwards ? inner - 1 : 0);
  const step = backwards ? -1 : 1;
  for (let to = 0, row = 0; to < cells; row++) {
    let from = first;
    let stride = shape[rank - 1] as number;
    for (let axis = rank - 2, left = row; axis >= 0; axis--) {
      const side = sides[axis] as number;
      const at = left % side;
      left = (left - at) / side;
      from += ((offsets[axis] as number) + ((flips >>> axis) & 1 ? side - 1 - at : at)) * stride;
      stride *= shape[axis] as number;
    }
    from += pattern * size;
    for (const end = to + inner; to < end; to++, from += step) result[to] = -(data[from] as number);
  }
  return result;
}
