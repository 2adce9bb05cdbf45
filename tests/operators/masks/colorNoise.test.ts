import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import {
  type ColorBank,
  bankShape,
  colorBank,
  colorCrop,
  colorNoise,
  colorPattern,
  colorScore,
  colors,
  keepCount,
  normalizePattern,
  shuffleIds,
  windowScore,
} from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf, whole } from './grids.js';

/** A bank whose cells are their own indices: windows can be read off. */
const counting = (shape: readonly number[], patterns: number): ColorBank => {
  const cells = shape.reduce((product, side) => product * side, 1);
  return { shape, patterns, data: Float32Array.from({ length: cells * patterns }, (_, i) => i) };
};
const noise = (bank: ColorBank, sides: readonly number[], pattern: number, offsets: number[], flips: number): number[] => [
  ...windowScore(bank, sides, { pattern, offsets, flips }).map((value) => -value),
];

describe('bankShape', () => {
  it('takes the side in 2-D, as many cells in 1-D and 3-D, and doubles until the window fits', () => {
    expect(bankShape([14, 14], 64)).toEqual([64, 64]);
    expect(bankShape([14, 8], 64)).toEqual([64, 64]);
    expect(bankShape([200], 64)).toEqual([4096]);
    expect(bankShape([4, 14, 14], 64)).toEqual([16, 16, 16]);
    expect(bankShape([64, 64], 64)).toEqual([64, 64]);
    expect(bankShape([65, 14], 64)).toEqual([128, 64]);
    expect(bankShape([4, 20, 70], 64)).toEqual([16, 32, 128]);
    expect(bankShape([5], 1)).toEqual([8]);
  });
});

describe('colorBank', () => {
  it('holds normalised patterns of white noise that all colours share, each a function of seed and number alone', () => {
    const bank = colorBank([16, 16], { color: 'green', patterns: 4 });
    for (let i = 0; i < 4; i++) {
      const white = normals(fold(fold(rootKey(0), 'colorBank'), i), 256);
      expect(bank.data.subarray(i * 256, (i + 1) * 256)).toEqual(Float32Array.from(normalizePattern(colorPattern('green', white, [16, 16]))));
    }
    expect(colorBank([16, 16], { color: 'green', patterns: 2 }).data).toEqual(bank.data.subarray(0, 512));
    expect(colorBank([16, 16], { color: 'green', patterns: 2, bankSeed: 1 }).data).not.toEqual(bank.data.subarray(0, 512));
  });

  it('refuses a bank that would fill the memory', () => {
    expect(() => colorBank([2048, 2048], {})).toThrow(
      'colorNoise.patterns: a bank of 256 patterns of [2048, 2048] would take more than 1 GiB; got 256. Take at most 64 patterns, or a smaller grid.',
    );
  });
});

describe('windowScore', () => {
  it('cuts, flips and negates', () => {
    const bank = counting([3, 4], 2);
    expect(noise(bank, [2, 3], 0, [0, 0], 0)).toEqual([0, 1, 2, 4, 5, 6]);
    expect(noise(bank, [2, 3], 1, [1, 1], 0)).toEqual([17, 18, 19, 21, 22, 23]);
    expect(noise(bank, [2, 3], 0, [0, 0], 0b01)).toEqual([4, 5, 6, 0, 1, 2]);
    expect(noise(bank, [2, 3], 0, [0, 0], 0b10)).toEqual([2, 1, 0, 6, 5, 4]);
    expect(noise(bank, [2, 3], 0, [0, 1], 0b11)).toEqual([7, 6, 5, 3, 2, 1]);
    expect(noise(counting([6], 1), [4], 0, [2], 1)).toEqual([5, 4, 3, 2]);
    expect(noise(counting([2, 3, 4], 1), [2, 2, 2], 0, [0, 1, 2], 0b001)).toEqual([18, 19, 22, 23, 6, 7, 10, 11]);
    expect(noise(counting([2, 3, 4], 1), [2, 2, 2], 0, [0, 1, 2], 0b110)).toEqual([11, 10, 7, 6, 23, 22, 19, 18]);
  });
});

describe('colorCrop', () => {
  it('stays inside the pattern and reaches every pattern, corner and flip', () => {
    const bank = { shape: [8, 6], patterns: 5 };
    const seen = { pattern: new Set<number>(), y: new Set<number>(), x: new Set<number>(), flips: new Set<number>() };
    // Each of the rarest (5 patterns, 4 flips, 3 and 4 offsets) is missed by 300 draws with probability below 5 · 0.8^300 = 1e-28.
    for (let id = 0; id < 300; id++) {
      const { pattern, offsets, flips } = colorCrop(bank, [5, 4], keyOf(id));
      seen.pattern.add(pattern);
      seen.y.add(offsets[0] as number);
      seen.x.add(offsets[1] as number);
      seen.flips.add(flips & 3);
    }
    expect([...seen.pattern].sort()).toEqual([0, 1, 2, 3, 4]);
    expect([...seen.y].sort()).toEqual([0, 1, 2, 3]);
    expect([...seen.x].sort()).toEqual([0, 1, 2]);
    expect([...seen.flips].sort()).toEqual([0, 1, 2, 3]);
  });

  it('has one place where the window is the pattern (M = g)', () => {
    for (let id = 0; id < 20; id++) expect([...(colorCrop({ shape: [8, 8], patterns: 3 }, [8, 8], keyOf(id)).offsets as Int32Array)]).toEqual([0, 0]);
  });
});

describe('colorNoise', () => {
  const small = { patterns: 8, side: 16 } as const;

  it('keeps the largest noise of the window visible', () => {
    const bank = colorBank([16, 16], { color: 'green', patterns: 8 });
    const rule = colorNoise({ ...small, ratio: 0.75 });
    const opposite: Uint8Array[] = [];
    for (let id = 0; id < 20; id++) {
      const score = windowScore(bank, [8, 8], colorCrop(bank, [8, 8], keyOf(id)));
      const mask = rule.hide(whole(8, 8), keyOf(id));
      expect(mask).toEqual(shuffleIds(score, 16).mask);
      const [visible, hidden] = [0, 1].map((state) => score.filter((_, i) => mask[i] === state)) as [Float32Array, Float32Array];
      expect(Math.max(...visible)).toBeLessThanOrEqual(Math.min(...hidden));
      opposite.push(
        shuffleIds(
          score.map((value) => -value),
          16,
        ).mask,
      );
      expect(mask).not.toEqual(opposite.at(-1));
    }
  });

  it('hides an exact count of the tokens that exist, on grids of any rank and larger than the bank', () => {
    for (const color of colors) {
      const rules = new Map<number, ReturnType<typeof colorNoise>>();
      fc.assert(
        fc.property(anyTokens, anyRatio, fc.nat(), (tokens, ratio, id) => {
          const rule = rules.get(ratio) ?? colorNoise({ color, ratio, patterns: 2, side: 6 });
          rules.set(ratio, rule);
          const mask = rule.hide(tokens, keyOf(id));
          expect(count(mask)).toBe(tokens.length - keepCount(tokens.length, ratio));
          expect(count(mask.subarray(tokens.length))).toBe(0);
        }),
        { numRuns: 40 },
      );
    }
  });

  it('works at the edges: one token, nothing kept, everything kept, an empty sample', () => {
    expect([...colorNoise({ ...small, ratio: 0.75 }).hide(whole(1, 1), keyOf(0))]).toEqual([1]);
    expect([...colorNoise({ ...small, ratio: 0 }).hide(whole(1, 1), keyOf(0))]).toEqual([0]);
    expect(count(colorNoise({ ...small, ratio: 0.9 }).hide(whole(10), keyOf(0)))).toBe(10);
    expect(count(colorNoise({ ...small, ratio: 1 }).hide(whole(16, 16), keyOf(0)))).toBe(256);
    expect(count(colorNoise({ ...small, ratio: 0 }).hide(whole(16, 16), keyOf(0)))).toBe(0);
    expect(count(colorNoise(small).hide({ grid: [5], length: 0 }, keyOf(0)))).toBe(0);
    expect(count(colorNoise(small).hide(whole(6, 10), keyOf(0)))).toBe(45);
  });

  it('does not depend on what was masked before, on the instance, or on how far a sequence is padded', () => {
    const rule = colorNoise(small);
    const first = rule.hide(whole(8, 8), keyOf(1));
    rule.hide(whole(40, 3), keyOf(2));
    rule.hide(whole(30), keyOf(2));
    expect(rule.hide(whole(8, 8), keyOf(1))).toEqual(first);
    expect(colorNoise(small).hide(whole(8, 8), keyOf(1))).toEqual(first);
    expect(rule.hide(whole(8, 8), keyOf(1, 1))).not.toEqual(first);
    expect(colorNoise({ ...small, bankSeed: 1 }).hide(whole(8, 8), keyOf(1))).not.toEqual(first);
    expect(rule.hide({ grid: [900], length: 50 }, keyOf(4)).subarray(0, 50)).toEqual(rule.hide(whole(50), keyOf(4)));
  });

  it('carries its recipe and checks its options', () => {
    const all = { color: 'green', patterns: 256, side: 64, sigma: 1, sigma1: 0.75, sigma2: 2.5, bankSeed: 0 };
    expect(colorNoise().recipe).toEqual({ module: 'maskflow/operators', name: 'colorNoise', options: { ratio: 0.75, ...all } });
    expect(colorScore().recipe).toEqual({ module: 'maskflow/operators', name: 'colorScore', options: all });
    expect(() => colorNoise({ color: 'grene' as never })).toThrow('colorNoise.color: must be one of white, red, blue, green, purple; got "grene"');
    expect(() => colorNoise({ colour: 'green' } as never)).toThrow('colorNoise.colour: there is no such option. Did you mean color?');
    expect(() => colorNoise({ ratio: -1 })).toThrow('colorNoise.ratio: must lie in [0, 1]; got -1');
    expect(() => colorNoise({ sigma: 0 })).toThrow('colorNoise.sigma: must be a positive number of cells; got 0');
    expect(() => colorNoise({ sigma1: 3 })).toThrow('colorNoise.sigma1: must be less than sigma2 = 2.5: the band lies between them; got 3');
    expect(() => colorNoise({ patterns: 0 })).toThrow('colorNoise.patterns: must be an integer of at least 1; got 0');
    expect(() => colorNoise({ side: 1.5 })).toThrow('colorNoise.side: must be an integer of at least 1; got 1.5');
    expect(() => colorNoise({ bankSeed: -1 })).toThrow('colorNoise.bankSeed: must be an integer of at least 0; got -1');
  });
});
