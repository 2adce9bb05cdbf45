// Fixed sine-cosine positions for a grid of any rank. On two axes exactly the table of MAE (He et al., "Masked
// autoencoders are scalable vision learners", CVPR 2022, section 3; its code encodes the column first), on one axis the
// table of the transformer in its [sines, cosines] order, on more the same idea with the channels split between the axes.
import { sizeOf } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Initializer } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';

export interface SinCosTableOptions {
  /** Layout of the tokens, slowest axis first: [49], [7, 7], [4, 7, 7]. */
  readonly grid: readonly number[];
  /** Channels of a position; even, and a multiple of 4 on two axes. */
  readonly width: number;
  /** A first row of zeros for the class token; default true. */
  readonly classToken?: boolean;
}

/**
 * Frequencies of each axis, fastest axis (column) first. The width / 2 pairs are shared out evenly; what is left over goes
 * one pair each to the fastest axes: width 64 on three axes gives 11, 11 and 10 pairs.
 */
function pairsPerAxis(width: number, axes: number): number[] {
  const pairs = width / 2;
  return Array.from({ length: axes }, (_, axis) => Math.floor(pairs / axes) + (axis < pairs % axes ? 1 : 0));
}

/**
 * The table, [tokens (+ 1), width], computed in float64. An axis with d pairs writes [sin(pos · ω_k)…, cos(pos · ω_k)…],
 * ω_k = 10000^(−k / d); axes follow one another, column first, then row, then the slower ones.
 *
 * @example
 * sinCosPositions({ grid: [2, 2], width: 8 }).slice(16, 24); // token (row 0, column 1): [0.841, 0.01, 0.54, 1, 0, 0, 1, 1]
 */
export function sinCosPositions({ grid, width, classToken = true }: SinCosTableOptions): Float32Array {
  const tokens = sizeOf(grid);
  const first = classToken ? 1 : 0;
  const table = new Float32Array((tokens + first) * width);
  const pairs = pairsPerAxis(width, grid.length);
  for (let token = 0; token < tokens; token++) {
    let rest = token;
    let at = (token + first) * width;
    for (let axis = 0; axis < grid.length; axis++) {
      const side = grid[grid.length - 1 - axis] as number;
      const d = pairs[axis] as number;
      const position = rest % side;
      rest = Math.floor(rest / side);
      for (let k = 0; k < d; k++) {
        const angle = position * 10000 ** (-k / d);
        table[at + k] = Math.sin(angle);
        table[at + d + k] = Math.cos(angle);
      }
      at += 2 * d;
    }
  }
  return table;
}

/**
 * `sinCosPositions` as an initialiser; any shape with that many elements will do ([1, tokens + 1, width] for ViT). The key
 * is not read.
 *
 * @example
 * sinCosTable({ grid: [7, 7], width: 96 }).values(rootKey(0), [1, 50, 96]);
 */
export function sinCosTable(options: SinCosTableOptions): Initializer {
  checkOptions('sinCosTable', options, ['grid', 'width', 'classToken']);
  const { grid, width, classToken = true } = options;
  check(
    grid.length > 0 && grid.every((side) => Number.isInteger(side) && side >= 1),
    'sinCosTable',
    'grid',
    'must hold positive integers',
    grid,
    'Try grid: [7, 7].',
  );
  checkInteger('sinCosTable', 'width', width, 2 * grid.length);
  const unit = grid.length === 2 ? 4 : 2;
  check(
    width % unit === 0,
    'sinCosTable',
    'width',
    `must be a multiple of ${unit} on ${grid.length} ${grid.length === 1 ? 'axis' : 'axes'}`,
    width,
    `Try ${Math.ceil(width / unit) * unit}.`,
  );
  return {
    recipe: recipe('maskflow/models', 'sinCosTable', { grid, width, classToken }),
    values(_key, shape) {
      const table = sinCosPositions({ grid, width, classToken });
      if (table.length !== sizeOf(shape))
        throw new MaskflowError({ stage: 'sinCosTable', rule: `the table has ${table.length} elements, the parameter another number`, value: shape });
      return table;
    },
  };
}
