// ColorMAE (Hinojosa et al. 2024): MAE's ranking of white noise with coloured noise in its place. No data, no parameters.
// The reference draws one crop and one pair of flips for a whole batch; here pattern, crop and flips are drawn for each
// sample, so that a mask does not depend on the batch. Windows are cut one cell of noise to one token.
import { type Key, words } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type ColorBank, type ColorBankOptions, type Crop, bankShape, colorBank, windowScore } from './colorBank.js';
import { colors } from './colorPattern.js';
import { extent } from './extent.js';
import { type Mask, type Score, checkRatio, select } from './select.js';

export interface ColorScoreOptions extends ColorBankOptions {
  /** Side of a pattern in 2-D, where the grid is no larger; see `bankShape` for other ranks. Default 64. */
  readonly side?: number;
}

export interface ColorNoiseOptions extends ColorScoreOptions {
  /** Share of the tokens that is hidden, in [0, 1]. Default 0.75. */
  readonly ratio?: number;
}

const known = ['color', 'patterns', 'side', 'sigma', 'sigma1', 'sigma2', 'bankSeed'] as const;

function resolve(stage: string, options: ColorScoreOptions): Required<ColorScoreOptions> {
  const { color = 'green', patterns = 256, side = 64, sigma = 1, sigma1 = 0.75, sigma2 = 2.5, bankSeed = 0 } = options;
  check(colors.includes(color), stage, 'color', `must be one of ${colors.join(', ')}`, color);
  checkInteger(stage, 'patterns', patterns);
  checkInteger(stage, 'side', side);
  checkInteger(stage, 'bankSeed', bankSeed, 0);
  for (const [name, value] of Object.entries({ sigma, sigma1, sigma2 })) {
    check(value > 0 && Number.isFinite(value), stage, name, 'must be a positive number of cells', value);
  }
  check(sigma1 < sigma2, stage, 'sigma1', `must be less than sigma2 = ${sigma2}: the band lies between them`, sigma1);
  return { color, patterns, side, sigma, sigma1, sigma2, bankSeed };
}

/** The pattern, crop and flips of one sample. Each word is scaled to its range: no choice is off by more than 2^−32. */
export function colorCrop(bank: Pick<ColorBank, 'shape' | 'patterns'>, sides: readonly number[], key: Key): Crop {
  const rank = sides.length;
  const drawn = words(key, 2 + rank);
  const offsets = new Int32Array(rank);
  for (let axis = 0; axis < rank; axis++) {
    offsets[axis] = Math.floor(((drawn[2 + axis] as number) / 2 ** 32) * ((bank.shape[axis] as number) - (sides[axis] as number) + 1));
  }
  return { pattern: Math.floor(((drawn[0] as number) / 2 ** 32) * bank.patterns), offsets, flips: drawn[1] as number };
}

/**
 * The negated noise of a keyed window in a bank (Float32Array). Banks are made at first use and kept by this score, one a
 * pattern shape: 4 MB and about 0.2 s for the default.
 *
 * @example
 * select(colorScore({ color: 'blue' }), { ratio: 0.5 });
 */
export function colorScore(options: ColorScoreOptions = {}): Score {
  checkOptions('colorScore', options, known);
  const resolved = resolve('colorScore', options);
  const { side, ...of } = resolved;
  const banks = new Map<string, ColorBank>();
  return {
    recipe: recipe('maskflow/operators', 'colorScore', resolved),
    values(tokens, key) {
      if (tokens.length === 0) return new Float32Array(0);
      const sides = extent(tokens);
      const shape = bankShape(sides, side);
      const name = shape.join();
      let bank = banks.get(name);
      if (bank === undefined) {
        bank = colorBank(shape, of);
        banks.set(name, bank);
      }
      return windowScore(bank, sides, colorCrop(bank, sides, key));
    },
  };
}

/**
 * Hides the tokens where coloured noise is lowest: exactly n − ⌊n · (1 − ratio)⌋ of the n that are not special; on any grid.
 * Red hides large blobs, green middle-sized ones, blue and purple spread evenly, white is `random`.
 *
 * @throws MaskflowError for an unknown option or colour, a ratio outside [0, 1], σ that is not positive, sigma1 ≥ sigma2
 *
 * @example
 * images.pipe(mask(colorNoise({ color: 'green', ratio: 0.75 })));
 */
export function colorNoise(options: ColorNoiseOptions = {}): Mask {
  checkOptions('colorNoise', options, ['ratio', ...known]);
  const { ratio = 0.75, ...rest } = options;
  checkRatio('colorNoise', ratio);
  const resolved = resolve('colorNoise', rest);
  return { ...select(colorScore(resolved), { ratio }), recipe: recipe('maskflow/operators', 'colorNoise', { ratio, ...resolved }) };
}
