import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { useBackend } from '../../src/backends/useBackend.js';
import type { Tensor } from '../../src/core/program.js';
import { embedding, sumBySegment } from '../../src/models/layers/embedding.js';
import { FAN, sumPlan, sumSizes } from '../../src/models/sumPlan.js';
import { presentTfjs, tfjsName } from '../backends/presentBackends.js';

const int32 = (data: Int32Array): Tensor => tf.tensor1d(data, 'int32');

/** The plan carried out on numbers, as the layer does it on tensors. */
function carryOut(values: readonly number[], ids: Int32Array, segments: number): number[] {
  const { sources, places } = sumPlan(ids, segments);
  const sums = [0];
  let below = [0, ...values];
  let begin = 0;
  for (const size of sumSizes(ids.length, segments)) {
    const level = Array.from({ length: size }, (_, sum) =>
      sources.subarray(begin + sum * FAN, begin + (sum + 1) * FAN).reduce((total, at) => total + (below[at] as number), 0),
    );
    sums.push(...level);
    below = [0, ...level];
    begin += size * FAN;
  }
  expect(begin).toBe(sources.length);
  return Array.from(places, (at) => sums[at] as number);
}

describe('sumPlan', () => {
  it('adds every row to its own segment exactly once, and nothing to empty ones', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }).chain((segments) => fc.tuple(fc.constant(segments), fc.array(fc.nat({ max: segments - 1 }), { maxLength: 120 }))),
        ([segments, drawn]) => {
          const ids = Int32Array.from(drawn);
          // Powers of two below 2⁵³ cannot be added twice unnoticed; beyond 50 rows random-looking integers serve.
          const values = drawn.map((_, i) => (drawn.length <= 50 ? 2 ** i : ((i * 7919) % 10_007) + 1));
          const expected = new Array<number>(segments).fill(0);
          for (const [i, id] of drawn.entries()) expected[id] = (expected[id] as number) + (values[i] as number);
          expect(carryOut(values, ids, segments)).toEqual(expected);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });

  it('has sizes that no ids exceed: all in one segment, all apart, and between', () => {
    for (const [rows, segments] of [
      [64, 1],
      [65, 1000],
      [256, 256],
      [257, 3],
      [1, 1],
    ] as const) {
      for (const spread of [1, 2, 3, 5, segments]) {
        const ids = Int32Array.from({ length: rows }, (_, i) => i % Math.min(spread, segments));
        expect(carryOut(new Array(rows).fill(1), ids, segments).reduce((a, b) => a + b)).toBe(rows);
      }
    }
  });

  it('depends in its sizes on the numbers of rows and segments alone', () => {
    expect(sumSizes(4096, 30_000)).toEqual([4096, 819, 240, 63, 15, 3]);
    expect(sumPlan(new Int32Array(64), 10).sources.length).toBe(
      sumPlan(
        Int32Array.from({ length: 64 }, (_, i) => i % 10),
        10,
      ).sources.length,
    );
    expect(sumSizes(0, 5)).toEqual([]);
  });

  it('refuses ids outside', () => {
    expect(() => sumPlan(Int32Array.of(0, 4), 4)).toThrow('sumPlan.ids: must be integers from 0 to 3; got 4');
    expect(() => sumPlan(Int32Array.of(-1), 4)).toThrow('got -1');
  });
});

describe.each(await presentTfjs())('embedding on %s', (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  it('reads rows, and its planned gradient is that of gather', async () => {
    const [segments, width] = [17, 3];
    const ids = Int32Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 5 : (i * i) % segments));
    const table = tf.tensor2d(
      Float32Array.from({ length: segments * width }, (_, i) => Math.sin(i)),
      [segments, width],
    );
    const factor = tf.tensor(
      Float32Array.from({ length: 60 * width }, (_, i) => Math.cos(0.3 * i)),
      [4, 15, width],
    );
    const { sources, places } = sumPlan(ids, segments);
    const flow = (plan?: { sources: Tensor; places: Tensor }) =>
      tf.valueAndGrad((x: Tensor) =>
        embedding(x, int32(ids).reshape([4, 15]), plan)
          .mul(factor)
          .sum(),
      )(table);
    const planned = flow({ sources: int32(sources), places: int32(places) });
    const plain = flow();
    expect((await planned.value.data())[0]).toBe((await plain.value.data())[0]);
    const [a, b] = [await planned.grad.data(), await plain.grad.data()];
    for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i] as number, 5);
  });

  it('sums no rows to zeros', async () => {
    const { sources, places } = sumPlan(new Int32Array(0), 2);
    const sums = sumBySegment(tf.zeros([0, 3]), { sources: int32(sources), places: int32(places) }, 0, 2);
    expect([...(await sums.data())]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
