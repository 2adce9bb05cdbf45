import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countBased, countBudget, roundHalfEven, shuffleIds } from '../../../src/operators/masks/index.js';
import { words } from '../../../src/core/key.js';
import { anyRatio, anyTokens, count, keyOf, whole } from './grids.js';
import { anyRow, plain } from './text.js';

describe('roundHalfEven', () => {
  it('sends halves to the even neighbour, as Python does', () => {
    expect([0.5, 1.5, 2.5, 3.5, 4.5, 7.5, 2.4999, 2.5001, 0, 7].map(roundHalfEven)).toEqual([0, 2, 2, 4, 4, 8, 2, 3, 0, 7]);
  });
});

describe('countBased', () => {
  it('has the counts of the card: halves to even, at least one, at most the cap', () => {
    const table = [
      [9, undefined, 1],
      [22, undefined, 3],
      [30, undefined, 4],
      [50, undefined, 8],
      [512, 20, 20],
      [512, undefined, 77],
    ] as const;
    for (const [length, most, hidden] of table) {
      expect(countBudget(length, 0.15, most)).toBe(hidden);
      // The length counts the two special tokens.
      expect(count(countBased(most === undefined ? {} : { most }).hide(plain(length - 2), keyOf(1)))).toBe(hidden);
    }
  });

  it('hides exactly min(eligible, budget) tokens', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 9 })), fc.nat(), (tokens, ratio, most, id) => {
        const n = tokens.special.reduce((sum, one) => sum + 1 - one, 0);
        expect(count(countBased({ ratio, most }).hide(tokens, keyOf(id)))).toBe(Math.min(n, most, Math.max(1, roundHalfEven(ratio * tokens.length))));
      }),
    );
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const hidden = Math.min(tokens.length, Math.max(1, roundHalfEven(ratio * tokens.length)));
        expect(count(countBased({ ratio }).hide(tokens, keyOf(id)))).toBe(hidden);
      }),
    );
  });

  it('hides one token at ratio 0, every candidate at ratio 1, nothing where there is none', () => {
    expect(count(countBased({ ratio: 0 }).hide(plain(12), keyOf(1)))).toBe(1);
    expect(count(countBased({ ratio: 1 }).hide(plain(12), keyOf(1)))).toBe(12);
    expect(count(countBased().hide(plain(0), keyOf(1)))).toBe(0);
    expect(count(countBased().hide({ grid: [5], length: 0 }, keyOf(1)))).toBe(0);
  });

  it("hides the highest of the sample's own words", () => {
    for (let id = 0; id < 20; id++) expect(countBased().hide(whole(100), keyOf(id))).toEqual(shuffleIds(words(keyOf(id), 100), 85).mask);
  });

  it('carries its recipe and checks its options', () => {
    expect(countBased({ most: 20 }).recipe).toEqual({ module: 'maskflow/operators', name: 'countBased', options: { ratio: 0.15, most: 20 } });
    expect(() => countBased({ ratio: 2 })).toThrow('countBased.ratio: must lie in [0, 1]; got 2');
    for (const most of [0, 1.5, Number.NaN, '3' as unknown as number]) {
      expect(() => countBased({ most })).toThrow('countBased.most: must be an integer of at least 1');
    }
    expect(() => countBased({ max: 20 } as never)).toThrow('countBased.max: there is no such option');
  });
});
