import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws } from '../../../src/core/key.js';
import { block, blockScore, boxSides, coverByBoxes, extent, keepCount, leastCells, random } from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf, whole } from './grids.js';

/** Runs of hidden tokens. */
const runs = (mask: Uint8Array): number => mask.reduce((sum, hidden, i) => sum + (hidden === 1 && mask[i - 1] !== 1 ? 1 : 0), 0);
/** Right and lower neighbours on a grid `columns` wide that are hidden both. */
function hiddenPairs(mask: Uint8Array, columns: number): number {
  return mask.reduce((sum, hidden, i) => sum + (hidden & (((i + 1) % columns && mask[i + 1]) || 0)) + (hidden & (mask[i + columns] ?? 0)), 0);
}

describe('boxSides', () => {
  it('stays in the grid, holds the least number of cells, and keeps the aspect as far as the grid lets it', () => {
    const sizes = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 100 })),
      fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 })),
      fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 16 })),
    );
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), fc.nat(), (grid, a, b, id) => {
        const cells = grid.reduce((product, side) => product * side, 1);
        const least = 1 + (a % Math.min(16, cells));
        const sides = boxSides(least + (b % (cells - least + 1)), least, grid, 0.3, new Draws(keyOf(id)));
        const longest = Math.max(...sides);
        sides.forEach((side, axis) => {
          expect(side).toBeGreaterThanOrEqual(Math.min(grid[axis] as number, 0.3 * longest - 1e-9));
          expect(side).toBeLessThanOrEqual(grid[axis] as number);
        });
        expect(sides.reduce((product, side) => product * side, 1)).toBeGreaterThanOrEqual(least);
      }),
      { numRuns: 1000 },
    );
  });

  it('draws rectangles of aspect 0.3 to 1/0.3 and of about the wanted size on a 14×14 grid', () => {
    const ratios: number[] = [];
    let excess = 0;
    for (let id = 0; id < 2000; id++) {
      const draws = new Draws(keyOf(id));
      const cells = 16 + draws.integer(40);
      const [height, width] = boxSides(cells, 16, [14, 14], 0.3, draws) as [number, number];
      expect(height * width).toBeGreaterThanOrEqual(16);
      expect(height * width).toBeLessThan(1.7 * cells);
      excess += (height * width) / cells / 2000;
      expect(Math.max(height, width) * 0.3).toBeLessThanOrEqual(Math.min(height, width) + 1e-9);
      ratios.push(Math.log(height / width));
    }
    // Log-uniform on ±1.204: the mean is 0 (rounding makes it −0.008) and the standard deviation 0.695.
    // False-alarm rate of the mean under other seeds: 5σ = 5 · 0.7 / √2000 = 0.078, about 1e-6.
    expect(Math.abs(excess - 1)).toBeLessThan(0.1);
    const mean = ratios.reduce((sum, x) => sum + x, 0) / ratios.length;
    expect(Math.abs(mean)).toBeLessThan(0.078);
    expect(Math.max(...ratios)).toBeGreaterThan(0.9);
    expect(Math.min(...ratios)).toBeLessThan(-0.9);
  });
});

describe('leastCells', () => {
  it("is 16 from BEiT's grid on, and in proportion below", () => {
    expect([196, 784, 98, 49, 12, 1].map((length) => leastCells(length))).toEqual([16, 16, 8, 4, 1, 1]);
    expect(leastCells(10, 1000)).toBe(10);
  });
});

describe('coverByBoxes', () => {
  it('covers whole boxes before the last, whose cells alone are ranked', () => {
    for (let id = 0; id < 200; id++) {
      const score = coverByBoxes(whole(14, 14), keyOf(id), 78);
      const earlier = score.filter((value) => value === 1).length;
      const last = score.filter((value) => value > 0 && value < 1).length;
      expect(score.every((value) => value >= 0 && value <= 1)).toBe(true);
      if (last === 0) expect(earlier).toBe(78);
      else expect([earlier < 78, earlier + last > 78]).toEqual([true, true]);
    }
  });
});

describe('block', () => {
  it('hides an exact count of the tokens that exist, and always ends', () => {
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const mask = block({ ratio }).hide(tokens, keyOf(id));
        expect(count(mask)).toBe(tokens.length - keepCount(tokens.length, ratio));
        expect(count(mask.subarray(tokens.length))).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('ends on the smallest and the most awkward grids', () => {
    for (const grid of [[1], [1, 1], [1, 1, 1], [1, 200], [200, 1], [2, 2], [1, 1, 50], [3, 300], [100, 100]]) {
      const tokens = whole(...grid);
      for (const ratio of [0, 0.01, 0.5, 0.99, 0.9999, 1]) {
        for (const options of [{}, { minCells: 1 }, { minCells: 10_000 }, { aspect: 1 }, { aspect: 0.01 }]) {
          expect(count(block({ ratio, ...options }).hide(tokens, keyOf(1)))).toBe(tokens.length - keepCount(tokens.length, ratio));
        }
      }
    }
  });

  it('hides spans in 1-D: a few runs where random hides many', () => {
    for (let id = 0; id < 100; id++) {
      // 80 of 200 in spans of at least 16: at most 5 whole ones and the remains of the last.
      const mask = block().hide(whole(200), keyOf(id));
      const whole1 = coverByBoxes(whole(200), keyOf(id), 80).map((value) => Number(value === 1));
      expect(runs(Uint8Array.from(whole1))).toBeLessThanOrEqual(5);
      expect(count(mask)).toBe(80);
    }
    const mean = (rule: typeof block): number =>
      Array.from({ length: 100 }, (_, id) => runs(rule({ ratio: 0.4 }).hide(whole(200), keyOf(id)))).reduce((a, b) => a + b) / 100;
    expect(mean(block)).toBeLessThan(mean(random) / 3);
  });

  it('hides neighbours together in 2-D and 3-D', () => {
    let blocks = 0;
    let scattered = 0;
    let boxes = 0;
    let scattered3 = 0;
    for (let id = 0; id < 200; id++) {
      blocks += hiddenPairs(block().hide(whole(14, 14), keyOf(id)), 14);
      scattered += hiddenPairs(random({ ratio: 0.4 }).hide(whole(14, 14), keyOf(id)), 14);
      const frames = (mask: Uint8Array): number => mask.reduce((sum, hidden, i) => sum + (hidden & (mask[i + 64] ?? 0)), 0);
      boxes += frames(block().hide(whole(4, 8, 8), keyOf(id)));
      scattered3 += frames(random({ ratio: 0.4 }).hide(whole(4, 8, 8), keyOf(id)));
    }
    expect(blocks).toBeGreaterThan(1.7 * scattered);
    expect(boxes).toBeGreaterThan(1.3 * scattered3);
  });

  it('counts only valid cells on a padded grid and does not depend on the padding of a sequence', () => {
    for (let id = 0; id < 50; id++) {
      const mask = block().hide(whole(120), keyOf(id));
      expect(
        block()
          .hide({ grid: [512], length: 120 }, keyOf(id))
          .subarray(0, 120),
      ).toEqual(mask);
      const score = coverByBoxes({ grid: [10, 10], length: 57 }, keyOf(id), 30);
      expect(score.subarray(57).every((value) => value === 0)).toBe(true);
      expect(extent({ grid: [10, 10], length: 57 })).toEqual([6, 10]);
    }
  });

  it('reaches every cell', () => {
    const seen = new Float64Array(196);
    for (let id = 0; id < 2000; id++)
      block()
        .hide(whole(14, 14), keyOf(id))
        .forEach((hidden, i) => {
          seen[i] = (seen[i] as number) + hidden / 2000;
        });
    // Corners are covered less often than the middle (as in BEiT), but never left out.
    expect(Math.min(...seen)).toBeGreaterThan(0.02);
    expect(seen.reduce((sum, share) => sum + share, 0)).toBeCloseTo(196 - keepCount(196, 0.4), 6);
  });

  it('carries its recipe and checks its options', () => {
    expect(block().recipe).toEqual({ module: 'maskflow/operators', name: 'block', options: { ratio: 0.4, minCells: 16, aspect: 0.3 } });
    expect(blockScore({ ratio: 0.5 }).recipe).toEqual({ module: 'maskflow/operators', name: 'blockScore', options: { ratio: 0.5, minCells: 16, aspect: 0.3 } });
    expect(() => block({ ratio: 2 })).toThrow('block.ratio: must lie in [0, 1]; got 2');
    expect(() => block({ minCells: 0 })).toThrow('block.minCells: must be an integer of at least 1; got 0');
    expect(() => block({ aspect: 0 })).toThrow('block.aspect: must lie in (0, 1]; got 0. The ratio of sides lies between aspect and 1 / aspect.');
    expect(() => block({ aspects: 0.3 } as never)).toThrow('block.aspects: there is no such option. Did you mean aspect?');
  });
});
