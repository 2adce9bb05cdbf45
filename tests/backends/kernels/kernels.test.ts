import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { chooseBackend } from '../../../src/backends/index.js';
import { registerBatchMatMul } from '../../../src/backends/kernels/batchMatMul.js';
import { registerCast } from '../../../src/backends/kernels/cast.js';
import { registerGatherV2 } from '../../../src/backends/kernels/gatherV2.js';
import { registerIdentity } from '../../../src/backends/kernels/identity.js';
import { registerUnsortedSegmentSum, unsortedSegmentSum } from '../../../src/backends/kernels/unsortedSegmentSum.js';
import { normals, rootKey } from '../../../src/core/key.js';

const random = (shape: number[], seed = 0): tf.Tensor =>
  tf.tensor(
    Float32Array.from(
      normals(
        rootKey(seed),
        shape.reduce((a, b) => a * b, 1),
      ),
    ),
    shape,
  );

/** The same computation on both backends; values must agree, and nothing may stay alive. */
async function onBoth(compute: () => tf.Tensor): Promise<void> {
  const results: number[][] = [];
  for (const name of ['cpu', 'wasm']) {
    await tf.setBackend(name);
    const before = { ...tf.memory() };
    const output = tf.tidy(compute);
    results.push([...output.dataSync(), ...output.shape]);
    output.dispose();
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
  }
  const [cpu, wasm] = results as [number[], number[]];
  expect(wasm.length).toBe(cpu.length);
  wasm.forEach((value, i) => expect(Math.abs(value - (cpu[i] as number))).toBeLessThanOrEqual(2e-5 * (1 + Math.abs(cpu[i] as number))));
}

beforeAll(async () => {
  await chooseBackend({ backend: 'cpu' });
  await chooseBackend({ backend: 'wasm' });
});

describe('unsortedSegmentSum', () => {
  it('adds rows to their segments, in order, and drops ids out of range', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2, max: 7 }), { maxLength: 20 }), fc.nat(5), fc.integer({ min: 1, max: 4 }), (ids, segments, width) => {
        const x = Float32Array.from({ length: ids.length * width }, (_, i) => ((i * 7919) % 31) / 4);
        const wanted = Array.from({ length: segments * width }, (_, i) =>
          ids.reduce((sum, id, row) => sum + (id === Math.floor(i / width) ? (x[row * width + (i % width)] as number) : 0), 0),
        );
        expect([...unsortedSegmentSum(x, ids, segments, width)]).toEqual(wanted);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('keeps int32, and says what it wants of the ids', async () => {
    expect(unsortedSegmentSum(Int32Array.of(1, 2, 3), [0, 0, 1], 2, 1)).toEqual(Int32Array.of(3, 3));
    for (const name of ['cpu', 'wasm']) {
      await tf.setBackend(name);
      expect(() => tf.tidy(() => tf.unsortedSegmentSum(tf.ones([3, 2]), tf.tensor1d([0, 1], 'int32'), 2))).toThrow(
        /segment ids must have shape \[3\], one a row of x; got \[2\]/,
      );
    }
  });

  it('serves gathers of any shape alike on both backends', async () => {
    for (const [rows, width, picks] of [
      [6, 5, 11],
      [1, 1, 3],
      [40, 16, 7],
    ] as const) {
      await onBoth(() => {
        const index = tf.tensor1d(
          Array.from({ length: picks }, (_, i) => (i * 5) % rows),
          'int32',
        );
        return tf.grad((x) => tf.gather(x, index).square().sum())(random([rows, width]));
      });
    }
  });
});

describe('batchMatMul', () => {
  it('all forms agree with the cpu backend, ranks 2 and 3, forward and gradient', async () => {
    const sides = fc.integer({ min: 1, max: 19 });
    await fc.assert(
      fc.asyncProperty(sides, sides, sides, fc.boolean(), fc.boolean(), fc.constantFrom([], [1], [3]), async (m, k, n, ta, tb, batch) => {
        const [a, b] = [
          [...batch, ...(ta ? [k, m] : [m, k])],
          [...batch, ...(tb ? [n, k] : [k, n])],
        ];
        await onBoth(() => tf.matMul(random(a), random(b, 1), ta, tb));
        await onBoth(() => tf.grad((x) => tf.matMul(x, random(b, 1), ta, tb).square().sum())(random(a)));
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});

describe('gatherV2', () => {
  it('gathers with batch dimensions as the cpu backend does', async () => {
    await onBoth(() => tf.gather(random([3, 5, 2]), tf.tensor2d([4, 0, 4, 1, 2, 3], [3, 2], 'int32'), 1, 1));
    await onBoth(() => tf.gather(random([2, 3, 4, 2]), tf.tensor2d([3, 0, 1, 1, 2, 0], [2, 3], 'int32'), 2, 1));
    await onBoth(() => tf.gather(tf.range(0, 12, 1, 'int32').reshape([2, 6]), tf.tensor2d([5, 0, 1, 2], [2, 2], 'int32'), 1, 1));
    await tf.setBackend('wasm');
    expect(() => tf.tidy(() => tf.gather(random([2, 3]), tf.tensor2d([3, 0], [2, 1], 'int32'), 1, 1))).toThrow(/the index 3 is not in \[0, 2\]/);
  });
});

describe('identity', () => {
  it('clones share their values, and each frees its own share', async () => {
    await tf.setBackend('wasm');
    const before = tf.memory().numDataBuffers;
    const a = tf.tensor1d([1, 2, 3]);
    const b = a.clone();
    const c = b.reshape([3, 1]).clone();
    expect(tf.memory().numDataBuffers).toBe(before + 1);
    a.dispose();
    const noise = tf.tensor1d([7, 8, 9]); // would take the place of values that were freed too early
    expect([...b.dataSync()]).toEqual([1, 2, 3]);
    b.dispose();
    expect([...tf.tidy(() => c.add(1)).dataSync()]).toEqual([2, 3, 4]);
    tf.dispose([b, c, noise]);
    await onBoth(() => tf.grad((x) => x.clone().mul(x).sum())(random([4])));
  });
});

describe('cast', () => {
  it('to bool says whether a number is other than 0, as the cpu backend does', async () => {
    for (const numbers of [tf.tensor1d, (values: number[]) => tf.tensor1d(values, 'int32')]) {
      const values = numbers === tf.tensor1d ? [0, -0, 0.5, 2, -1, 256, 257, Number.NaN, 1e-40] : [0, 1, 2, -1, 256, 257];
      await onBoth(() => numbers(values).toBool());
      await onBoth(() => numbers(values).toBool().logicalNot());
      await onBoth(() => numbers(values).toBool().toFloat());
    }
    await onBoth(() => tf.zeros([0, 3]).toBool());
    await onBoth(() => random([3, 2]).greater(0).toBool());
    await onBoth(() => random([3, 2]).mul(10).toInt());
  });
});

it('registering again changes nothing', () => {
  const kernels = (): unknown[] => ['BatchMatMul', 'Cast', 'GatherV2', 'Identity', 'UnsortedSegmentSum'].map((name) => tf.getKernel(name, 'wasm')?.kernelFunc);
  const before = kernels();
  registerBatchMatMul();
  registerCast();
  registerGatherV2();
  registerIdentity();
  registerUnsortedSegmentSum('wasm');
  expect(kernels()).toEqual(before);
});
