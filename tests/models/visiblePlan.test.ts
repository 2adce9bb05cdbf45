import fc from 'fast-check';
import { expect, test } from 'vitest';
import { visiblePlan } from '../../src/models/visiblePlan.js';
import { lengthColumn, maskColumn } from './harness.js';

const arrays = (plan: ReturnType<typeof visiblePlan>): number[][] =>
  [plan.visible, plan.restore, plan.visibleKeys, plan.tokenKeys].map(({ data }) => [...data]);

test('the plan of the mask in the MAE card: raster order, no padding for equal counts', () => {
  const plan = visiblePlan({ rows: 1, tokens: 4, mask: maskColumn([[1, 0, 1, 0]], [4]) });
  expect(arrays(plan)).toEqual([[1, 3], [-1, 0, -1, 1], [], []]);
  expect([plan.visible.shape, plan.restore.shape, plan.visibleKeys.shape, plan.tokenKeys.shape]).toEqual([
    [1, 2],
    [1, 4],
    [1, 0],
    [1, 0],
  ]);
});

test('ragged masks and lengths pad, and say where', () => {
  const plan = visiblePlan({
    rows: 2,
    tokens: 4,
    mask: maskColumn(
      [
        [1, 0, 1, 0],
        [1, 1, 0, 0],
      ],
      [2, 2],
    ),
    length: lengthColumn([4, 3]),
  });
  expect(arrays(plan)).toEqual([
    [1, 3, 2, -1],
    [-1, 0, -1, 1, -1, -1, 0, -1],
    [1, 1, 1, 0],
    [1, 1, 1, 1, 1, 1, 1, 0],
  ]);
});

test('a row without a visible token keeps one slot that pads', () => {
  expect(arrays(visiblePlan({ rows: 1, tokens: 2, mask: maskColumn([[1, 1]], [2]) }))).toEqual([[-1], [-1, -1], [0], []]);
});

test('slots and tokens are inverse to each other; ragged widths are few', () => {
  const rows = fc
    .integer({ min: 1, max: 60 })
    .chain((tokens) =>
      fc.tuple(
        fc.constant(tokens),
        fc.array(
          fc.record({ bits: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: tokens, maxLength: tokens }), length: fc.integer({ min: 0, max: tokens }) }),
          { minLength: 1, maxLength: 5 },
        ),
      ),
    );
  fc.assert(
    fc.property(rows, ([tokens, samples]) => {
      const plan = visiblePlan({
        rows: samples.length,
        tokens,
        mask: maskColumn(
          samples.map(({ bits }) => bits),
          [tokens],
        ),
        length: lengthColumn(samples.map(({ length }) => length)),
      });
      const slots = plan.visible.shape[1] as number;
      const counts = samples.map(({ bits, length }) => bits.filter((bit, token) => bit === 0 && token < length).length);
      const longest = Math.max(...counts);
      const ragged = counts.some((count) => count !== longest) || longest === 0;
      if (ragged) expect(slots === tokens || slots % Math.ceil(tokens / 16) === 0).toBe(true);
      else expect(slots).toBe(longest);
      expect(plan.visibleKeys.data).toHaveLength(ragged ? samples.length * slots : 0);
      samples.forEach(({ bits, length }, row) => {
        const visible = [...plan.visible.data.subarray(row * slots, (row + 1) * slots)].filter((token) => token >= 0);
        expect(visible).toEqual(bits.flatMap((bit, token) => (bit === 0 && token < length ? [token] : [])));
        bits.forEach((_, token) => {
          expect(plan.restore.data[row * tokens + token]).toBe(visible.indexOf(token));
        });
      });
    }),
    { numRuns: 100 },
  );
});

test('errors name column, row and value', () => {
  expect(() => visiblePlan({ rows: 1, tokens: 4, mask: maskColumn([[1, 0]], [2]) })).toThrow(
    'visiblePlan.mask: must have one value a token (1 rows of 4 tokens); got [1,2]',
  );
  expect(() => visiblePlan({ rows: 2, tokens: 4, length: lengthColumn([4, 5]) })).toThrow('visiblePlan.length: must be an integer from 0 to 4; got 5 (row 1)');
  expect(() => visiblePlan({ rows: 2, tokens: 4, length: lengthColumn([4]) })).toThrow('must have one number a row');
});
