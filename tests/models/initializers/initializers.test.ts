import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fold, rootKey } from '../../../src/core/key.js';
import { normal, ones, sinCosPositions, sinCosTable, xavierUniform, zeros } from '../../../src/models/initializers/index.js';

const key = fold(rootKey(3), 'weight');

test('zeros and ones', () => {
  expect([...zeros().values(key, [2, 2])]).toEqual([0, 0, 0, 0]);
  expect([...ones().values(key, [3])]).toEqual([1, 1, 1]);
});

test('draws depend on the key alone', () => {
  for (const init of [normal(), xavierUniform({ fanIn: 4, fanOut: 4 })]) {
    expect(init.values(key, [4, 4])).toEqual(init.values(fold(rootKey(3), 'weight'), [4, 4]));
    expect(init.values(key, [4, 4])).not.toEqual(init.values(fold(rootKey(3), 'other'), [4, 4]));
  }
});

test('normal has its mean and deviation', () => {
  // 10,000 draws at a fixed seed; bounds of 5 standard errors: false alarm below 1e-6 at a fresh seed.
  const values = normal({ std: 0.02 }).values(key, [100, 100]);
  const mean = values.reduce((sum, v) => sum + v, 0) / 1e4;
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 1e4);
  expect(Math.abs(mean)).toBeLessThan((5 * 0.02) / 100);
  expect(Math.abs(deviation - 0.02)).toBeLessThan((5 * 0.02) / Math.sqrt(2e4));
});

test('xavierUniform fills ±√(6 / (fanIn + fanOut))', () => {
  // Of 10,000 uniforms the largest misses the bound by 1 % with probability 0.995^10000 ≈ 2e-22.
  const bound = Math.sqrt(6 / (96 + 288));
  const values = xavierUniform({ fanIn: 96, fanOut: 288 }).values(key, [100, 100]);
  const most = values.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  expect(most).toBeLessThanOrEqual(Math.fround(bound));
  expect(most).toBeGreaterThan(0.99 * bound);
});

test('sine-cosine vectors of the MAE card', () => {
  const table = sinCosPositions({ grid: [2, 2], width: 8 });
  const row = (i: number): number[] => [...table.subarray(8 * i, 8 * i + 8)];
  const close = (actual: number[], expected: number[]): void =>
    expected.forEach((value, i) => {
      expect(actual[i]).toBeCloseTo(value, 5);
    });
  expect(row(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  close(row(2), [0.841471, 0.0099998, 0.540302, 0.99995, 0, 0, 1, 1]);
  close(row(3), [0, 0, 1, 1, 0.841471, 0.0099998, 0.540302, 0.99995]);
});

test('a grid that is not square counts columns in the first half and rows in the second', () => {
  const wide = sinCosPositions({ grid: [2, 5], width: 8, classToken: false });
  const token = (row: number, column: number): number[] => [...wide.subarray(8 * (5 * row + column), 8 * (5 * row + column) + 8)];
  expect(token(1, 4).slice(0, 4)).toEqual(token(0, 4).slice(0, 4));
  expect(token(1, 4).slice(4)).toEqual(token(1, 0).slice(4));
  expect(token(0, 4)[0]).toBeCloseTo(Math.sin(4), 6);
});

test('one axis is [sines, cosines]; three axes share the pairs, column first', () => {
  const line = sinCosPositions({ grid: [4], width: 4, classToken: false });
  [Math.sin(3), Math.sin(0.03), Math.cos(3), Math.cos(0.03)].forEach((value, i) => {
    expect(line[12 + i]).toBeCloseTo(value, 6);
  });
  // Width 8: four pairs on three axes are 2 (column), 1 (row), 1 (time).
  const tubes = sinCosPositions({ grid: [2, 3, 4], width: 8, classToken: false });
  const last = [...tubes.subarray(8 * 23, 8 * 24)];
  [Math.sin(3), Math.sin(0.03), Math.cos(3), Math.cos(0.03), Math.sin(2), Math.cos(2), Math.sin(1), Math.cos(1)].forEach((value, i) => {
    expect(last[i]).toBeCloseTo(value, 6);
  });
});

test('positions of any grid differ pairwise and every pair has norm 1', () => {
  const grids = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(grids, fc.integer({ min: 2, max: 6 }), (grid, quarter) => {
      const width = 4 * quarter;
      const tokens = grid.reduce((product, side) => product * side, 1);
      const table = sinCosPositions({ grid, width, classToken: false });
      const rows = new Set<string>();
      for (let i = 0; i < tokens; i++) {
        const row = table.subarray(i * width, (i + 1) * width);
        rows.add(row.join());
        expect(row.reduce((sum, v) => sum + v * v, 0)).toBeCloseTo(width / 2, 4);
      }
      expect(rows.size).toBe(tokens);
    }),
    { numRuns: 50 },
  );
});

test('errors name the option and the way out', () => {
  expect(() => sinCosTable({ grid: [7, 7], width: 18 })).toThrow('sinCosTable.width: must be a multiple of 4 on 2 axes; got 18. Try 20.');
  expect(() => sinCosTable({ grid: [7, 0], width: 16 })).toThrow('sinCosTable.grid: must hold positive integers');
  expect(() => sinCosTable({ grid: [2, 2], width: 8 }).values(key, [1, 4, 8])).toThrow('the table has 40 elements');
  expect(() => normal({ std: -1 })).toThrow('normal.std: must be a finite number of at least 0; got -1');
  expect(() => normal({ sdt: 1 } as never)).toThrow('Did you mean std?');
  expect(() => xavierUniform({ fanIn: 0, fanOut: 1 })).toThrow('xavierUniform.fanIn');
});
