import { describe, expect, it } from 'vitest';
import { withColumns } from '../../src/core/batch.js';
import { mapBounded } from '../../src/operators/flow/mapBounded.js';
import { maskedAccuracy } from '../../src/sinks/maskedAccuracy.js';
import { oneByOne, pseudoPerplexity } from '../../src/sinks/pseudoPerplexity.js';
import { textPositions, unigramOf } from '../../src/sinks/unigram.js';
import { ints } from '../models/ints.js';
import { batchOf } from '../models/harness.js';
import { encoder, textRun, tokenBatches } from './textRun.js';

/** In each row the second word follows from the first. */
const rows = [
  [1, 2, 3],
  [1, 4, 5],
  [1, 6, 7],
  [1, 2, 3],
];

/** The last token of each row is asked. */
const asking = (of: readonly (readonly number[])[]) =>
  tokenBatches(of).pipe(
    mapBounded((batch) => {
      const { data, shape } = batch.columns.tokens;
      const inputs = data.map((id, i) => (i % 3 === 2 ? 0 : id));
      const labels = data.map((id, i) => (i % 3 === 2 ? id : -100));
      return withColumns(batch, { inputs: { data: inputs, shape }, labels: { data: labels, shape } });
    }),
  );

describe('at the end of a run', () => {
  it('maskedAccuracy reports trained beside untrained and the most frequent id', async () => {
    const { result } = await textRun(rows, [maskedAccuracy({ model: encoder, train: tokenBatches(rows), test: asking(rows) })], { steps: 80 });
    // Ids 2 and 3 come twice; the lower one is named, which is never asked.
    expect(result).toMatchObject({ maskedAccuracy: 1, unigram: { maskedAccuracy: 0 } });
    expect((result.untrained as { maskedAccuracy: number }).maskedAccuracy).toBeLessThan(1);
    const often = [...rows, [1, 3, 3]];
    const other = await textRun(rows, [maskedAccuracy({ model: encoder, train: tokenBatches(often), test: asking(rows), name: 'found' })], { steps: 1 });
    expect(other.result).toMatchObject({ unigram: { found: 0.5 } });
  });

  it('pseudoPerplexity is e to the mean surprisal, near V untrained and lower trained', async () => {
    const { result } = await textRun(rows, [pseudoPerplexity({ model: encoder, maskId: 0, train: tokenBatches(rows), test: tokenBatches(rows), rows: 3 })], {
      steps: 60,
    });
    const {
      pseudoPerplexity: trained,
      untrained,
      unigram,
    } = result as unknown as {
      pseudoPerplexity: number;
      untrained: { pseudoPerplexity: number };
      unigram: { pseudoPerplexity: number };
    };
    // Counts 2, 2, 1, 1, 1, 1 of ids 2 … 7, one added to each of 8: p = 3/16 for the words of the double row, 2/16 for the others.
    const expected = Math.exp((4 * Math.log(16 / 3) + 4 * Math.log(16 / 2)) / 8);
    expect(unigram.pseudoPerplexity).toBeCloseTo(expected, 6);
    expect(untrained.pseudoPerplexity).toBeGreaterThan(5);
    expect(untrained.pseudoPerplexity).toBeLessThan(13);
    expect(trained).toBeLessThan(1.6);
  });

  it('rows that pad a batch are not asked', async () => {
    const three = rows.slice(0, 3);
    const padded = tokenBatches(three, 4, { last: 'pad' });
    const test = { model: encoder, maskId: 0, train: padded };
    const { result } = await textRun(rows, [
      pseudoPerplexity({ ...test, test: padded, name: 'padded' }),
      pseudoPerplexity({ ...test, test: tokenBatches(three, 3), name: 'plain' }),
    ]);
    expect(result.padded).toBeCloseTo(result.plain as number, 4);
    expect((result.unigram as Record<string, number>).padded).toBe((result.unigram as Record<string, number>).plain);
  });

  it('test data that asks nothing is an error', async () => {
    const silent = tokenBatches(rows).pipe(mapBounded((batch) => withColumns(batch, { labels: { data: new Int32Array(12).fill(-100), shape: [4, 3] } })));
    await expect(textRun(rows, [maskedAccuracy({ model: encoder, train: tokenBatches(rows), test: silent })], { steps: 1 })).rejects.toThrow(
      'must ask for at least one token',
    );
  });
});

describe('oneByOne', () => {
  it('masks each token of text once, in rows that keep their columns', () => {
    const batch = batchOf({
      tokens: ints([
        [1, 5, 6],
        [1, 7, 9],
      ]),
      special: { data: Uint8Array.of(1, 0, 0, 1, 0, 1), shape: [2, 3] },
      segments: ints([
        [0, 0, 1],
        [0, 1, 1],
      ]),
      length: { data: Int32Array.of(3, 2), shape: [2] },
    });
    const made = oneByOne(batch, 0, 2);
    expect(made.map(({ columns }) => columns)).toEqual([
      {
        tokens: ints([
          [1, 5, 6],
          [1, 5, 6],
        ]),
        inputs: ints([
          [1, 0, 6],
          [1, 5, 0],
        ]),
        labels: ints([
          [-100, 5, -100],
          [-100, -100, 6],
        ]),
        special: { data: Uint8Array.of(1, 0, 0, 1, 0, 0), shape: [2, 3] },
        segments: ints([
          [0, 0, 1],
          [0, 0, 1],
        ]),
        length: { data: Int32Array.of(3, 3), shape: [2] },
      },
      {
        // The last batch is filled with rows that ask nothing.
        tokens: ints([
          [1, 7, 9],
          [1, 5, 6],
        ]),
        inputs: ints([
          [1, 0, 9],
          [1, 5, 6],
        ]),
        labels: ints([
          [-100, 7, -100],
          [-100, -100, -100],
        ]),
        special: { data: Uint8Array.of(1, 0, 1, 1, 0, 0), shape: [2, 3] },
        segments: ints([
          [0, 1, 1],
          [0, 0, 1],
        ]),
        length: { data: Int32Array.of(2, 3), shape: [2] },
      },
    ]);
    expect(made[1]?.origins.map(({ id }) => id)).toEqual([1, 0]);
  });
});

describe('text positions and unigrams', () => {
  it('are what is not special, else what is within the length, in rows of a weight', () => {
    const tokens = ints([
      [1, 2],
      [3, 4],
    ]);
    expect(textPositions(batchOf({ tokens }))).toEqual([0, 1, 2, 3]);
    expect(textPositions(batchOf({ tokens, length: { data: Int32Array.of(1, 2), shape: [2] } }))).toEqual([0, 2, 3]);
    expect(textPositions(batchOf({ tokens, special: { data: Uint8Array.of(1, 0, 0, 1), shape: [2, 2] } }))).toEqual([1, 2]);
    expect(textPositions(batchOf({ tokens, weight: { data: Float32Array.of(1, 0), shape: [2] } }))).toEqual([0, 1]);
    expect(() => textPositions({ ...batchOf({ tokens }), columns: {} })).toThrow('tokens: the batch must have a column of ids [rows, L]');
  });

  it('a unigram adds one to every id, and names the lowest of the most frequent', () => {
    const { best, surprisal } = unigramOf(Float64Array.of(0, 3, 3, 2));
    expect(best).toBe(1);
    expect([0, 1, 2, 3].reduce((sum, id) => sum + Math.exp(-surprisal(id)), 0)).toBeCloseTo(1, 12);
    expect(surprisal(0)).toBeCloseTo(Math.log(12), 12);
  });
});

describe('options', () => {
  it('say what does not fit', () => {
    const streams = { model: encoder, train: tokenBatches(rows), test: asking(rows) };
    expect(() => maskedAccuracy({ ...streams, model: {} as typeof encoder })).toThrow('maskedAccuracy.model: must be a text model');
    expect(() => maskedAccuracy({ ...streams, test: 3 as never })).toThrow('maskedAccuracy.train, test: must be streams of batches');
    expect(() => pseudoPerplexity({ ...streams, maskId: 8 })).toThrow('pseudoPerplexity.maskId: must be below the vocabulary of 8 ids; got 8');
    expect(() => pseudoPerplexity({ ...streams, maskId: 0, rows: 0 })).toThrow('pseudoPerplexity.rows: must be an integer of at least 1');
    expect(() => maskedAccuracy({ ...streams, tset: 1 } as never)).toThrow('Did you mean test?');
  });
});
