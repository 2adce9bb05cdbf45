import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { useBackend } from '../../src/backends/useBackend.js';
import type { Signature, Tensor, Tensors } from '../../src/core/program.js';
import { askedScores } from '../../src/losses/askedScores.js';
import { crossEntropy } from '../../src/losses/crossEntropy.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { surprisals } from '../../src/losses/surprisals.js';
import { askedPlan } from '../../src/models/askedPlan.js';
import { presentTfjs, tfjsName } from '../backends/presentBackends.js';

const int32 = (data: readonly number[], shape: number[]): Tensor => tf.tensor(Int32Array.from(data), shape, 'int32');
const spec = (shape: readonly number[], dtype: 'int32' | 'float32' | 'uint8' = 'int32'): { shape: readonly number[]; dtype: typeof dtype } => ({
  shape,
  dtype,
});
const signature: Signature = { rows: 2, columns: {} };

/** −ln softmax in float64. */
function surprisal(logits: readonly number[], label: number): number {
  const most = Math.max(...logits);
  return Math.log(logits.reduce((sum, x) => sum + Math.exp(x - most), 0)) + most - (logits[label] as number);
}

describe.each(await presentTfjs())('on %s', (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  const read = async (x: Tensor): Promise<number[]> => [...(await x.data())];
  const value = async (logits: Tensor, columns: Tensors, options = {}): Promise<[number, number]> => {
    const { sum, count } = maskedLanguage(options).build({ askedLogits: logits }, columns, signature);
    return [(await read(sum))[0] as number, (await read(count))[0] as number];
  };

  it('surprisals are those of float64, whatever is added to the logits and however large they are', async () => {
    const logits = [
      [1, 2, 3, -1],
      [500, 499, -500, 0],
      [-1e9, 0, 1, -1e9],
      [0, 0, 0, 0],
    ];
    const labels = [2, 1, 2, 3];
    const each = await read(surprisals(tf.tensor2d(logits), int32(labels, [4])));
    for (const [row, x] of each.entries()) expect(x).toBeCloseTo(surprisal(logits[row] as number[], labels[row] as number), 5);
  });

  it('the gradient of a surprisal is softmax minus one-hot', async () => {
    const logits = tf.tensor2d([
      [1, 2, 3],
      [0, -1, 0.5],
    ]);
    const weights = tf.tensor1d([2, -1]);
    const gradient = await read(
      tf.grad((x: Tensor) =>
        surprisals(x, int32([0, 2], [2]))
          .mul(weights)
          .sum(),
      )(logits),
    );
    const rows = await logits.array();
    for (const [row, label, weight] of [
      [0, 0, 2],
      [1, 2, -1],
    ] as const) {
      const x = rows[row] as number[];
      const total = x.reduce((sum, l) => sum + Math.exp(l), 0);
      for (let i = 0; i < 3; i++) expect(gradient[row * 3 + i]).toBeCloseTo(weight * (Math.exp(x[i] as number) / total - (i === label ? 1 : 0)), 5);
    }
  });

  it('equal logits give ln V exactly, for any number of asked tokens', async () => {
    for (const [vocabulary, asked] of [
      [7, 1],
      [50, 3],
      [1, 2],
      [30_522, 5],
    ] as const) {
      const labels = Array.from({ length: 6 }, (_, i) => (i < asked ? i % vocabulary : -100));
      const each = await read(
        surprisals(
          tf.fill([6, vocabulary], 3.7),
          int32(
            labels.map((label) => Math.max(0, label)),
            [6],
          ),
        ),
      );
      for (const x of each) expect(Math.abs(x - Math.fround(Math.log(vocabulary)))).toBeLessThanOrEqual(2 ** -21);
      const [sum, count] = await value(tf.fill([6, vocabulary], 3.7), { labels: int32(labels, [2, 3]) });
      expect(count).toBe(asked);
      expect(Math.abs(sum / count - Math.log(vocabulary))).toBeLessThan(2e-6);
    }
  });

  it('nothing asked: sum, count and gradient are 0, not NaN, even beside logits that are no numbers', async () => {
    const labels = int32(new Array(4).fill(-100), [2, 2]);
    expect(await value(tf.fill([4, 3], Number.POSITIVE_INFINITY), { labels })).toEqual([0, 0]);
    const gradient = tf.grad((x: Tensor) => maskedLanguage().build({ askedLogits: x }, { labels }, signature).sum)(tf.ones([4, 3]));
    expect(await read(gradient)).toEqual(new Array(12).fill(0));
  });

  it('is the sum over labelled tokens, by plan and without, with weights of rows and of tokens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -100, max: 4 }), { minLength: 6, maxLength: 6 }),
        fc.constantFrom<'none' | 'rows' | 'tokens'>('none', 'rows', 'tokens'),
        async (drawn, kind) => {
          const labels = drawn.map((label) => (label < 0 ? -100 : label));
          const logits = Array.from({ length: 6 }, (_, at) => Array.from({ length: 5 }, (__, i) => Math.sin(3 * at + i)));
          const weights = kind === 'none' ? new Array(6).fill(1) : kind === 'rows' ? [2, 2, 2, 0.5, 0.5, 0.5] : [1, 0, 3, 0.25, 1, 2];
          const weight = kind === 'none' ? {} : { weight: kind === 'rows' ? tf.tensor1d([2, 0.5]) : tf.tensor2d(weights, [2, 3]) };
          let [sum, count] = [0, 0];
          for (const [at, label] of labels.entries()) {
            if (label < 0) continue;
            sum += weights[at] * surprisal(logits[at] as number[], label);
            count += weights[at];
          }
          const all: Tensors = { labels: int32(labels, [2, 3]), ...weight };
          const whole = await value(tf.tensor2d(logits), all);
          expect(whole[0]).toBeCloseTo(sum, 4);
          expect(whole[1]).toBeCloseTo(count, 5);
          const { asked } = askedPlan({ data: Int32Array.from(labels), shape: [2, 3] });
          const some = tf.tensor2d(Array.from(asked.data, (at) => (at < 0 ? new Array(5).fill(0) : (logits[at] as number[]))));
          const planned = await value(some, { ...all, asked: int32([...asked.data], [asked.data.length]) });
          expect(planned[0]).toBeCloseTo(sum, 4);
          expect(planned[1]).toBeCloseTo(count, 5);
        },
      ),
      { seed: 1, numRuns: 40 },
    );
  });

  it("over: 'tokens' divides by the tokens that could be asked, in rows that count", async () => {
    const labels = int32([1, -100, -100, 0, -100, -100], [2, 3]);
    const special = int32([0, 0, 1, 0, 0, 0], [2, 3]);
    const logits = tf.zeros([6, 4]);
    const ln4 = Math.log(4);
    const over = { over: 'tokens' };
    // 1/t as weights of rows: they are in the sum alone.
    const [sum, count] = await value(logits, { labels, special, weight: tf.tensor1d([10, 2]) }, over);
    expect(sum).toBeCloseTo(12 * ln4, 4);
    expect(count).toBe(5);
    expect((await value(logits, { labels, length: int32([2, 1], [2]) }, over))[1]).toBe(3);
    expect((await value(logits, { labels, length: int32([2, 1], [2]), weight: tf.tensor1d([5, 0]) }, over))[1]).toBe(2);
    expect((await value(logits, { labels }, over))[1]).toBe(6);
  });

  it('takes weights from the column that it is given', async () => {
    const labels = int32([1, -100, -100, 0, -100, -100], [2, 3]);
    const columns: Tensors = { labels, weight: tf.tensor1d([1, 0]), diffusion: tf.tensor1d([10, 2]) };
    const [sum, count] = await value(tf.zeros([6, 4]), columns, { over: 'tokens', weight: 'diffusion' });
    expect(sum).toBeCloseTo(12 * Math.log(4), 4);
    expect(count).toBe(6);
    expect(await value(tf.zeros([6, 4]), columns, { weight: 'diffusion' }).then(([, weights]) => weights)).toBe(12);
  });

  it('a classifier asked once a row has the same loss as crossEntropy', async () => {
    const logits = tf.tensor2d([
      [1, 2, 3],
      [0, -1, 0.5],
    ]);
    const [sum, count] = await value(logits, { labels: int32([0, 2], [2, 1]) });
    const other = crossEntropy().build({ logits }, { label: tf.tensor1d([0, 2]) }, signature);
    expect(sum).toBeCloseTo((await read(other.sum))[0] as number, 6);
    expect(count).toBe((await read(other.count))[0]);
  });
});

describe('maskedLanguage', () => {
  const inputs = (columns: Signature['columns'], options = {}): readonly string[] => maskedLanguage(options).inputs({ rows: 2, columns });

  it('reads the columns that there are', () => {
    expect(inputs({ labels: spec([2, 3]) })).toEqual(['labels']);
    expect(inputs({ labels: spec([2, 3]), asked: spec([8]), weight: spec([2], 'float32'), length: spec([2]) })).toEqual(['labels', 'asked', 'weight']);
    expect(inputs({ labels: spec([2, 3]), special: spec([2, 3], 'uint8'), length: spec([2]) }, { over: 'tokens' })).toEqual(['labels', 'special']);
    expect(inputs({ labels: spec([2, 3]), length: spec([2]) }, { over: 'tokens' })).toEqual(['labels', 'length']);
  });

  it('a sum weighted by time is never divided by the weights of hidden tokens', () => {
    const timed = { labels: spec([2, 3]), time: spec([2], 'float32'), weight: spec([2], 'float32') };
    expect(() => inputs(timed)).toThrow(
      'maskedLanguage.over: the batch has times of a diffusion and a column weight, and a sum weighted by time is divided by all tokens, ' +
        "never by the weights of hidden ones. Write maskedLanguage({ over: 'tokens' }). For the plain mean over hidden tokens leave diffusionWeight out",
    );
    expect(inputs(timed, { over: 'tokens' })).toEqual(['labels', 'weight']);
    // Nothing weighted, or no times: nothing to refuse.
    expect(inputs({ labels: timed.labels, time: timed.time })).toEqual(['labels']);
    expect(inputs({ labels: timed.labels, weight: timed.weight })).toEqual(['labels', 'weight']);
    const named = { labels: timed.labels, time: timed.time, diffusion: timed.weight };
    expect(() => inputs(named, { weight: 'diffusion' })).toThrow('has times of a diffusion and a column diffusion');
    // Evaluations that go by tokens use weights only to tell rows that count.
    const scores = askedScores({ inputs: () => [], recipe: {} } as never);
    expect(scores.inputs({ rows: 2, columns: timed })).toEqual(['labels', 'weight']);
  });

  it('says what does not fit', () => {
    expect(() => inputs({ labels: spec([2, 3]), weight: spec([2], 'float32') }, { weight: 'diffusion' })).toThrow(
      'maskedLanguage.weight: must name a column of weights; got "diffusion". Columns: labels, weight.',
    );
    expect(() => maskedLanguage({ weight: '' })).toThrow('maskedLanguage.weight: must be the name of a column; got ""');
    expect(() => inputs({ tokens: spec([2, 3]) })).toThrow(
      'maskedLanguage.labels: must name a column of target ids; got "labels". corrupt(…) or labels() adds them behind mask(…). Columns: tokens.',
    );
    expect(() => inputs({ labels: spec([2, 3], 'float32') })).toThrow('must be int32 [rows, L]; got "float32 [2, 3]"');
    expect(() => inputs({ labels: spec([2, 3]), weight: spec([3], 'float32') })).toThrow('maskedLanguage.weight: must hold one number a row or one a token');
    expect(() => maskedLanguage({ over: 'all' as 'asked' })).toThrow("maskedLanguage.over: must be 'asked' or 'tokens'; got \"all\"");
    expect(() => maskedLanguage({ label: 'x' } as object)).toThrow('Did you mean labels?');
  });
});
