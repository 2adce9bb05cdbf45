// What holds for every mask: special tokens and padding stay visible, a row's mask is the same however far it is padded.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverByBoxes, keepCount, random } from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf } from './grids.js';
import { allMasks, anyRow, hiddenIn, row } from './text.js';

const mayHideSpecial = (name: string): boolean => name === 'tlm';
const eligible = ({ length, special }: { length: number; special?: Uint8Array }): number => {
  let sum = 0;
  for (let i = 0; i < length; i++) if (special?.[i] !== 1) sum++;
  return sum;
};

describe('every mask', () => {
  it('never hides special tokens and padding', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.nat(), (tokens, ratio, id) => {
        for (const [name, rule] of allMasks(ratio)) {
          const mask = rule.hide(tokens, keyOf(id));
          expect(mask.length).toBe(tokens.grid[0]);
          expect(mask.every((byte) => byte === 0 || byte === 1)).toBe(true);
          for (const i of hiddenIn(mask)) {
            expect(i, name).toBeLessThan(tokens.length);
            if (!mayHideSpecial(name)) expect(tokens.special[i], name).toBe(0);
          }
          expect(rule.hidesSpecial === true).toBe(mayHideSpecial(name));
        }
      }),
    );
  });

  it('gives a row the same mask however far its batch is padded, and forgets the row before', () => {
    fc.assert(
      fc.property(anyRow, anyRow, fc.nat(), fc.integer({ min: 1, max: 40 }), (tokens, other, id, more) => {
        const padded = {
          grid: [tokens.special.length + more],
          length: tokens.length,
          special: Uint8Array.from([...tokens.special, ...new Array(more).fill(1)]),
          columns: {
            words: Int32Array.from([...tokens.columns.words, ...new Array(more).fill(-1)]),
            tags: Uint8Array.from([...tokens.columns.tags, ...new Array(more).fill(0)]),
            tokens: Int32Array.from([...tokens.columns.tokens, ...new Array(more).fill(1)]),
            documents: Int32Array.from([...tokens.columns.documents, ...new Array(more).fill(-1)]),
          },
        };
        for (const [name, rule] of allMasks(0.4)) {
          const mask = rule.hide(tokens, keyOf(id));
          rule.hide(other, keyOf(id + 1));
          const again = rule.hide(padded, keyOf(id));
          expect([...again], name).toEqual([...mask, ...new Array<number>(more).fill(0)]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is what it is without the column where no token is special', () => {
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.nat(), ({ grid, length }, ratio, id) => {
        const cells = grid.reduce((product, side) => product * side, 1);
        const columns = { tags: new Uint8Array(cells).fill(2), tokens: new Int32Array(cells).fill(7) };
        for (const [name, rule] of allMasks(ratio)) {
          if (name === 'spans' && grid.length > 1) continue;
          const bare = rule.hide({ grid, length, columns }, keyOf(id));
          expect(rule.hide({ grid, length, columns, special: new Uint8Array(cells) }, keyOf(id)), name).toEqual(bare);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('of an exact ratio counts only tokens that are not special, on every grid', () => {
    const marked = anyTokens.chain((tokens) => {
      const cells = tokens.grid.reduce((product, side) => product * side, 1);
      return fc.uint8Array({ minLength: cells, maxLength: cells, max: 1 }).map((special) => ({ ...tokens, special }));
    });
    fc.assert(
      fc.property(marked, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const n = eligible(tokens);
        for (const [name, rule] of allMasks(ratio).slice(0, 3)) {
          const mask = rule.hide(tokens, keyOf(id));
          expect(count(mask), name).toBe(n - keepCount(n, ratio));
          for (const i of hiddenIn(mask)) expect(tokens.special[i], name).toBe(0);
        }
      }),
    );
  });

  it('ranks the tokens that are left: those of random keep their own noise', () => {
    // Marking a visible token as special does not change which of the others has the higher word.
    const tokens = row([
      [
        [1, 0],
        [1, 0],
        [1, 0],
        [1, 0],
      ],
    ]);
    for (let id = 0; id < 30; id++) {
      const all = random({ ratio: 0.5 }).hide({ grid: [6], length: 6 }, keyOf(id));
      const left = random({ ratio: 0.25 }).hide(tokens, keyOf(id));
      const [chosen] = hiddenIn(left) as [number];
      // The one hidden of the inner four is the highest of them, so where any inner one is hidden among all six, it is too.
      if (hiddenIn(all).some((i) => i > 0 && i < 5)) expect(all[chosen]).toBe(1);
    }
  });

  it('covers tokens that are not special where it covers by boxes', () => {
    const marked = anyTokens.chain((tokens) => {
      const cells = tokens.grid.reduce((product, side) => product * side, 1);
      return fc.uint8Array({ minLength: cells, maxLength: cells, max: 1 }).map((special) => ({ ...tokens, special }));
    });
    fc.assert(
      fc.property(marked, fc.double({ min: 0, max: 0.9, noNaN: true }), fc.nat(), (tokens, share, id) => {
        const target = Math.floor(share * eligible(tokens));
        const score = coverByBoxes(tokens, keyOf(id), target);
        const covered = [...score.keys()].filter((i) => i < tokens.length && (score[i] as number) > 0 && tokens.special[i] === 0).length;
        expect(covered).toBeGreaterThanOrEqual(target);
      }),
    );
  });

  it('refuses a column special that is too short, and names NaN by its token', () => {
    for (const [, rule] of allMasks(0.5).slice(3, 5)) {
      expect(() => rule.hide({ grid: [4], length: 4, special: new Uint8Array(3) }, keyOf(0))).toThrow(
        'special: must have one byte for each of the 4 tokens; got 3',
      );
      expect(() => rule.hide({ grid: [4], length: 5 }, keyOf(0))).toThrow('length: must be an integer in [0, 4] on a grid of [4]; got 5');
      expect(() => rule.hide({ grid: [], length: 0 }, keyOf(0))).toThrow('grid: must have at least one axis');
    }
  });
});
