// Numbers that are none, bounds of the types, divisors of 0, empty tensors: what tfjs's `cpu` answers, the compiled engine
// answers, but for the differences that docs/kernels.md lists, which are asserted as they are.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCpu } from '../../../src/backends/cpu.js';
import { trace } from '../../../src/backends/onnx/trace.js';
import type { Tensor } from '../../../src/core/program.js';
import { agree, close } from './agree.js';
import { present, runGraph } from './runGraph.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const floats = Float32Array.of(nan, inf, -inf, 0, -0, 1e-7, -1e-7, 1e-3, -1e-3, 0.5, -0.5, 1.5, 2.5, -1.5, 20, -20, 90, -90, 1e4, -1e4, 3e9, -3e9, 1e30, -1e30);
const integers = Int32Array.of(0, 1, -1, 2, -3, 7, -7, 2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1);

/** Outputs of one unary or binary call on these elements, each with each. */
async function outputs(
  op: (a: Tensor, b: Tensor) => Tensor,
  data: Float32Array | Int32Array,
  binary: boolean,
): Promise<{ got: ArrayLike<number>; wanted: ArrayLike<number> }> {
  const dtype = data instanceof Float32Array ? 'float32' : 'int32';
  const shape = [data.length, ...(binary ? [1] : [])];
  const graph = trace({ a: { shape, dtype }, b: { shape: [data.length], dtype } }, ({ a, b }) => ({ y: op(a as Tensor, b as Tensor) }));
  const { y } = await runGraph(graph, { a: data, b: data });
  return { got: y?.data as Float32Array, wanted: op(tf.tensor(data, shape, dtype), tf.tensor(data, [data.length], dtype)).dataSync() };
}

describe.runIf(present())('special values', () => {
  beforeAll(loadCpu);

  const unary: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    ...{ abs: tf.abs, acos: tf.acos, acosh: tf.acosh, asin: tf.asin, asinh: tf.asinh, atan: tf.atan, atanh: tf.atanh, ceil: tf.ceil, cos: tf.cos },
    ...{ cosh: tf.cosh, elu: tf.elu, erf: tf.erf, exp: tf.exp, expm1: tf.expm1, floor: tf.floor, isFinite: tf.isFinite, isInf: tf.isInf, isNaN: tf.isNaN },
    ...{ log: tf.log, log1p: tf.log1p, neg: tf.neg, reciprocal: tf.reciprocal, relu: tf.relu, relu6: tf.relu6, round: tf.round, rsqrt: tf.rsqrt },
    ...{ selu: tf.selu, sigmoid: tf.sigmoid, sin: tf.sin, sinh: tf.sinh, softplus: tf.softplus, sqrt: tf.sqrt, square: tf.square, tan: tf.tan, tanh: tf.tanh },
    clipByValue: (x) => tf.clipByValue(x, -1, 2),
    leakyRelu: (x) => tf.leakyRelu(x, 0.2),
    'cast to bool': (x) => tf.cast(x, 'bool'),
    'softmax with −∞': (x) => tf.softmax(x.slice([2], [5])),
    'softmax of large numbers': (x) => tf.softmax(x.slice([14], [6])),
    'sum with NaN': (x) => x.sum(),
  };
  it.each(Object.entries(unary))('%s', async (name, op) => {
    const { got, wanted } = await outputs((x) => op(x), floats, false);
    close(name, got, wanted, 2e-6);
  });

  it('expm1 and log1p keep the digits of small numbers', async () => {
    const small = Float32Array.from({ length: 60 }, (_, i) => (i % 2 ? -1 : 1) * 10 ** (-i / 8));
    for (const op of [tf.expm1, tf.log1p]) {
      const { got, wanted } = await outputs(
        (x) => op(x),
        small.map((x) => 0.9 * x),
        false,
      );
      for (let i = 0; i < small.length; i++) expect(Math.abs((got[i] as number) / (wanted[i] as number) - 1)).toBeLessThan(1e-6);
    }
  });

  const binary: Readonly<Record<string, (a: Tensor, b: Tensor) => Tensor>> = {
    ...{ maximum: tf.maximum, minimum: tf.minimum, pow: tf.pow, equal: tf.equal, notEqual: tf.notEqual, greater: tf.greater, greaterEqual: tf.greaterEqual },
    ...{ less: tf.less, lessEqual: tf.lessEqual, div: tf.div, squaredDifference: tf.squaredDifference, prelu: tf.prelu as typeof tf.mul },
  };
  it.each(Object.entries(binary))('%s of floats, each with each', async (name, op) => {
    const { got, wanted } = await outputs(op, floats, true);
    close(name, got, wanted, 2e-6);
  });

  it.each(
    Object.entries({ ...{ add: tf.add, sub: tf.sub, floorDiv: tf.floorDiv, div: tf.div, mod: tf.mod, maximum: tf.maximum, less: tf.less, equal: tf.equal } }),
  )('%s of int32, each with each, 0 among the divisors', async (name, op) => {
    const { got, wanted } = await outputs(op, integers, true);
    close(name, got, wanted, 0);
  });

  it('the first of equal largest elements is the one', async () => {
    const ties = { shape: [2, 6], dtype: 'float32' as const, data: Float32Array.of(1, 3, 3, 2, 3, 0, -1, -1, -2, -2, -1, -1) };
    for (const apply of [(x: Tensor) => tf.argMax(x, 1), (x: Tensor) => tf.argMin(x, 1), (x: Tensor) => tf.topk(x, 4).indices]) {
      await agree({ inputs: [ties], apply: (x) => apply(x as Tensor) }, { gradient: false });
    }
    await agree({
      inputs: [ties],
      apply: (x) => [tf.max(x as Tensor, 1), tf.min(x as Tensor, 1), tf.relu(tf.add(x as Tensor, 1)), tf.maximum(x as Tensor, -1)],
    });
  });

  it('empty tensors pass', async () => {
    const inputs = [
      { shape: [2, 3], dtype: 'float32' as const, data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      { shape: [0, 2], dtype: 'float32' as const, data: new Float32Array(0) },
    ];
    const calls: ((x: Tensor, empty: Tensor) => Tensor)[] = [
      (x, empty) => tf.matMul(empty, x),
      (_, empty) => tf.matMul(empty, empty, true),
      (x, empty) => tf.concat([empty, x.slice([0, 0], [2, 2])]),
      (_, empty) => empty.reshape([2, 0, 1]).add(1),
      (_, empty) => empty.sum(),
      (_, empty) => empty.sum(1),
      (x) => tf.gather(x, tf.zeros([0], 'int32')),
      (x) => x.slice([0, 0], [0, 3]),
      (_, empty) =>
        tf.pad(empty, [
          [1, 0],
          [0, 0],
        ]),
    ];
    for (const call of calls) await agree({ inputs, apply: (x, empty) => call(x as Tensor, empty as Tensor) }, { gradient: false });
  });

  it('a single part of unstack and split is the whole', async () => {
    const x = { shape: [1, 3], dtype: 'float32' as const, data: Float32Array.of(1, 2, 3) };
    await agree({ inputs: [x], apply: (t) => [...tf.unstack(t as Tensor), ...tf.split(t as Tensor, 1)] }, { gradient: false });
  });

  it('differs from tfjs where docs/kernels.md says so', async () => {
    const one = async (op: (x: Tensor) => Tensor, ...data: number[]): Promise<number[]> =>
      Array.from((await outputs((x) => op(x), Float32Array.of(...data), false)).got);
    expect(await one(tf.sigmoid, -20)).toEqual([0]);
    expect(await one((x) => tf.step(x, 0.5), nan)).toEqual([0.5]);
    expect(await one(tf.sign, nan)).toEqual([nan]);
    // 2,130,706,431 modulo 2³²: exact, where JavaScript's product of float64 is rounded.
    expect(Array.from((await outputs(tf.mul, Int32Array.of(2 ** 31 - 1, 2 ** 24 + 1), false)).got)).toEqual([1, 33554433]);
  });

  it('the gradient of gather adds where rows are read twice, and an index beyond ends the run', async () => {
    const graph = trace({ x: { shape: [3, 2], dtype: 'float32' }, i: { shape: [4], dtype: 'int32' } }, ({ x, i }) => ({
      dx: tf.grad((t) =>
        tf
          .gather(t as Tensor, i as tf.Tensor1D)
          .square()
          .sum(),
      )(x as Tensor),
    }));
    const x = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect((await runGraph(graph, { x, i: Int32Array.of(2, 0, 2, 2) })).dx?.data).toEqual(Float32Array.of(2, 4, 0, 0, 30, 36));
    await expect(runGraph(graph, { x, i: Int32Array.of(0, 1, 2, 3) })).rejects.toThrow(/indices element out of data bounds/);
  });

  it.each([
    [7, 64, 'Gemm'],
    [5000, 4, 'ScatterElements'],
  ] as const)('sums into %i segments of width %i lose nothing with threads', async (segments, width, op) => {
    const rows = 20_000;
    const sums = (x: Tensor, ids: Tensor): Tensor => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, segments);
    const graph = trace({ x: { shape: [rows, width], dtype: 'float32' }, ids: { shape: [rows], dtype: 'int32' } }, ({ x, ids }) => ({
      y: sums(x as Tensor, ids as Tensor),
    }));
    expect(graph.nodes.map((node) => node.op)).toContain(op);
    // The same few segments again and again, which is where additions at once would go missing.
    const ids = Int32Array.from({ length: rows }, (_, i) => (i % 3) - 1);
    const wanted = [-1, 0, 1].map((id) => ids.filter((other) => other === id).length);
    for (let run = 0; run < 5; run++) {
      const { y } = await runGraph(graph, { x: new Float32Array(rows * width).fill(1), ids }, 4);
      expect([y?.data[0], y?.data[width - 1], y?.data[width], y?.data[2 * width]]).toEqual([wanted[1], wanted[1], wanted[2], 0]);
    }
  });

  it('the gradient of a gather has no second check of the indices', () => {
    const graph = trace({ x: { shape: [4000, 2], dtype: 'float32' }, i: { shape: [4], dtype: 'int32' } }, ({ x, i }) => ({
      dx: tf.grad((t) =>
        tf
          .gather(t as Tensor, i as tf.Tensor1D)
          .square()
          .sum(),
      )(x as Tensor),
    }));
    const used = graph.nodes.map((node) => node.op);
    expect(used).toContain('ScatterElements');
    expect(used).not.toContain('Where');
  });
});
