import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countBudget, wholeWord, wordsOf } from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf, whole } from './grids.js';
import { anyRow, hiddenIn, plain, row, wordsIn } from './text.js';

describe('wordsOf', () => {
  it('finds the runs of the column, cut at special tokens', () => {
    fc.assert(
      fc.property(anyRow, (tokens) => {
        const { count: found, starts, ends, tokens: belonging } = wordsOf(tokens);
        const expected = wordsIn(tokens);
        expect(Array.from({ length: found }, (_, w) => [starts[w], (ends[w] as number) - 1])).toEqual(expected.map((list) => [list[0], list.at(-1)]));
        expect(belonging).toBe(expected.flat().length);
      }),
    );
    const {
      count: found,
      starts,
      ends,
    } = wordsOf({
      grid: [6],
      length: 6,
      special: Uint8Array.of(0, 0, 1, 0, 0, 0),
      columns: { words: Int32Array.of(3, 3, 3, 3, -1, 3) },
    });
    expect([found, [...starts.subarray(0, 3)], [...ends.subarray(0, 3)]]).toEqual([3, [0, 3, 5], [2, 4, 6]]);
  });

  it('takes every token for a word where there is no column, and refuses one of another type', () => {
    expect(wordsOf(whole(7)).count).toBe(7);
    expect(wordsOf({ grid: [3], length: 3, special: Uint8Array.of(1, 0, 1) }).count).toBe(1);
    expect(() => wordsOf({ grid: [3], length: 3, columns: { words: new Float32Array(3) } })).toThrow(
      'words: the column words must be int32 with one number for each of the 3 tokens; got "Float32Array of 3"',
    );
    expect(() => wordsOf({ grid: [3], length: 3, columns: { words: new Int32Array(2) } })).toThrow('got "Int32Array of 2"');
  });
});

describe('wholeWord', () => {
  it('never takes a word that is longer than the budget (card: {3 pieces}, {1}, {1}, n = 2)', () => {
    // Seven tokens with the special ones: round(7 · 0.3) = 2.
    const tokens = row([
      [
        [3, 0],
        [1, 0],
        [1, 0],
      ],
    ]);
    for (let id = 0; id < 50; id++) expect(hiddenIn(wholeWord({ ratio: 0.3 }).hide(tokens, keyOf(id)))).toEqual([4, 5]);
  });

  it('hides nothing where every word is longer than the budget', () => {
    expect(
      count(
        wholeWord().hide(
          row([
            [
              [3, 0],
              [4, 0],
            ],
          ]),
          keyOf(1),
        ),
      ),
    ).toBe(0);
    expect(count(wholeWord().hide(plain(0), keyOf(1)))).toBe(0);
  });

  it('hides words whole, at most the budget, and leaves no room into which a visible word would fit', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 9 })), fc.nat(), (tokens, ratio, most, id) => {
        const mask = wholeWord({ ratio, most }).hide(tokens, keyOf(id));
        const budget = countBudget(tokens.length, ratio, most);
        const room = budget - count(mask);
        expect(room).toBeGreaterThanOrEqual(0);
        for (const word of wordsIn(tokens)) {
          expect(new Set(word.map((i) => mask[i])).size).toBe(1);
          if (mask[word[0] as number] === 0) expect(word.length).toBeGreaterThan(room);
        }
      }),
    );
  });

  it('hides exactly the budget where every token is a word, on every grid', () => {
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.nat(), (tokens, ratio, id) => {
        expect(count(wholeWord({ ratio }).hide(tokens, keyOf(id)))).toBe(Math.min(tokens.length, countBudget(tokens.length, ratio)));
      }),
    );
  });

  it('carries its recipe and checks its options', () => {
    expect(wholeWord().recipe.options).toEqual({ ratio: 0.15, most: Infinity });
    expect(wholeWord().readsIfPresent).toEqual(['words']);
    expect(() => wholeWord({ ratio: 2 })).toThrow('wholeWord.ratio: must lie in [0, 1]; got 2');
    expect(() => wholeWord({ most: 0 })).toThrow('wholeWord.most: must be an integer of at least 1; got 0');
    expect(() => wholeWord({ ration: 0.1 } as never)).toThrow('Did you mean ratio?');
  });
});
