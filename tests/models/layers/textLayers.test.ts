// The layers of text encoders against plain references in float64.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import type { Tensor } from '../../../src/core/program.js';
import { ones } from '../../../src/models/initializers/ones.js';
import {
  attend,
  bertBlockParameters,
  gatherOnce,
  keyBias,
  llamaBlockParameters,
  product,
  rmsNorm,
  rmsNormParameters,
  rotary,
  rotaryAngles,
  silu,
  swiglu,
  swigluParameters,
  timeEmbedding,
  timeEmbeddingParameters,
} from '../../../src/models/layers/index.js';
import { firstValues, largestDifference } from '../harness.js';

beforeAll(() => tf.setBackend('cpu'));

const wave = (...shape: number[]): Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(1 + 0.7 * i)),
    shape,
  );

test('RMS norm: over the root of the mean square, times the weight, without centring', () => {
  const y = rmsNorm({ 'n.weight': tf.tensor1d([1, 1, 1, 2]) }, 'n', tf.tensor2d([[1, 2, 3, 4]]), 1e-5);
  const root = Math.sqrt(7.5 + 1e-5);
  expect(largestDifference(y.dataSync(), [1 / root, 2 / root, 3 / root, 8 / root])).toBeLessThan(1e-6);
  expect([...rmsNorm({ 'n.weight': tf.ones([3]) }, 'n', tf.zeros([1, 3]), 1e-5).dataSync()]).toEqual([0, 0, 0]);
  expect(rmsNormParameters('n', 4)).toMatchObject({ 'n.weight': { shape: [4], init: { recipe: ones().recipe } } });
});

test('rotary positions: pair (i, i + half) turned by position · theta^(−2i / size)', () => {
  const [tokens, size] = [5, 4];
  const x = wave(1, 2, tokens, size);
  const given = x.dataSync();
  const expected = Array.from({ length: 2 * tokens * size }, (_, at) => {
    const [channel, token] = [at % size, Math.floor(at / size) % tokens];
    const pair = channel % (size / 2);
    const angle = token * 100 ** ((-2 * pair) / size);
    const base = at - channel;
    const [a, b] = [given[base + pair] as number, given[base + pair + size / 2] as number];
    return channel < size / 2 ? a * Math.cos(angle) - b * Math.sin(angle) : b * Math.cos(angle) + a * Math.sin(angle);
  });
  const angles = rotaryAngles({ tokens, size, theta: 100 });
  expect(largestDifference(rotary(x, angles).dataSync(), expected)).toBeLessThan(1e-6);
  // The same positions given as a column.
  const positions = tf.tensor2d([[0, 1, 2, 3, 4]], [1, 5], 'int32');
  expect(largestDifference(rotary(x, rotaryAngles({ tokens, size, theta: 100, positions })).dataSync(), expected)).toBeLessThan(1e-5);
});

test('rotary positions: products of queries and keys depend on the distance alone', () => {
  const [tokens, size] = [6, 8];
  const angles = rotaryAngles({ tokens, size, theta: 10_000 });
  const everywhere = (x: Tensor): Tensor => x.reshape([1, 1, 1, size]).tile([1, 1, tokens, 1]);
  const scores = tf
    .matMul(rotary(everywhere(wave(size)), angles), rotary(everywhere(wave(size).add(0.5)), angles), false, true)
    .reshape([tokens, tokens])
    .arraySync() as number[][];
  for (let i = 1; i < tokens; i++) for (let j = 1; j < tokens; j++) expect(scores[i]?.[j]).toBeCloseTo(scores[i - 1]?.[j - 1] as number, 5);
});

test('SwiGLU: down(silu(gate x) · up x), and silu(x) = x σ(x)', () => {
  expect(largestDifference(silu(tf.tensor1d([-2, 0, 3])).dataSync(), [-2 / (1 + Math.exp(2)), 0, 3 / (1 + Math.exp(-3))])).toBeLessThan(1e-6);
  const parameters = {
    'm.gate_proj.weight': tf.tensor2d([
      [1, 0],
      [0, 2],
      [1, 1],
    ]),
    'm.up_proj.weight': tf.tensor2d([
      [1, 1],
      [1, -1],
      [0, 3],
    ]),
    'm.down_proj.weight': tf.tensor2d([
      [1, 2, 3],
      [0, 1, 0],
    ]),
  };
  const s = (x: number): number => x / (1 + Math.exp(-x));
  // x = (1, 2): gate (1, 4, 3), up (3, −1, 6).
  const hidden = [s(1) * 3, s(4) * -1, s(3) * 6];
  const [a, b, c] = hidden as [number, number, number];
  expect(largestDifference(swiglu(parameters, 'm', tf.tensor2d([[1, 2]])).dataSync(), [a + 2 * b + 3 * c, b])).toBeLessThan(1e-5);
  expect(Object.values(swigluParameters('m', { width: 2, hidden: 3, init: ones() })).map(({ shape }) => shape)).toEqual([
    [3, 2],
    [3, 2],
    [2, 3],
  ]);
});

test('attend: a plain reference of two heads, with keys that may not be seen', () => {
  const [tokens, width, heads] = [4, 6, 2];
  const [query, key, value] = [wave(1, tokens, width), wave(1, tokens, width).add(0.3), wave(1, tokens, width).mul(-2)];
  const seen = [1, 1, 0, 1];
  const expected: number[] = new Array(tokens * width).fill(0);
  const [q, k, v] = [query, key, value].map((x) => x.dataSync());
  for (let head = 0; head < heads; head++) {
    const at = (token: number, i: number): number => token * width + head * 3 + i;
    for (let from = 0; from < tokens; from++) {
      const powers = seen.map(
        (s, to) => s * Math.exp([0, 1, 2].reduce((sum, i) => sum + (q?.[at(from, i)] as number) * (k?.[at(to, i)] as number), 0) / Math.sqrt(3)),
      );
      const total = powers.reduce((a, b) => a + b);
      for (let i = 0; i < 3; i++) expected[at(from, i)] = powers.reduce((sum, p, to) => sum + (p / total) * (v?.[at(to, i)] as number), 0);
    }
  }
  const bias = keyBias(tf.tensor2d([seen]));
  expect(bias.shape).toEqual([1, 1, 1, 4]);
  expect(largestDifference(attend({ query, key, value }, { heads, bias }).dataSync(), expected)).toBeLessThan(1e-5);
  const each = keyBias(tf.tensor3d([[seen, seen, seen, seen]]));
  expect(each.shape).toEqual([1, 1, 4, 4]);
  expect(largestDifference(attend({ query, key, value }, { heads, bias: each }).dataSync(), expected)).toBeLessThan(1e-5);
});

test('gatherOnce reads rows and zeros, and gives gradients back to the rows that were read', () => {
  const x = wave(4, 2);
  const index = tf.tensor1d([3, -1, 1], 'int32');
  const back = tf.tensor1d([-1, 2, -1, 0], 'int32');
  const given = x.dataSync();
  expect([...gatherOnce(x, index, back).dataSync()]).toEqual([given[6], given[7], 0, 0, given[2], given[3]]);
  const factor = tf.tensor2d([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  expect([
    ...tf
      .grad((rows: Tensor) => gatherOnce(rows, index, back).mul(factor).sum())(x)
      .dataSync(),
  ]).toEqual([0, 0, 5, 6, 0, 0, 1, 2]);
});

test('the time embedding tells times apart, and starts from cosines and sines of 1000 t', () => {
  const parameters = timeEmbeddingParameters('t', { width: 4, init: ones() });
  expect(Object.keys(parameters)).toEqual(['t.0.weight', 't.0.bias', 't.2.weight', 't.2.bias']);
  const identity = tf.eye(4);
  const values = { 't.0.weight': identity, 't.0.bias': tf.zeros([4]), 't.2.weight': identity, 't.2.bias': tf.zeros([4]) };
  const s = (x: number): number => x / (1 + Math.exp(-x));
  const expected = [0.5, 0].flatMap((t) => [Math.cos(1000 * t), Math.cos(10 * t), Math.sin(1000 * t), Math.sin(10 * t)].map(s));
  expect(largestDifference(timeEmbedding(values, 't', tf.tensor1d([0.5, 0]), 4).dataSync(), expected)).toBeLessThan(1e-4);
});

test('blocks have the names of Hugging Face', () => {
  expect(Object.keys(bertBlockParameters('bert.encoder.layer.0', { width: 4, hidden: 8, init: ones() })).length).toBe(16);
  expect(Object.keys(llamaBlockParameters('model.layers.0', { width: 4, hidden: 8, init: ones() })).length).toBe(9);
  expect(firstValues(rmsNormParameters('n', 2))).toEqual({ 'n.weight': Float32Array.of(1, 1) });
  expect(product(tf.ones([2, 3, 4]), tf.ones([5, 4])).shape).toEqual([2, 3, 5]);
});
