import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import type { Column } from '../../src/core/batch.js';
import { type Signature, type Tensor, type Tensors, signatureOf } from '../../src/core/program.js';
import { type PatchReconstructionOptions, normalizedPatches, patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { batchOf, formulaTokens, lengthColumn, maskColumn } from '../models/harness.js';

beforeAll(() => tf.setBackend('cpu'));

const raw: PatchReconstructionOptions = { normalize: false };
const signature: Signature = { rows: 1, columns: {} };
const bits = (rows: number[][]): Tensor => tf.tensor2d(rows, undefined, 'int32');

function value(prediction: Tensor, columns: Tensors, options: PatchReconstructionOptions = raw): [sum: number, count: number] {
  const { sum, count } = patchReconstruction(options).build({ prediction }, columns, signature);
  return [sum.dataSync()[0] as number, count.dataSync()[0] as number];
}

/** Predictions of patches of one number whose squared errors against zeros are `errors`. */
const erring = (rows: number[][]): { prediction: Tensor; tokens: Tensor } => {
  const prediction = tf.tensor2d(rows).sqrt().expandDims(2);
  return { prediction, tokens: tf.zerosLike(prediction) };
};

test('card: l = [1, 0, 2, 5], mask [1, 0, 1, 0] gives 1.5', () => {
  const { prediction, tokens } = erring([[1, 0, 2, 5]]);
  const [sum, count] = value(prediction, { tokens, mask: bits([[1, 0, 1, 0]]) });
  expect(sum / count).toBeCloseTo(1.5, 6);
  expect(count).toBe(2);
});

test('card: normalised pixels of [1, 2, 3, 4], unbiased variance; a constant patch is exactly 0', () => {
  const normal = normalizedPatches(
    tf.tensor3d([
      [
        [1, 2, 3, 4],
        [7, 7, 7, 7],
      ],
    ]),
    1e-6,
  ).dataSync();
  [-1.161895, -0.387298, 0.387298, 1.161895].forEach((expected, i) => {
    expect(normal[i]).toBeCloseTo(expected, 5);
  });
  expect([...normal.subarray(4)]).toEqual([0, 0, 0, 0]);
});

test('a constant patch gives no NaN in the gradient', () => {
  const gradient = tf.grad((prediction) => patchReconstruction().build({ prediction }, { tokens: tf.fill([1, 1, 4], 7), mask: bits([[1]]) }, signature).sum)(
    tf.ones([1, 1, 4]),
  );
  expect([...gradient.dataSync()]).toEqual([0.5, 0.5, 0.5, 0.5]);
});

test('one quotient over the batch, not a mean of row means', () => {
  const { prediction, tokens } = erring([
    [1, 9, 9],
    [4, 6, 8],
  ]);
  expect(
    value(prediction, {
      tokens,
      mask: bits([
        [1, 0, 0],
        [1, 1, 1],
      ]),
    }),
  ).toEqual([expect.closeTo(19, 4), 4]);
});

test('weights of rows and of tokens count in both parts', () => {
  const { prediction, tokens } = erring([
    [1, 2],
    [3, 4],
  ]);
  const mask = bits([
    [1, 1],
    [1, 0],
  ]);
  expect(value(prediction, { tokens, mask, weight: tf.tensor1d([2, 0]) })).toEqual([expect.closeTo(6, 5), 4]);
  expect(
    value(prediction, {
      tokens,
      mask,
      weight: tf.tensor2d([
        [2, 0.5],
        [1, 9],
      ]),
    }),
  ).toEqual([expect.closeTo(6, 5), 3.5]);
});

test('parts add up: two halves of a batch give its sum and count', () => {
  const { prediction, tokens } = erring([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const rows = [
    [1, 0, 1],
    [0, 0, 1],
  ];
  const whole = value(prediction, { tokens, mask: bits(rows) });
  const halves = rows.map((row, i) => value(prediction.slice([i], [1]), { tokens: tokens.slice([i], [1]), mask: bits([row]) }));
  expect(whole[0]).toBeCloseTo(
    halves.reduce((sum, [part]) => sum + part, 0),
    5,
  );
  expect(whole[1]).toBe(3);
});

test('padding counts for nothing, whatever it holds and whatever the mask says', () => {
  const prediction = tf.ones([2, 3, 2]);
  const tokens = tf.tensor3d([
    [
      [1, 2],
      [3, 5],
      [Number.NaN, 0],
    ],
    [
      [1, 0],
      [2, 2],
      [2, 4],
    ],
  ]);
  const columns = {
    tokens,
    mask: bits([
      [1, 1, 1],
      [1, 0, 1],
    ]),
    length: tf.tensor1d([2, 3], 'int32'),
  };
  const [sum, count] = value(prediction, columns);
  expect([sum, count]).toEqual([expect.closeTo(0.5 + 10 + 0.5 + 5, 5), 4]);
  const gradient = tf.grad((p) => patchReconstruction(raw).build({ prediction: p }, columns, signature).sum)(prediction);
  expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
  expect([...gradient.slice([0, 2, 0], [1, 1, 2]).dataSync()]).toEqual([0, 0]);
  expect(value(prediction, { ...columns, length: tf.tensor1d([2, 3]) })).toEqual([sum, count]);
});

test('the gradient is exactly 0 at visible patches and not at hidden ones', () => {
  const tokens = formulaTokens(2, 4, 6);
  for (const options of [raw, { normalize: true }]) {
    const gradient = tf.grad(
      (prediction) =>
        patchReconstruction(options).build(
          { prediction },
          {
            tokens: tf.tensor(tokens.data, [2, 4, 6]),
            mask: bits([
              [1, 0, 0, 1],
              [0, 1, 0, 0],
            ]),
          },
          signature,
        ).sum,
    )(tf.fill([2, 4, 6], 0.3));
    const perPatch = gradient.abs().max(2).dataSync();
    expect([...perPatch].map((g) => g > 0)).toEqual([true, false, false, true, false, true, false, false]);
    expect([...perPatch].filter((g) => g === 0)).toHaveLength(5);
  }
});

test('the gradient of the mean loss is 2 (prediction − target) / numbers / count', () => {
  const tokens = tf.tensor3d([
    [
      [0, 1],
      [2, 4],
    ],
  ]);
  const prediction = tf.tensor3d([
    [
      [1, 1],
      [1, 1],
    ],
  ]);
  const gradient = tf.grad((p) => {
    const { sum, count } = patchReconstruction(raw).build({ prediction: p }, { tokens, mask: bits([[1, 1]]) }, signature);
    return sum.div(count);
  })(prediction);
  expect([...gradient.dataSync()]).toEqual([0.5, 0, -0.5, -1.5]);
});

test('nothing hidden: sum and count are 0', () => {
  const { prediction, tokens } = erring([[1, 2]]);
  expect(value(prediction, { tokens, mask: bits([[0, 0]]) })).toEqual([0, 0]);
});

test('inputs and errors', () => {
  const inputs = (columns: Record<string, Column>, options: PatchReconstructionOptions = {}): readonly string[] =>
    patchReconstruction(options).inputs(signatureOf({ ...batchOf({ tokens: formulaTokens(2, 4, 4) }, [2, 2]), columns }));
  const tokens = formulaTokens(2, 4, 4);
  const mask = maskColumn(
    [
      [1, 0, 0, 1],
      [1, 0, 0, 1],
    ],
    [2, 2],
  );
  expect(inputs({ tokens, mask })).toEqual(['tokens', 'mask']);
  expect(inputs({ tokens, mask, length: lengthColumn([4, 4]), weight: { data: new Float32Array(2), shape: [2] } })).toEqual([
    'tokens',
    'mask',
    'weight',
    'length',
  ]);
  expect(() => inputs({ tokens })).toThrow(
    'patchReconstruction.mask: the batch has no mask, so no patch is hidden and there is nothing to reconstruct. Put mask(random({ ratio: 0.75 })) in front of model(…).',
  );
  expect(() => inputs({ mask })).toThrow('patchReconstruction.tokens: the batch has no such column');
  expect(() => inputs({ tokens, mask, weight: { data: new Float32Array(3), shape: [3] } })).toThrow(
    'patchReconstruction.weight: must hold one number a row or one a token; got [3]',
  );
  expect(() => inputs({ tokens: formulaTokens(2, 4, 1), mask })).toThrow('patchReconstruction.normalize: needs patches of at least two numbers');
  expect(() => patchReconstruction({ normalise: true } as never)).toThrow('Did you mean normalize?');
  expect(() => patchReconstruction({ eps: -1 })).toThrow('patchReconstruction.eps');
});
