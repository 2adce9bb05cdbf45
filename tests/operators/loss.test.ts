import * as tf from '@tensorflow/tfjs';
import { type OperatorFunction, type Observable, from, map } from 'rxjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AnyBatch, Batch } from '../../src/core/batch.js';
import { type Loss, type LossTerm, type Program, signatureOf } from '../../src/core/program.js';
import { batch } from '../../src/operators/batch.js';
import { loss } from '../../src/operators/loss.js';
import { model } from '../../src/operators/model.js';
import { numbers } from '../core/numbers.js';
import { collect } from './rows.js';
import { size, squared, tiny } from './tiny.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
  await tf.ready();
});

type Any = OperatorFunction<unknown, AnyBatch>;
const x = [1, 2, 3];
const target = [2, 5, 4];
const other = [0, 0, 1];
const weight = [1, 2, 1];
const noise = [0.5, -0.5, 0];
const column = (values: readonly number[]) => ({ data: Float32Array.from(values), shape: [values.length] });
const given: Batch<object> = {
  rows: 3,
  columns: { x: column(x), target: column(target), other: column(other), weight: column(weight) },
  origins: x.map((_, i) => ({ source: 0, id: i, epoch: 0, position: i })),
  program: undefined,
};
/** The program that these loss stages leave behind the tiny model. */
async function composed(stages: readonly Any[], computed?: { features: number }): Promise<Program<'loss'>> {
  let chain: Observable<unknown> = from([given]).pipe(model(tiny(computed)) as Any);
  for (const stage of stages) chain = chain.pipe(stage);
  return ((await collect(chain))[0] as AnyBatch).program as Program<'loss'>;
}
/** Executes a program directly, with w = 2, without an executor. */
function run(program: Program<'loss'>, w = tf.scalar(2), columns = given.columns): { sum: tf.Scalar; count: tf.Scalar } {
  const tensors = Object.fromEntries(Object.entries(columns).map(([name, { data, shape }]) => [name, tf.tensor(data, shape)]));
  const outputs = program.build({ w }, tensors, { noise: tf.tensor1d(noise) }, signatureOf(given as AnyBatch));
  return outputs.loss as unknown as { sum: tf.Scalar; count: tf.Scalar };
}
const value = ({ sum, count }: Loss): number => (sum.dataSync()[0] as number) / (count.dataSync()[0] as number);

const prediction = x.map((xi, i) => 2 * xi + (noise[i] as number));
const mse = (to: readonly number[]): number => prediction.reduce((s, p, i) => s + (weight[i] as number) * (p - (to[i] as number)) ** 2, 0) / 4;
const meanSize = (1 + 4 + 9) / 3;

describe('loss', () => {
  it('is the term: a sum and a count', async () => {
    const { sum, count } = run(await composed([loss(squared('target')) as Any]));
    expect(count.dataSync()[0]).toBe(4);
    expect(sum.dataSync()[0]).toBeCloseTo(4 * mse(target), 5);
  });
  it('scales by its weight, the count unchanged', async () => {
    const { sum, count } = run(await composed([loss(squared('target'), { weight: 0.25 }) as Any]));
    expect(count.dataSync()[0]).toBe(4);
    expect(sum.dataSync()[0]).toBeCloseTo(mse(target), 5);
  });
  it('adds terms as Σ weight · mean, with the first one’s count', async () => {
    const two = await composed([loss(squared('target')) as Any, loss(size, { weight: 3, name: 'size' }) as Any]);
    expect(value(run(two))).toBeCloseTo(mse(target) + 3 * meanSize, 4);
    expect(run(two).count.dataSync()[0]).toBe(4);
    const three = await composed([
      loss(squared('target'), { weight: 2 }) as Any,
      loss(size, { weight: 0.5, name: 'size' }) as Any,
      loss(squared('other'), { weight: 0.1, name: 'other' }) as Any,
    ]);
    expect(value(run(three))).toBeCloseTo(2 * mse(target) + 0.5 * meanSize + 0.1 * mse(other), 4);
  });
  it('a term of weight 0 changes neither value nor gradient', async () => {
    const one = await composed([loss(squared('target')) as Any]);
    const two = await composed([loss(squared('target')) as Any, loss(squared('other'), { weight: 0, name: 'off' }) as Any]);
    const gradient = (program: Program<'loss'>): number =>
      tf
        .grad((w) => {
          const { sum, count } = run(program, w as tf.Scalar);
          return sum.div(count);
        })(tf.scalar(2))
        .dataSync()[0] as number;
    expect(value(run(two))).toBeCloseTo(value(run(one)), 6);
    expect(gradient(two)).toBeCloseTo(gradient(one), 6);
  });
  it('its gradient is that of the formula', async () => {
    const two = await composed([loss(squared('target')) as Any, loss(squared('other'), { weight: 0.5, name: 'other' }) as Any]);
    const gradient = tf
      .grad((w) => run(two, w as tf.Scalar).sum)(tf.scalar(2))
      .dataSync()[0] as number;
    const by = (to: readonly number[]): number => prediction.reduce((s, p, i) => s + (weight[i] as number) * 2 * (p - (to[i] as number)) * (x[i] as number), 0);
    expect(gradient).toBeCloseTo(by(target) + 0.5 * by(other), 3);
  });
  it('asks for the columns of model and terms, once each, and keeps what else the model is', async () => {
    const two = await composed([loss(squared('target')) as Any, loss(squared('other'), { name: 'other' }) as Any]);
    const signature = signatureOf(given as AnyBatch);
    expect(two.inputs(signature)).toEqual(['x', 'target', 'weight', 'other']);
    expect(Object.keys(two.parameters(signature))).toEqual(['w']);
    expect(two.draws(signature)).toEqual({ noise: { shape: [], law: 'normal' } });
    expect(two.weights).toBe('student');
    expect(two.config?.(signature)).toEqual({ model_type: 'tiny' });
    expect(two.recipe).toMatchObject({
      name: 'loss',
      options: { weight: 1, term: { name: 'squared', options: { target: 'other' } }, of: { name: 'loss', options: { of: { name: 'tiny' } } } },
    });
  });
  it('leaves other outputs lazy: what no term reads is not computed', async () => {
    const computed = { features: 0 };
    const program = await composed([loss(squared('target')) as Any], computed);
    run(program).sum.dataSync();
    expect(computed.features).toBe(0);
    const outputs = program.build(
      { w: tf.scalar(2) },
      { x: tf.tensor1d(x) },
      { noise: tf.tensor1d(noise) },
      signatureOf(given as AnyBatch),
    ) as unknown as Record<string, tf.Tensor>;
    expect(Object.keys(outputs).sort()).toEqual(['features', 'loss', 'prediction']);
    expect([...(outputs.features as tf.Tensor).dataSync()]).toEqual([1, 4, 9]);
    expect(computed.features).toBe(1);
  });
  it('composes once for all batches: the program is the key of a cache', async () => {
    const columns = (rows: number) => ({ x: column(Array(rows).fill(1)), target: column(Array(rows).fill(1)), weight: column(Array(rows).fill(1)) });
    const out = await collect(
      numbers(5).pipe(
        batch(2),
        map((b) => ({ ...b, columns: columns(b.rows) })),
        model(tiny()) as Any,
        loss(squared('target')) as Any,
        loss(size, { name: 'size' }) as Any,
      ),
    );
    expect(out).toHaveLength(3);
    expect(new Set(out.map((b) => b.program)).size).toBe(1);
  });
  it('a first term that counts nothing in this batch does not silence the second', async () => {
    const two = await composed([loss(squared('target')) as Any, loss(size, { name: 'size' }) as Any]);
    const empty = run(two, tf.scalar(2), { ...given.columns, weight: column([0, 0, 0]) } as typeof given.columns);
    // The second term's mean must survive, whatever the convention for the count is.
    expect(empty.sum.dataSync()[0]).toBeGreaterThan(0);
  });
  it('a second term that counts nothing in this batch adds nothing', async () => {
    const nothing: LossTerm<'prediction'> = { ...squared('target'), build: () => ({ sum: tf.scalar(0), count: tf.scalar(0) }) };
    const two = await composed([loss(squared('target')) as Any, loss(nothing, { name: 'none' }) as Any]);
    expect(value(run(two))).toBeCloseTo(mse(target), 5);
  });
  it('a count below 1 (weights that sum to a fraction) is a count', async () => {
    const light: LossTerm<'features'> = { ...size, build: ({ features }) => ({ sum: features.sum().mul(0.1), count: features.onesLike().sum().mul(0.1) }) };
    const two = await composed([loss(squared('target')) as Any, loss(light, { name: 'light' }) as Any]);
    expect(value(run(two))).toBeCloseTo(mse(target) + meanSize, 4);
  });
  it('says what is missing', async () => {
    await expect(collect(from([given]).pipe(loss(squared('target')) as Any))).rejects.toThrow(
      /^loss: there is no model in front of this loss \(batch of samples 0, 1, 2, epoch 0\)\. Put model\(…\)/,
    );
    await expect(composed([loss(squared('target')) as Any, loss(size) as Any])).rejects.toThrow(/loss\.name: two stages of one chain are named "loss"/);
    expect(() => loss(size, { weight: -1 })).toThrow('loss.weight: must be a finite number of at least 0; got -1.');
    expect(() => loss(size, { wieght: 1 } as never)).toThrow('loss.wieght: there is no such option. Did you mean weight?');
  });
});
