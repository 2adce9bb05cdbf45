// Block-wise masking (BEiT, Bao et al. 2022, section 2.3 and algorithm 1; official `MaskingGenerator`): rectangles of at
// least 16 patches with a log-uniform aspect ratio are hidden until the target is reached. The reference gives up after ten
// misses and so hides at most the target; here the count is exact: rectangles are drawn until the target is reached or
// passed, and a keyed choice of the last one's cells is unmasked. Spans in 1-D, boxes in 3-D.
import { sizeOf } from '../../core/batch.js';
import { Draws, type Key } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { eligibleCount } from './eligibleCount.js';
import { extent } from './extent.js';
import { keepCount } from './keepCount.js';
import { type Mask, type Score, type Tokens, checkRatio, select } from './select.js';
import { freshDoubles } from '../../core/slab.js';

export interface BlockOptions {
  /** Share of the tokens that is hidden, in [0, 1]. Default 0.4. */
  readonly ratio?: number;
  /** Cells of the smallest rectangle; below 196 tokens (BEiT's 14×14) scaled down in proportion. Default 16. */
  readonly minCells?: number;
  /** Least ratio of a rectangle's sides, in (0, 1]; the greatest is its inverse. Default 0.3. */
  readonly aspect?: number;
}

const known = ['ratio', 'minCells', 'aspect'] as const;
/** The grid for which BEiT chose its 16 patches. */
const reference = 196;
/** Rectangles in a row that add nothing before the next one is laid over a cell that is still uncovered. */
const misses = 8;

function resolve(stage: string, options: BlockOptions): Required<BlockOptions> {
  checkOptions(stage, options, known);
  const { ratio = 0.4, minCells = 16, aspect = 0.3 } = options;
  checkRatio(stage, ratio);
  checkInteger(stage, 'minCells', minCells);
  check(
    typeof aspect === 'number' && aspect > 0 && aspect <= 1,
    stage,
    'aspect',
    'must lie in (0, 1]',
    aspect,
    'The ratio of sides lies between aspect and 1 / aspect.',
  );
  return { ratio, minCells, aspect };
}

/** Cells of the smallest rectangle among `length` tokens. */
export function leastCells(length: number, minCells = 16): number {
  return Math.max(1, Math.min(minCells, Math.round((minCells * length) / reference), length));
}

/**
 * Sides of a random box of about `cells` cells that fits into `sizes`. Axis by axis, a side's ratio to the geometric mean of
 * the sides that follow is log-uniform in [aspect, 1 / aspect] (in 2-D: BEiT's height / width). Afterwards, as far as the grid
 * allows, no side is shorter than `aspect` times the longest and the box has at least `least` cells.
 */
export function boxSides(cells: number, least: number, sizes: readonly number[], aspect: number, draws: Draws): number[] {
  let rest = sizeOf(sizes);
  let volume = cells;
  const bound = -Math.log(aspect);
  const sides = sizes.map((size, axis) => {
    const later = sizes.length - 1 - axis;
    rest /= size;
    const ratio = later === 0 ? 1 : Math.exp(draws.uniform(-bound, bound));
    const wanted = Math.round((volume * ratio ** later) ** (1 / (later + 1)));
    // At least what leaves a volume that the sides to come can hold.
    const side = Math.min(size, Math.max(1, wanted, later === 0 ? 1 : Math.ceil(volume / rest)));
    volume /= side;
    return side;
  });
  const shortest = Math.ceil(Math.max(...sides) * aspect);
  for (let axis = 0; axis < sides.length; axis++) sides[axis] = Math.min(sizes[axis] as number, Math.max(sides[axis] as number, shortest));
  while (sizeOf(sides) < least) {
    let grown = -1;
    for (let axis = 0; axis < sides.length; axis++) {
      if ((sides[axis] as number) < (sizes[axis] as number) && (grown < 0 || (sides[axis] as number) < (sides[grown] as number))) grown = axis;
    }
    if (grown < 0) break;
    sides[grown] = (sides[grown] as number) + 1;
  }
  return sides;
}

/**
 * Covers at least `target` of the sample's tokens with boxes: the values of `blockScore`. Cells of the last box lie strictly
 * between 0 and 1, those of earlier ones are 1, uncovered ones 0: the `target` highest are the mask. Special tokens are −1:
 * boxes may lie over them, but they count for nothing.
 */
export function coverByBoxes(tokens: Tokens, key: Key, target: number, minCells = 16, aspect = 0.3): Float64Array {
  const { grid, length, special } = tokens;
  const score = freshDoubles(sizeOf(grid));
  const eligible = eligibleCount(tokens);
  if (target >= eligible) return score.fill(1, 0, length);
  if (special !== undefined) for (let i = 0; i < length; i++) if (special[i] !== 0) score[i] = -1;
  const sizes = extent({ grid, length });
  const strides = grid.map((_, axis) => sizeOf(grid.slice(axis + 1)));
  const least = leastCells(length, minCells);
  const draws = new Draws(key);
  const fresh: number[] = [];
  let covered = 0;
  let missed = 0;
  while (covered < target) {
    // 1. A box: its size between the least and what is missing, its place uniform among those inside the grid.
    const room = Math.max(0, target - covered - least);
    const sides = boxSides(least + draws.integer(room + 1), least, sizes, aspect, draws);
    const starts = sides.map((side, axis) => draws.integer((sizes[axis] as number) - side + 1));
    // 2. Where boxes keep falling on covered cells, lay this one over an uncovered one: every mask comes to an end.
    if (missed >= misses) {
      let skip = draws.integer(eligible - covered);
      let cell = 0;
      while (score[cell] !== 0 || skip-- > 0) cell++;
      for (let axis = 0; axis < sides.length; axis++) {
        const at = Math.floor(cell / (strides[axis] as number)) % (grid[axis] as number);
        const side = sides[axis] as number;
        const first = Math.max(0, at - side + 1);
        const last = Math.min(at, (sizes[axis] as number) - side);
        starts[axis] = first + draws.integer(last - first + 1);
      }
    }
    // 3. Cover what it adds.
    fresh.length = 0;
    collectUncovered(fresh, score, length, starts, sides, strides, 0, 0);
    missed = fresh.length === 0 ? missed + 1 : 0;
    covered += fresh.length;
    const isLast = covered > target;
    for (const cell of fresh) score[cell] = isLast ? (draws.word() + 1) / (2 ** 32 + 2) : 1;
  }
  return score;
}

function collectUncovered(
  into: number[],
  score: Float64Array,
  length: number,
  starts: readonly number[],
  sides: readonly number[],
  strides: readonly number[],
  axis: number,
  base: number,
): void {
  const stride = strides[axis] as number;
  let cell = base + (starts[axis] as number) * stride;
  const inner = axis === sides.length - 1;
  for (let i = sides[axis] as number; i > 0 && cell < length; i--, cell += stride) {
    if (!inner) collectUncovered(into, score, length, starts, sides, strides, axis + 1, cell);
    else if (score[cell] === 0) into.push(cell);
  }
}

/**
 * The score behind `block`: positive in rectangles that cover at least the target (see `coverByBoxes`).
 *
 * @example
 * select(blockScore({ ratio: 0.4 }), { ratio: 0.4 });
 */
export function blockScore(options: BlockOptions = {}): Score {
  const resolved = resolve('blockScore', options);
  const { ratio, minCells, aspect } = resolved;
  return {
    recipe: recipe('maskflow/operators', 'blockScore', resolved),
    values(tokens, key) {
      const count = eligibleCount(tokens);
      return coverByBoxes(tokens, key, count - keepCount(count, ratio), minCells, aspect);
    },
  };
}

/**
 * Hides rectangles (spans in 1-D, boxes in 3-D) of exactly n − ⌊n · (1 − ratio)⌋ of the n tokens that are not special.
 *
 * @throws MaskflowError for an unknown option, a ratio outside [0, 1], an aspect outside (0, 1] or minCells below 1
 *
 * @example
 * images.pipe(mask(block({ ratio: 0.4 })));
 */
export function block(options: BlockOptions = {}): Mask {
  const resolved = resolve('block', options);
  return { ...select(blockScore(resolved), { ratio: resolved.ratio }), recipe: recipe('maskflow/operators', 'block', resolved) };
}
