import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spanLengths, spans } from '../../../src/operators/masks/index.js';
import { anyRatio, count, keyOf, whole } from './grids.js';
import { anyRow, hiddenIn, plain, row, wordsIn } from './text.js';

describe('spanLengths', () => {
  it('is the truncated geometric distribution of the card', () => {
    const lengths = spanLengths(0.2, 10);
    [0.2241, 0.1792, 0.1434, 0.1147, 0.0918, 0.0734, 0.0587, 0.047, 0.0376, 0.0301].forEach((p, i) => expect(lengths[i]).toBeCloseTo(p, 4));
    expect(lengths.reduce((mean, p, i) => mean + p * (i + 1), 0)).toBeCloseTo(3.7971, 4);
    expect(lengths.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
  });
});

describe('spans', () => {
  it('hides exactly ⌈0.15 · n⌉ of the n tokens that are not special (card)', () => {
    for (const [n, hidden] of [
      [100, 15],
      [7, 2],
      [1, 1],
      [20, 3],
      [0, 0],
    ] as const) {
      for (let id = 0; id < 20; id++) expect(count(spans().hide(plain(n, 3), keyOf(id)))).toBe(hidden);
    }
  });

  it('is exact for words of any length, several sentences, any ratio', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const n = wordsIn(tokens).flat().length;
        expect(count(spans({ ratio }).hide(tokens, keyOf(id)))).toBe(Math.ceil(n * ratio));
      }),
    );
  });

  it('cuts at most one word, by the budget', () => {
    fc.assert(
      fc.property(anyRow, fc.nat(), (tokens, id) => {
        const mask = spans({ ratio: 0.3 }).hide(tokens, keyOf(id));
        const cut = wordsIn(tokens).filter((word) => new Set(word.map((i) => mask[i])).size > 1);
        expect(cut.length).toBeLessThanOrEqual(1);
        // What is hidden of it is its beginning.
        for (const word of cut) {
          const bits = word.map((i) => mask[i]);
          if (!bits.slice(bits.indexOf(0)).includes(1)) continue;
          // …unless its tail was hidden before a span that began earlier reached it, which only happens to spans of one word.
          expect.unreachable(`a word was hidden from its middle: ${bits.join('')}`);
        }
      }),
    );
  });

  it('ends spans where the sentence ends and where another document begins', () => {
    // One span of ten words would be needed for the budget of a half; every run must stay inside one part.
    const parts = Array.from({ length: 4 }, () => Array.from({ length: 3 }, () => [1, 0] as const));
    const tokens = row(parts);
    // Without separators: the same documents, packed without special tokens.
    const packed = {
      grid: [12],
      length: 12,
      columns: { documents: Int32Array.from({ length: 12 }, (_, i) => Math.floor(i / 3)) },
    };
    let [crossing, apart] = [0, 0];
    for (let id = 0; id < 200; id++) {
      expect(count(spans({ ratio: 0.25, longest: 10, geometric: 0.05 }).hide(tokens, keyOf(id)))).toBe(3);
      const mask = spans({ ratio: 0.25, longest: 10, geometric: 0.05 }).hide(packed, keyOf(id));
      const free = spans({ ratio: 0.25, longest: 10, geometric: 0.05 }).hide({ grid: [12], length: 12 }, keyOf(id));
      for (const i of [2, 5, 8]) {
        apart += (mask[i] as number) & (mask[i + 1] as number);
        crossing += (free[i] as number) & (free[i + 1] as number);
      }
    }
    // Neighbours in two documents are hidden together only by two spans.
    expect(crossing).toBeGreaterThan(2 * apart);
  });

  it('never reach over a special token, where no column tells of documents', () => {
    // Six sentences of one word, two hidden. Spans of many words would be neighbours nearly always; single words are with probability
    // 5 / 15, and in more than half of 300 rows with one below 1e-8.
    const { grid, length, special, columns } = row(Array.from({ length: 6 }, () => [[1, 0] as const]));
    let neighbours = 0;
    for (let id = 0; id < 300; id++) {
      const [a, b] = hiddenIn(spans({ ratio: 1 / 3, geometric: 0.05 }).hide({ grid, length, special, columns: { words: columns.words } }, keyOf(id)));
      if ((b as number) - (a as number) === 2) neighbours++;
    }
    expect(neighbours).toBeLessThan(150);
  });

  it('hides a whole row at ratio 1 without hanging', () => {
    expect(count(spans({ ratio: 1 }).hide(whole(2000), keyOf(1)))).toBe(2000);
    expect(count(spans({ ratio: 0.999, longest: 1 }).hide(whole(2000), keyOf(1)))).toBe(1998);
  });

  it('hides runs: its spans are longer than those of single tokens', () => {
    const runs = (mask: Uint8Array): number => hiddenIn(mask).filter((i) => mask[i - 1] !== 1).length;
    let [long, short] = [0, 0];
    for (let id = 0; id < 100; id++) {
      long += runs(spans().hide(whole(200), keyOf(id)));
      short += runs(spans({ longest: 1 }).hide(whole(200), keyOf(id)));
    }
    expect(short).toBeGreaterThan(2 * long);
  });

  it('carries its recipe and checks its options', () => {
    expect(spans().recipe.options).toEqual({ ratio: 0.15, geometric: 0.2, longest: 10 });
    expect(spans().readsIfPresent).toEqual(['words', 'documents']);
    expect(() => spans({ ratio: 2 })).toThrow('spans.ratio: must lie in [0, 1]; got 2');
    for (const geometric of [0, 1, Number.NaN]) expect(() => spans({ geometric })).toThrow('spans.geometric: must lie in (0, 1)');
    expect(() => spans({ longest: 0 })).toThrow('spans.longest: must be an integer of at least 1; got 0');
    expect(() => spans().hide(whole(4, 4), keyOf(0))).toThrow('grid: spans are for sequences, grids of one axis; got [4,4]. Take block({ ratio }).');
  });
});
