import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recipe } from '../../../src/core/recipe.js';
import { type Score, extent, keepCount, select, shuffleIds } from '../../../src/operators/masks/index.js';
import { anyGrid, anyRatio, anyTokens, count, keyOf, whole } from './grids.js';

/** A score that answers `values` whatever it is asked. */
const given = (values: Float64Array | Float32Array | Uint32Array): Score => ({ recipe: recipe('tests', 'given'), values: () => values });
const hide = (values: Float64Array | Float32Array | Uint32Array, ratio: number, length = values.length): number[] => [
  ...select(given(values), { ratio }).hide({ grid: [values.length], length }, keyOf(0)),
];
/** Scores with ties, infinities and outliers: what a histogram finds hard. */
const anyScores = fc.oneof(
  fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 200 }),
  fc.array(fc.constantFrom(-1, 0, -0, 1, 2), { minLength: 1, maxLength: 200 }),
  fc.array(fc.constantFrom(-Infinity, -1e308, 0, 5e-324, 1e308, Infinity), { minLength: 1, maxLength: 200 }),
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 200 }).map((scores) => [...scores, 1e12]),
);

describe('keepCount', () => {
  it('is the floor of the product in doubles (MAE card)', () => {
    const table = [
      [196, 0.75, 49],
      [64, 0.75, 16],
      [9, 0.75, 2],
      [49, 0.6, 19],
      [196, 0.7, 58],
      [10, 0.9, 0],
      [10, 0.8, 1],
      [100, 0.9, 9],
      [0, 0.5, 0],
      [7, 0, 7],
      [7, 1, 0],
    ] as const;
    for (const [length, ratio, keep] of table) expect([length, ratio, keepCount(length, ratio)]).toEqual([length, ratio, keep]);
  });
});

describe('shuffleIds', () => {
  it('gives the vectors of the MAE card', () => {
    const ids = shuffleIds([0.7, 0.1, 0.9, 0.3], 2);
    expect([...ids.idsShuffle]).toEqual([1, 3, 0, 2]);
    expect([...ids.idsRestore]).toEqual([2, 0, 3, 1]);
    expect([...ids.mask]).toEqual([1, 0, 1, 0]);
  });

  it('gives the 3×3 vectors of the ColorMAE card, where the largest noise stays visible', () => {
    const window = [0.1, 0.9, 0.3, 0.4, 0.2, 0.8, 0.7, 0.5, 0.6];
    const score = window.map((noise) => -noise);
    const ids = shuffleIds(score, keepCount(9, 0.75));
    expect([...ids.idsShuffle]).toEqual([1, 5, 6, 8, 7, 3, 2, 4, 0]);
    expect([...ids.idsRestore]).toEqual([8, 0, 6, 5, 7, 1, 2, 4, 3]);
    expect([...ids.mask]).toEqual([1, 0, 1, 1, 1, 0, 1, 1, 1]);
    expect(hide(Float64Array.from(score), 0.75)).toEqual([...ids.mask]);
  });

  it('is a permutation and its inverse, stable on ties', () => {
    fc.assert(
      fc.property(anyScores, fc.nat(), (scores, at) => {
        const keep = at % (scores.length + 1);
        const { idsShuffle, idsRestore, mask } = shuffleIds(scores, keep);
        idsShuffle.forEach((token, place) => {
          expect(idsRestore[token]).toBe(place);
          const next = idsShuffle[place + 1];
          if (next === undefined) return;
          const [a, b] = [scores[token] as number, scores[next] as number];
          expect(a < b || (a === b && token < next)).toBe(true);
        });
        expect(count(mask)).toBe(scores.length - keep);
      }),
    );
  });

  it('refuses NaN and an impossible keep', () => {
    expect(() => shuffleIds([1, Number.NaN], 1)).toThrow('shuffleIds.scores: must be numbers, but token 1 is NaN');
    expect(() => shuffleIds([1, 2], 3)).toThrow('shuffleIds.keep: must be an integer in [0, 2]; got 3');
  });
});

describe('select', () => {
  it('finds the mask of the stable sort, for any scores of any type', () => {
    fc.assert(
      fc.property(anyScores, anyRatio, fc.constantFrom(Float64Array, Float32Array), (scores, ratio, type) => {
        const values = type.from(scores);
        expect(hide(values, ratio)).toEqual([...shuffleIds(values, keepCount(values.length, ratio)).mask]);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint32Array({ minLength: 1, maxLength: 300 }), anyRatio, (values, ratio) => {
        expect(hide(values, ratio)).toEqual([...shuffleIds(values, keepCount(values.length, ratio)).mask]);
      }),
    );
  });

  it('finds it in long sequences too, where one bucket of the histogram holds many', () => {
    for (const squeeze of [1, 8, 64]) {
      const values = Float64Array.from({ length: 20_000 }, (_, i) => ((i * 7919) % 20_011) ** squeeze);
      expect(hide(values, 0.6)).toEqual([...shuffleIds(values, keepCount(20_000, 0.6)).mask]);
    }
  });

  it('leaves the lower index visible on ties', () => {
    expect(hide(new Float32Array(4), 0.5)).toEqual([0, 0, 1, 1]);
    expect(hide(Float32Array.of(1, 0, 1, 0, 1), 0.4)).toEqual([0, 0, 1, 0, 1]);
  });

  it('hides an exact count of the tokens that exist, never padding', () => {
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.integer(), (tokens, ratio, seed) => {
        const cells = tokens.grid.reduce((product, side) => product * side, 1);
        const values = Float64Array.from({ length: cells }, (_, i) => Math.sin(seed + i * i));
        const mask = select(given(values), { ratio }).hide(tokens, keyOf(0));
        expect(mask.length).toBe(cells);
        expect(count(mask)).toBe(tokens.length - keepCount(tokens.length, ratio));
        expect(count(mask.subarray(tokens.length))).toBe(0);
      }),
    );
  });

  it('does not change under an increasing map of the scores, but does under negation', () => {
    const noise = Float64Array.from({ length: 196 }, (_, i) => Math.sin(1 + i * i));
    const maps: ((x: number) => number)[] = [(x) => Math.exp(3 * x), (x) => x ** 3, (x) => 5 * x - 100, (x) => Math.atan(20 * x)];
    for (const map of maps) expect(hide(noise.map(map), 0.75)).toEqual(hide(noise, 0.75));
    expect(
      hide(
        noise.map((x) => -x),
        0.75,
      ),
    ).not.toEqual(hide(noise, 0.75));
  });

  it('gives masks that share no memory', () => {
    const rule = select(given(Float64Array.of(2, 1)), { ratio: 0.5 });
    const first = rule.hide(whole(2), keyOf(0));
    const second = rule.hide(whole(2), keyOf(0));
    first.fill(9);
    expect([...second]).toEqual([1, 0]);
    expect([...rule.hide(whole(2), keyOf(0))]).toEqual([1, 0]);
  });

  it('carries its score in its recipe', () => {
    expect(select(given(new Float32Array(1)), { ratio: 0.5 }).recipe).toEqual({
      module: 'maskflow/operators',
      name: 'select',
      options: { score: { module: 'tests', name: 'given', options: {} }, ratio: 0.5 },
    });
  });

  it('says what is wrong', () => {
    const one = given(new Float32Array(1));
    for (const ratio of [-0.1, 1.1, Number.NaN, '0.5' as unknown as number]) expect(() => select(one, { ratio })).toThrow('select.ratio: must lie in [0, 1]');
    expect(() => select(one, { ration: 0.5 } as never)).toThrow('select.ration: there is no such option. Did you mean ratio?');
    for (const ratio of [0, 0.5, 1])
      expect(() => hide(Float32Array.of(0, Number.NaN), ratio)).toThrow('the score given must be a number for every token, but is NaN for token 1');
    expect(hide(Float32Array.of(0, 1, Number.NaN), 0.5, 2)).toEqual([0, 1, 0]);
    expect(() => select(one, { ratio: 0.5 }).hide(whole(2), keyOf(0))).toThrow('the score given must have one value for each of the 2 tokens; got 1');
    for (const length of [-1, 0.5, 2]) {
      expect(() => select(one, { ratio: 0.5 }).hide({ grid: [1], length }, keyOf(0))).toThrow('length: must be an integer in [0, 1] on a grid of [1]');
    }
    expect(() => select(one, { ratio: 0.5 }).hide({ grid: [], length: 1 }, keyOf(0))).toThrow('grid: must have at least one axis');
  });
});

describe('extent', () => {
  it('is the smallest box that holds the first tokens in raster order', () => {
    expect(extent({ grid: [7, 7], length: 30 })).toEqual([5, 7]);
    expect(extent({ grid: [7, 7], length: 3 })).toEqual([1, 3]);
    expect(extent({ grid: [4, 7, 7], length: 50 })).toEqual([2, 7, 7]);
    expect(extent({ grid: [4, 7, 7], length: 49 })).toEqual([1, 7, 7]);
    expect(extent({ grid: [4, 7, 7], length: 9 })).toEqual([1, 2, 7]);
    expect(extent({ grid: [100], length: 0 })).toEqual([0]);
    fc.assert(fc.property(anyGrid, (grid) => void expect(extent(whole(...grid))).toEqual(grid)));
    fc.assert(
      fc.property(anyTokens, (tokens) => {
        const sides = extent(tokens);
        const cells = sides.reduce((product, side) => product * side, 1);
        expect(cells).toBeGreaterThanOrEqual(tokens.length);
        // Its raster order is the grid's: all axes after the first that is wider than 1 are whole.
        const first = sides.findIndex((side) => side > 1);
        if (first >= 0) expect(sides.slice(first + 1)).toEqual(tokens.grid.slice(first + 1));
      }),
    );
  });
});
