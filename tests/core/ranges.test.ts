import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ranges } from '../../src/core/ranges.js';

const most = 60;
const range = fc.tuple(fc.nat(most), fc.nat(12)).map(([from, length]) => [from, from + length] as const);

describe('Ranges', () => {
  it('is a set of integers: like Set in every question', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (added) => {
        const ranges = new Ranges();
        const oracle = new Set<number>();
        for (const [from, to] of added) {
          ranges.add(from, to);
          for (let x = from; x < to; x++) oracle.add(x);
        }
        expect(ranges.size).toBe(oracle.size);
        expect(ranges.end).toBe(oracle.size === 0 ? 0 : Math.max(...oracle) + 1);
        for (let x = 0; x < most + 15; x++) {
          expect(ranges.has(x)).toBe(oracle.has(x));
          let next = x;
          while (oracle.has(next)) next++;
          expect(ranges.nextOutside(x)).toBe(next);
        }
        // Canonical: sorted, disjoint, not even touching; equal sets have equal JSON.
        const json = ranges.toJSON();
        json.forEach(([from, to], i) => {
          expect(to).toBeGreaterThan(from);
          if (i > 0) expect(from).toBeGreaterThan((json[i - 1] as readonly [number, number])[1]);
        });
        expect(new Ranges([...oracle].reverse().map((x) => [x, x + 1])).toJSON()).toEqual(json);
        expect(new Ranges(JSON.parse(JSON.stringify(ranges))).toJSON()).toEqual(json);
      }),
      { numRuns: 300 },
    );
  });
  it('adds single integers, ignores empty ranges, stays small in a run from left to right', () => {
    const ranges = new Ranges();
    ranges.add(5, 5);
    ranges.add(7, 3);
    expect(ranges.toJSON()).toEqual([]);
    for (let x = 0; x < 1000; x++) ranges.add(x);
    expect(ranges.toJSON()).toEqual([[0, 1000]]);
  });
  it('does not hand out its own ranges', () => {
    const ranges = new Ranges([[1, 3]]);
    (ranges.toJSON()[0] as [number, number])[1] = 9;
    expect(ranges.toJSON()).toEqual([[1, 3]]);
  });
});
