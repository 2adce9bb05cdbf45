import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../../../src/core/program.js';
import {
  attention,
  attentionParameters,
  gatherTokens,
  gelu,
  layerNorm,
  linear,
  linearParameters,
  parameter,
  restoreTokens,
  stopGradient,
  transformerBlockParameters,
} from '../../../src/models/layers/index.js';
import { firstValues, largestDifference } from '../harness.js';

beforeAll(() => tf.setBackend('cpu'));

const wave = (...shape: number[]): Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1 + 0.7 * i)),
    shape,
  );
const ints = (rows: number[][]): Tensor => tf.tensor2d(rows, undefined, 'int32');

test('linear keeps weights as [outputs, inputs] and any leading axes', () => {
  const parameters = {
    'a.weight': tf.tensor2d([
      [1, 2, 3],
      [0, -1, 0],
    ]),
    'a.bias': tf.tensor1d([10, 20]),
  };
  const y = linear(
    parameters,
    'a',
    tf.tensor3d([
      [
        [1, 1, 1],
        [2, 0, 1],
      ],
    ]),
  );
  expect(y.shape).toEqual([1, 2, 2]);
  expect([...y.dataSync()]).toEqual([16, 19, 15, 20]);
  expect(linearParameters('a', { inputs: 3, outputs: 2 })).toMatchObject({ 'a.weight': { shape: [2, 3] }, 'a.bias': { shape: [2] } });
});

test('layer norm: mean 0, biased variance 1, then scale and shift', () => {
  const y = layerNorm({ 'n.weight': tf.tensor1d([1, 1, 1, 2]), 'n.bias': tf.tensor1d([0, 0, 0, 5]) }, 'n', tf.tensor2d([[1, 2, 3, 4]]), 1e-6);
  const s = Math.sqrt(1.25 + 1e-6);
  [-1.5 / s, -0.5 / s, 0.5 / s, 3 / s + 5].forEach((value, i) => {
    expect(y.dataSync()[i]).toBeCloseTo(value, 5);
  });
  const constant = layerNorm({ 'n.weight': tf.ones([3]), 'n.bias': tf.zeros([3]) }, 'n', tf.fill([1, 3], 7), 1e-6);
  expect([...constant.dataSync()]).toEqual([0, 0, 0]);
});

test('gelu is the exact one (values of torch.nn.functional.gelu)', () => {
  const expected = [-0.00012668496, -0.0040496941, -0.0455002639, -0.158655254, 0, 0.841344746, 1.95449974, 2.99595031, 3.99987332];
  expect(largestDifference(gelu(tf.linspace(-4, 4, 9)).dataSync(), expected)).toBeLessThan(2e-6);
});

describe('attention', () => {
  const values = firstValues(attentionParameters('a', 8), 1);
  const weights = (): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(attentionParameters('a', 8)).map(([name, { shape }]) => [name, tf.tensor(values[name] as Float32Array, [...shape])]));

  test('equals a plain computation, head by head', () => {
    const x = wave(1, 3, 8);
    const y = attention(weights(), 'a', x, { heads: 2 });
    const of = (part: string): number[][] => linear(weights(), `a.attention.${part}`, x).reshape([3, 8]).arraySync() as number[][];
    const [q, k, v] = [of('query'), of('key'), of('value')];
    const mixed = [0, 1, 2].map((i) =>
      [0, 1].flatMap((head) => {
        const part = [0, 1, 2, 3].map((c) => head * 4 + c);
        const scores = [0, 1, 2].map((j) => Math.exp(part.reduce((sum, c) => sum + (q[i]?.[c] as number) * (k[j]?.[c] as number), 0) / 2));
        const total = scores.reduce((a, b) => a + b, 0);
        return part.map((c) => [0, 1, 2].reduce((sum, j) => sum + ((scores[j] as number) / total) * (v[j]?.[c] as number), 0));
      }),
    );
    const expected = linear(weights(), 'a.output.dense', tf.tensor2d(mixed));
    expect(largestDifference(y.dataSync(), expected.dataSync())).toBeLessThan(1e-6);
  });

  test('keys that pad do not matter, whatever they hold', () => {
    const x = wave(2, 4, 8);
    const keys = tf.tensor2d([
      [1, 1, 0, 0],
      [1, 1, 1, 0],
    ]);
    const a = attention(weights(), 'a', x, { heads: 2, keys });
    const b = attention(weights(), 'a', x.add(keys.sub(1).mul(-50).expandDims(2)), { heads: 2, keys });
    const [first, second] = [a, b].map((y) => y.slice([0, 0, 0], [2, 2, 8]).dataSync());
    expect(first).toEqual(second);
    const alone = attention(weights(), 'a', x.slice([0, 0, 0], [1, 2, 8]), { heads: 2 });
    expect(largestDifference(a.slice([0, 0, 0], [1, 2, 8]).dataSync(), alone.dataSync())).toBeLessThan(1e-6);
  });

  test('query, key and value start within the bound of the fused matrix', () => {
    const of = (name: string): number => (values[name] as Float32Array).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    for (const part of ['query', 'key', 'value']) expect(of(`a.attention.${part}.weight`)).toBeLessThanOrEqual(Math.fround(Math.sqrt(6 / 32)));
    expect(of('a.output.dense.weight')).toBeGreaterThan(Math.sqrt(6 / 32));
  });
});

test('gatherTokens reads by the index of the own row; negative reads token 0', () => {
  const x = tf.tensor3d([
    [[1], [2], [3]],
    [[4], [5], [6]],
  ]);
  expect(
    gatherTokens(
      x,
      ints([
        [2, 0],
        [1, -1],
      ]),
    ).arraySync(),
  ).toEqual([
    [[3], [1]],
    [[5], [4]],
  ]);
});

describe('restoreTokens', () => {
  const plan = {
    visible: ints([
      [1, 3, -1],
      [0, 2, 3],
    ]),
    restore: ints([
      [-1, 0, -1, 1],
      [0, -1, 1, 2],
    ]),
  };

  test('puts visible tokens back and the mask token everywhere else', () => {
    const encoded = tf.tensor3d([
      [[100], [1], [3], [9]],
      [[200], [10], [12], [13]],
    ]);
    expect(restoreTokens(encoded, tf.tensor3d([[[-7]]]), plan).arraySync()).toEqual([
      [[100], [-7], [1], [-7], [3]],
      [[200], [10], [-7], [12], [13]],
    ]);
  });

  test('its gradient is the adjoint: equal to the gradient of a plain gather', () => {
    const encoded = wave(2, 4, 3);
    const token = wave(1, 1, 3);
    const factor = wave(2, 5, 3).add(0.3);
    const flat = tf.tensor1d([1, 0, 2, 0, 3, 5, 6, 0, 7, 8], 'int32');
    const plain = (x: Tensor, t: Tensor): Tensor => tf.gather(tf.concat([t.reshape([1, 3]), x.reshape([8, 3])], 0), flat).reshape([2, 5, 3]);
    const gradients = (f: (x: Tensor, t: Tensor) => Tensor): Tensor[] =>
      tf.grads(
        (x, t) =>
          f(x as Tensor, t as Tensor)
            .square()
            .mul(factor)
            .sum() as tf.Scalar,
      )([encoded, token]);
    const [ours, theirs] = [gradients((x, t) => restoreTokens(x, t, plan)), gradients(plain)];
    ours.forEach((gradient, i) => {
      expect(gradient.shape).toEqual(theirs[i]?.shape);
      expect(largestDifference(gradient.dataSync(), (theirs[i] as Tensor).dataSync())).toBeLessThan(1e-6);
    });
    expect([...(ours[0] as Tensor).slice([0, 3, 0], [1, 1, 3]).dataSync()].every((g) => g === 0)).toBe(true);
  });
});

test('stopGradient passes values and no gradient', () => {
  const x = tf.tensor1d([1, 2]);
  expect([...stopGradient(x).dataSync()]).toEqual([1, 2]);
  expect([
    ...tf
      .grad((t) => stopGradient(t.square()).mul(t).sum())(x)
      .dataSync(),
  ]).toEqual([1, 4]);
});

test('a missing parameter is named with its neighbour', () => {
  expect(() => parameter({ 'a.weight': tf.scalar(1) }, 'a.wieght')).toThrow('there is no parameter a.wieght. The nearest one is a.weight.');
});

test('a block has sixteen parameters', () => {
  expect(Object.keys(transformerBlockParameters('b', { width: 8, hidden: 32 }))).toHaveLength(16);
});
