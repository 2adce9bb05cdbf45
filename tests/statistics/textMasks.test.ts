// Statistics of text masks and of their corruption under fixed seeds. A stated false-alarm rate is the probability that a right
// implementation fails under another seed; under these seeds the tests are deterministic.
import { describe, expect, it } from 'vitest';
import { lastValueFrom, of } from 'rxjs';
import type { Batch } from '../../src/core/batch.js';
import { Gate, within } from '../../src/core/demand/index.js';
import { fold, rootKey, sampleKey } from '../../src/core/key.js';
import { corrupt } from '../../src/operators/index.js';
import {
  type Mask,
  type Tokens,
  bernoulli,
  countBased,
  linguisticEntity,
  spanLengths,
  spans,
  tagBits,
  tlm,
  wholeWord,
} from '../../src/operators/masks/index.js';
import type { Bytes, Integers } from '../../src/operators/stages.js';
import { hiddenIn, plain, row } from '../operators/masks/text.js';

const stageKey = fold(rootKey(2025), 'mask');
const maskOf = (rule: Mask, tokens: Tokens, id: number): Uint8Array => rule.hide(tokens, sampleKey(stageKey, { source: 0, id, epoch: 0 }));

/** Quantile 1 − 1e-6 of χ² with `df` degrees of freedom (Wilson–Hilferty, z = 4.753). */
const chiSquareLimit = (df: number): number => df * (1 - 2 / (9 * df) + 4.753 * Math.sqrt(2 / (9 * df))) ** 3;
const chiSquare = (seen: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(seen).reduce((sum, n, i) => sum + (n - (expected[i] as number)) ** 2 / (expected[i] as number), 0);
/** |seen / n − p| in standard deviations of a share. */
const deviation = (seen: number, n: number, p: number): number => Math.abs(seen / n - p) / Math.sqrt((p * (1 - p)) / n);

/** How often each token is hidden in n masks. */
function hiddenCounts(rule: Mask, tokens: Tokens, n: number): Float64Array {
  const counts = new Float64Array(tokens.grid[0] as number);
  for (let id = 0; id < n; id++) for (const i of hiddenIn(maskOf(rule, tokens, id))) counts[i] = (counts[i] as number) + 1;
  return counts;
}
/** How often each set of hidden tokens comes, by its name. */
function sets(rule: Mask, tokens: Tokens, n: number): Map<string, number> {
  const seen = new Map<string, number>();
  for (let id = 0; id < n; id++) {
    const name = hiddenIn(maskOf(rule, tokens, id)).join();
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  return seen;
}
const uniform = (seen: Map<string, number>, size: number, n: number): void => {
  expect(seen.size).toBe(size);
  expect(chiSquare([...seen.values()], new Float64Array(size).fill(n / size))).toBeLessThan(chiSquareLimit(size - 1));
};

describe('selection', () => {
  it('bernoulli hides each token with its ratio, independently', () => {
    // 5σ: false-alarm rate 6e-7 for the share, and for that of neighbours that are both hidden.
    const [n, length] = [4000, 100];
    let [hidden, both] = [0, 0];
    for (let id = 0; id < n; id++) {
      const mask = maskOf(bernoulli({ ratio: 0.15 }), { grid: [length], length }, id);
      for (let i = 0; i < length; i++) {
        hidden += mask[i] as number;
        if (i % 2 === 0) both += (mask[i] as number) & (mask[i + 1] as number);
      }
    }
    expect(deviation(hidden, n * length, 0.15)).toBeLessThan(5);
    expect(deviation(both, (n * length) / 2, 0.0225)).toBeLessThan(5);
  });

  it('countBased, wholeWord and spans of one word take every set of two of six words equally often', () => {
    // 15 sets, 6000 masks; false-alarm rate 1e-6 each. Eight tokens with the special ones: round(8 · 0.25) = 2, ⌈6 · 0.25⌉ = 2.
    const tokens = plain(6);
    for (const rule of [countBased({ ratio: 0.25 }), wholeWord({ ratio: 0.25 }), spans({ ratio: 0.25, longest: 1 })])
      uniform(sets(rule, tokens, 6000), 15, 6000);
    // Without tags linguisticEntity fills its budget uniformly.
    uniform(sets(linguisticEntity({ ratio: 0.25 }), tokens, 6000), 15, 6000);
  });

  it('spans have the lengths of the truncated geometric distribution', () => {
    // In a row of 40,000 words spans that fill a budget of 10 touch with probability below 10 · 20 / 40,000; the number of runs is then
    // that of lengths whose sum reaches 10. False-alarm rate 1e-6, the touching adds less than one to χ².
    const [n, length, budget] = [2000, 40_000, 10];
    const probabilities = spanLengths(0.2, 10);
    // reach[s]: probability that the sum of the lengths so far is s; expected[k]: that the budget is reached by k lengths.
    const expected = new Float64Array(11);
    let reach = new Float64Array(budget).fill(0);
    reach[0] = 1;
    for (let k = 1; k <= 10; k++) {
      const next = new Float64Array(budget);
      reach.forEach((p, s) =>
        probabilities.forEach((q, i) => {
          if (s + i + 1 >= budget) expected[k] = (expected[k] as number) + p * q;
          else next[s + i + 1] = (next[s + i + 1] as number) + p * q;
        }),
      );
      reach = next;
    }
    const seen = new Float64Array(11);
    const rule = spans({ ratio: budget / length });
    for (let id = 0; id < n; id++) {
      const mask = maskOf(rule, { grid: [length], length }, id);
      const hidden: number[] = [];
      for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) hidden.push(i);
      expect(hidden.length).toBe(budget);
      const runs = hidden.filter((i) => mask[i - 1] !== 1).length;
      seen[runs] = (seen[runs] as number) + 1;
    }
    // Counts of six and more together, so that none is expected less than five times.
    const gathered = (counts: Float64Array): number[] => [...counts.slice(1, 6), counts.slice(6).reduce((sum, one) => sum + one, 0)];
    expect(chiSquare(gathered(seen), gathered(expected.map((p) => p * n)))).toBeLessThan(chiSquareLimit(5));
  });

  it('spans hide long words more often than by tokens, and a word from its start', () => {
    // Ten tokens: five words of one, one of five. Budget ⌈10 · 0.1⌉ = 1, so the first token of the anchor's word: half of the anchors
    // lie in the long word. 5σ.
    const tokens = row([[...Array.from({ length: 5 }, () => [1, 0] as const), [5, 0]]]);
    const counts = hiddenCounts(spans({ ratio: 0.1 }), tokens, 8000);
    expect(deviation(counts[6] as number, 8000, 0.5)).toBeLessThan(5);
    for (const i of [1, 2, 3, 4, 5]) expect(deviation(counts[i] as number, 8000, 0.1)).toBeLessThan(5);
    expect([...counts.subarray(7)]).toEqual([0, 0, 0, 0, 0]);
  });

  it('spans draw anchors among visible tokens uniformly, however few there are', () => {
    // All but one of 400 tokens: the visible one is uniform over the row. Reached through the direct draw, as redraws almost always
    // fail at the end. 400 sets, 8000 masks; false-alarm rate 1e-6.
    const seen = new Float64Array(400);
    for (let id = 0; id < 8000; id++) {
      const left = maskOf(spans({ ratio: 399 / 400, longest: 1 }), { grid: [400], length: 400 }, id).indexOf(0);
      seen[left] = (seen[left] as number) + 1;
    }
    expect(chiSquare(seen, new Float64Array(400).fill(20))).toBeLessThan(chiSquareLimit(399));
  });
});

describe('linguisticEntity', () => {
  const { entity, verb } = tagBits;

  it('chooses in "Jack walks towards the road" as the card says', () => {
    // 200,000 draws, ±0.003: 2.7 and 3.1 standard deviations, false-alarm rate 1.1 % in all.
    const n = 200_000;
    const jack = row([
      [
        [1, entity],
        [2, verb],
        [2, 0],
        [1, 0],
        [1, 0],
      ],
    ]);
    const counts = hiddenCounts(linguisticEntity({ nouns: 0 }), jack, n);
    expect(Math.abs((counts[1] as number) / n - 0.5)).toBeLessThan(0.003);
    expect(Math.abs((counts[2] as number) / n - 0.25)).toBeLessThan(0.003);
    expect(Math.abs((counts[3] as number) / n - 0.25)).toBeLessThan(0.003);
    expect((counts[1] as number) + (counts[2] as number) + (counts[3] as number)).toBe(n);
  });

  it('stays one below its budget in a tenth of the rows of the card, and never with strict fill', () => {
    // 20 words, one of them an entity, budget 3: |S| = 2 with probability 2 / 20. 5σ: false-alarm rate 6e-7.
    const n = 20_000;
    const tokens = row([Array.from({ length: 20 }, (_, i) => [1, i === 7 ? entity : 0] as const)]);
    let short = 0;
    for (let id = 0; id < n; id++) {
      const hidden = hiddenIn(maskOf(linguisticEntity(), tokens, id));
      expect(hidden).toContain(8);
      expect([2, 3]).toContain(hidden.length);
      if (hidden.length === 2) short++;
      if (id < 2000) expect(hiddenIn(maskOf(linguisticEntity({ fill: 'strict' }), tokens, id)).length).toBe(3);
    }
    expect(deviation(short, n, 0.1)).toBeLessThan(5);
  });

  it('without shares is uniform over words and then inside the word', () => {
    // Words of 1, 2 and 4 tokens, budget round(9 · 0.15) = 1. 5σ for each of seven tokens.
    const n = 20_000;
    const tokens = row([
      [
        [1, 0],
        [2, 0],
        [4, 0],
      ],
    ]);
    const counts = hiddenCounts(linguisticEntity({ entities: 0, verbs: 0, nouns: 0 }), tokens, n);
    [1 / 3, 1 / 6, 1 / 6, 1 / 12, 1 / 12, 1 / 12, 1 / 12].forEach((p, i) => expect(deviation(counts[i + 1] as number, n, p)).toBeLessThan(5));
  });
});

describe('tlm', () => {
  it('with counts draws in proportion to count^−alpha', () => {
    // One of four tokens: weights 1, 1/2, 1/4, 1/10 at alpha 0.5. χ² with 3 degrees, false-alarm rate 1e-6.
    const counts = [0, 1, 4, 16, 100];
    const tokens = { grid: [6], length: 5, columns: { tokens: Int32Array.of(0, 1, 2, 3, 4, 0) } };
    const n = 20_000;
    const weights = [1, 1 / 2, 1 / 4, 1 / 10];
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const seen = hiddenCounts(tlm({ ratio: 0.2, counts }), tokens, n);
    expect(
      chiSquare(
        seen.subarray(1, 5),
        weights.map((weight) => (n * weight) / sum),
      ),
    ).toBeLessThan(chiSquareLimit(3));
    // Two of them: the second is drawn among the other three. P(neither is token 1) by hand.
    let without = 0;
    for (let id = 0; id < n; id++) if (maskOf(tlm({ ratio: 0.4, counts }), tokens, id)[1] === 0) without++;
    const expected = weights.slice(1).reduce((total, weight) => total + (weight / sum) * (1 - 1 / (sum - weight)), 0);
    expect(deviation(without, n, expected)).toBeLessThan(5);
  });
});

describe('corruption', () => {
  const vocabulary = 100;
  /** `rows` rows of 1,000 tokens of id 7, hidden where `bit` says so, corrupted. */
  async function corrupted(rows: number, bit: (i: number) => number, options: Partial<Parameters<typeof corrupt>[0]> = {}): Promise<Int32Array> {
    const given: Batch<{ tokens: Integers; mask: Bytes }> = {
      rows,
      columns: {
        tokens: { data: new Int32Array(rows * 1000).fill(7), shape: [rows, 1000] },
        mask: { data: Uint8Array.from({ length: rows * 1000 }, (_, i) => bit(i % 1000)), shape: [rows, 1000] },
      },
      origins: Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id })),
      program: undefined,
    };
    const made = await within({ gate: new Gate({ seed: 1 }) }, () => lastValueFrom(of(given).pipe(corrupt({ maskId: 3, vocabulary, ...options }))));
    return made.columns.inputs.data;
  }
  const tally = (ids: Iterable<number>): Float64Array => {
    const counts = new Float64Array(vocabulary);
    for (const id of ids) counts[id] = (counts[id] as number) + 1;
    return counts;
  };

  it('is 80/10/10 over a million hidden tokens, random ids uniform over the whole vocabulary', async () => {
    // 5σ for each share (0.002 for the mask id): false-alarm rate 6e-7 each. A random id is the mask's with probability 1/V and the
    // token's own with 1/V.
    const n = 1_000_000;
    const counts = tally(await corrupted(1000, () => 1));
    expect(deviation(counts[3] as number, n, 0.8 + 0.1 / vocabulary)).toBeLessThan(5);
    expect(deviation(counts[7] as number, n, 0.1 + 0.1 / vocabulary)).toBeLessThan(5);
    const others = [...counts].filter((_, id) => id !== 3 && id !== 7);
    const random = others.reduce((sum, count) => sum + count, 0);
    expect(deviation(random, n, (0.1 * 98) / 100)).toBeLessThan(5);
    // False-alarm rate 1e-6.
    expect(chiSquare(others, new Float64Array(98).fill(random / 98))).toBeLessThan(chiSquareLimit(97));
  });

  it('has one outcome a span where asked: the shares are those of spans, random ids are drawn for each token', async () => {
    // 300 rows of 200 spans of three tokens (every fourth and fifth is visible): 60,000 spans, 5σ.
    const ids = await corrupted(300, (i) => (i % 5 < 3 ? 1 : 0), { unit: 'span' });
    let [masks, kept, random, equal] = [0, 0, 0, 0];
    for (let i = 0; i < ids.length; i += 5) {
      const [a, b, c] = [ids[i], ids[i + 1], ids[i + 2]];
      expect([ids[i + 3], ids[i + 4]]).toEqual([7, 7]);
      if (a === 3 && b === 3 && c === 3) masks++;
      else if (a === 7 && b === 7 && c === 7) kept++;
      else {
        random++;
        if (a === b) equal++;
      }
    }
    expect(deviation(masks, 60_000, 0.8)).toBeLessThan(5);
    expect(deviation(kept, 60_000, 0.1)).toBeLessThan(5);
    expect(deviation(random, 60_000, 0.1)).toBeLessThan(5);
    expect(deviation(equal, random, 1 / vocabulary)).toBeLessThan(5);
  });

  it('draws random ids by corpus frequency where counts are given', async () => {
    // χ² over ids with a count, false-alarm rate 1e-6.
    const weights = Array.from({ length: vocabulary }, (_, id) => (id < 10 ? 0 : 1 / (id - 9)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const counts = tally(await corrupted(100, () => 1, { mask: 0, random: 1, counts: weights }));
    expect(counts.subarray(0, 10).every((count) => count === 0)).toBe(true);
    expect(
      chiSquare(
        counts.subarray(10),
        weights.slice(10).map((weight) => (100_000 * weight) / sum),
      ),
    ).toBeLessThan(chiSquareLimit(89));
  });

  it('does not depend on what was selected: outcomes are independent of the mask of another stage', async () => {
    // The same rows with half the tokens hidden have the same shares. 5σ over 250,000 tokens.
    const ids = await corrupted(500, (i) => i % 2);
    const hidden = ids.filter((_, i) => i % 2 === 1);
    expect(deviation(tally(hidden)[3] as number, 250_000, 0.8 + 0.1 / vocabulary)).toBeLessThan(5);
    expect(ids.filter((_, i) => i % 2 === 0).every((id) => id === 7)).toBe(true);
  });
});
