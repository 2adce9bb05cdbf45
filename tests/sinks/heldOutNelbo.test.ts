import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import { fold, rootKey, sampleKey } from '../../src/core/key.js';
import type { Run } from '../../src/core/run.js';
import { recipe } from '../../src/core/recipe.js';
import type { StepSink } from '../../src/operators/stages.js';
import type { LanguageModel } from '../../src/sinks/heldOut.js';
import { type HeldOutNelboOptions, evenTimes, heldOutNelbo, hiddenText } from '../../src/sinks/heldOutNelbo.js';
import { batchOf } from '../models/harness.js';
import { ints } from '../models/ints.js';
import { fakeRun, folder, steps, through } from './steps.js';
import { encoder, textRun, tokenBatches } from './textRun.js';

const path = folder();

/** A model without weights: logits [rows, L, vocabulary] from the ids that it sees. */
function given(vocabulary: number, logits: (inputs: tf.Tensor) => tf.Tensor): LanguageModel {
  return {
    recipe: recipe('tests', 'given', {}),
    weights: 'student',
    vocabulary,
    inputs: () => ['inputs'],
    parameters: () => ({}),
    draws: () => ({}),
    build: (_, { inputs }) => ({ askedLogits: logits(inputs as tf.Tensor).reshape([-1, vocabulary]) }),
  };
}

/** What the sink reports of a model without weights. */
async function figures(options: HeldOutNelboOptions, seed = 1): Promise<Record<string, unknown>> {
  const executor = await createExecutor({ backend: 'cpu', seed });
  const reported = {};
  const run: Run = { ...fakeRun({ folder: path }), seed, executor, report: (more) => void Object.assign(reported, more) };
  try {
    await through(heldOutNelbo(options) as unknown as StepSink, steps(1, 1), run);
  } finally {
    executor.dispose();
  }
  return reported;
}

const sentences = (count: number, words: readonly number[]): number[][] => Array.from({ length: count }, () => [1, ...words]);

describe('evenTimes', () => {
  it('has one time in each bin, all in (0, 1]', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 30), fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (id, draws, start) => {
        const times = evenTimes(id, draws, start);
        for (const [bin, time] of times.entries()) {
          expect(time).toBeGreaterThan(bin / draws - 1e-12);
          expect(time).toBeLessThanOrEqual((bin + 1) / draws);
          expect(time).toBeGreaterThan(0);
        }
      }),
    );
    expect(evenTimes(0, 4, 0.5)).toEqual(Float64Array.of(0.125, 0.375, 0.625, 0.875));
  });

  it('spreads rows evenly, however many there are', () => {
    for (const rows of [10, 137, 1000]) {
      const times = Array.from({ length: rows }, (_, id) => evenTimes(id, 1, 0.3)[0] as number).sort((a, b) => a - b);
      const discrepancy = Math.max(...times.map((time, i) => Math.max(Math.abs(time - i / rows), Math.abs(time - (i + 1) / rows))));
      // Independent draws would be about 0.6 / √rows away.
      expect(discrepancy).toBeLessThan(3 / rows);
    }
  });
});

describe('hiddenText', () => {
  const tokens = ints([
    [1, 2, 3, 4, 5, 6],
    [1, 7, 7, 7, 0, 0],
    [1, 1, 1, 1, 1, 1],
  ]);
  const special: Column<Uint8Array> = { data: Uint8Array.of(1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), shape: [3, 6] };
  const batch = batchOf({ tokens, special });
  const key = rootKey(3);
  const keyOf = (row: number) => sampleKey(key, batch.origins[row] as AnyBatch['origins'][number]);

  it('hides ⌈n · time⌉ of the text, and says what an answer counts', () => {
    for (const [time, first, second] of [
      [1e-9, 1, 1],
      [0.4, 2, 2],
      [0.41, 3, 2],
      [1, 5, 3],
    ] as const) {
      const { batch: hidden, factors } = hiddenText(batch, 9, () => time, keyOf);
      const { inputs, labels } = hidden.columns as Record<string, Column<Int32Array>>;
      const asked = [0, 1, 2].map((row) => labels!.data.subarray(6 * row, 6 * row + 6).filter((id) => id >= 0).length);
      expect(asked).toEqual([first, second, 0]);
      expect([...factors]).toEqual([5 / first, 3 / second, 0]);
      for (const [i, id] of tokens.data.entries()) {
        const isHidden = labels!.data[i] !== -100;
        expect([inputs!.data[i], labels!.data[i]]).toEqual(isHidden ? [9, id] : [id, -100]);
        if (isHidden) expect(special.data[i]).toBe(0);
      }
      expect([...(hidden.columns.time as Column<Float32Array>).data]).toEqual([Math.fround(first / 5), Math.fround(second / 3), 1]);
    }
  });

  it('of a row does not depend on its batch', () => {
    const alone = { ...batchOf({ tokens: ints([[1, 7, 7, 7, 0, 0]]), special: { data: special.data.slice(6, 12), shape: [1, 6] } }) };
    const both = hiddenText(batch, 9, () => 0.5, keyOf).batch.columns.labels as Column;
    const one = hiddenText(
      alone,
      9,
      () => 0.5,
      () => keyOf(1),
    ).batch.columns.labels as Column;
    expect([...one.data]).toEqual([...both.data.subarray(6, 12)]);
    expect(fold(key, 0)).not.toEqual(fold(key, 1));
  });
});

describe('the figure', () => {
  it('of equal logits is ln V, whatever is drawn', async () => {
    const even = given(8, (inputs) => tf.zeros([...inputs.shape, 8]));
    const rows = tokenBatches(sentences(5, [2, 3, 4, 5, 6]), 2);
    const result = await figures({ model: even, maskId: 0, train: rows, test: rows, draws: 3 });
    expect(result.nelbo).toBeCloseTo(Math.log(8), 6);
    expect((result.untrained as Record<string, number>).nelbo).toBeCloseTo(Math.log(8), 6);
  });

  it('of a model of two tokens is half of ln 5: hidden both 1.039721, hidden one 0.569717 on average', async () => {
    // Probabilities of the right tokens 2 and 3: .5 and .25 where both are hidden, .8 and .4 where the other one is seen.
    const two = given(4, (inputs) => {
      const hidden = inputs.equal(0).toFloat().slice([0, 1], [-1, 2]);
      const both = hidden.sum(1, true).equal(2).toFloat();
      const right = (alone: number, seen: number): tf.Tensor => both.mul(alone - seen).add(seen);
      const pairs = [right(0.5, 0.8), right(0.25, 0.4)].map((p, at) => {
        const other = tf.sub(1, p);
        return tf.concat([tf.zerosLike(p).sub(1e9), tf.zerosLike(p).sub(1e9), (at === 0 ? p : other).log(), (at === 0 ? other : p).log()], 1).expandDims(1);
      });
      return tf.concat([tf.zeros([inputs.shape[0] as number, 1, 4]), ...pairs], 1);
    });
    const rows = tokenBatches(sentences(32, [2, 3]), 32);
    const { nelbo } = await figures({ model: two, maskId: 0, train: rows, test: rows, draws: 64 });
    // Only which one of two is hidden is random: 1024 draws of ±0.69 about their mean, a fourth of it a token: σ = 0.0054, so 4 σ are
    // passed once in 16,000 seeds.
    expect(Math.abs((nelbo as number) - Math.log(5) / 2)).toBeLessThan(0.022);
  });

  it('trained is below untrained and unigram; unigram is exact; another name draws others', async () => {
    const rows = [
      [1, 2, 3],
      [1, 4, 5],
      [1, 6, 7],
      [1, 2, 3],
      [1, 4, 5],
    ];
    const common = { model: encoder, maskId: 0, train: tokenBatches(rows), draws: 8 };
    const { result } = await textRun(
      rows,
      [heldOutNelbo({ ...common, test: tokenBatches(rows, 5) }), heldOutNelbo({ ...common, test: tokenBatches(rows, 5), name: 'other' })],
      { steps: 40 },
    );
    const { nelbo, untrained, unigram, other } = result as unknown as {
      nelbo: number;
      other: number;
      untrained: { nelbo: number };
      unigram: { nelbo: number };
    };
    // Ids 2 … 5 come twice, 6 and 7 once; one is added to each of 8.
    expect(unigram.nelbo).toBeCloseTo((8 * Math.log(18 / 3) + 2 * Math.log(18 / 2)) / 10, 10);
    expect(untrained.nelbo).toBeGreaterThan(1.7);
    expect(nelbo).toBeLessThan(unigram.nelbo - 0.3);
    expect(other).not.toBe(nelbo);
  });

  it('does not depend on batches, nor on rows that pad them', async () => {
    const rows = [
      [1, 2, 3, 4],
      [1, 4, 5, 6],
      [1, 6, 7, 3],
    ];
    const seen = given(8, (inputs) =>
      tf
        .oneHot(inputs as tf.Tensor1D, 8)
        .toFloat()
        .cumsum(1),
    );
    const common = { model: seen, maskId: 0, train: tokenBatches(rows), draws: 3 };
    const whole = await figures({ ...common, test: tokenBatches(rows, 3) });
    const padded = await figures({ ...common, test: tokenBatches(rows, 2, { last: 'pad' }) });
    expect(padded.nelbo).toBeCloseTo(whole.nelbo as number, 5);
    expect(padded.unigram).toEqual(whole.unigram);
  });
});

describe('errors', () => {
  const rows = tokenBatches(sentences(2, [2, 3]));
  const options = { model: encoder, maskId: 0, train: rows, test: rows };

  it('of options name them', () => {
    expect(() => heldOutNelbo({ ...options, model: {} as LanguageModel })).toThrow('heldOutNelbo.model: must be a text model');
    expect(() => heldOutNelbo({ ...options, maskId: 8 })).toThrow('heldOutNelbo.maskId: must be below the vocabulary of 8 ids; got 8');
    expect(() => heldOutNelbo({ ...options, draws: 0 })).toThrow('heldOutNelbo.draws: must be an integer of at least 1; got 0');
    expect(() => heldOutNelbo({ ...options, test: [] as never })).toThrow('heldOutNelbo.train, test: must be streams of batches');
    expect(() => heldOutNelbo({ ...options, draw: 2 } as never)).toThrow('heldOutNelbo.draw: there is no such option. Did you mean draws?');
  });

  it('of data say what is wrong with it', async () => {
    const even = given(8, (inputs) => tf.zeros([...inputs.shape, 8]));
    const silent = tokenBatches([[1], [1]]);
    await expect(figures({ ...options, model: even, test: silent })).rejects.toThrow('nelbo: the evaluation data must hold text; got 0');
    const masked = tokenBatches([[1, 0, 3]]);
    await expect(figures({ ...options, model: even, test: masked })).rejects.toThrow("nelbo.test: must hold ids below 8 other than the mask's; got 0");
  });
});
