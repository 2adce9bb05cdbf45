// Compares a graph with tfjs's `cpu` backend: outputs and gradients, their shapes and their types.
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { registerUnsortedSegmentSum } from '../../../src/backends/kernels/unsortedSegmentSum.js';
import type { Graph } from '../../../src/backends/onnx/graph.js';
import { trace } from '../../../src/backends/onnx/trace.js';
import { normals, rootKey } from '../../../src/core/key.js';
import type { Specs, Tensors } from '../../../src/core/program.js';
import { type Example, type Given, size } from './cases/drawn.js';
import { type Output, runGraph } from './runGraph.js';

export interface Compared {
  readonly gradient?: boolean;
  /** |a − b| ≤ tolerance · (1 + |b|); float32 against tfjs's float64 inside one operation. */
  readonly tolerance?: number;
  /** What computes the graph; default: ONNX Runtime. */
  readonly run?: (graph: Graph, feeds: Parameters<typeof runGraph>[1]) => Promise<Readonly<Record<string, Output>>>;
}

/** Checks an example; answers the names of the kernels that `cpu` ran for it. */
export async function agree({ inputs, apply }: Example, { gradient = true, tolerance = 1e-5, run = runGraph }: Compared = {}): Promise<readonly string[]> {
  registerUnsortedSegmentSum('cpu');
  await tf.setBackend('cpu');
  const all = (tensors: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(tensors) ? tensors : [tensors]);
  const names = inputs.map((_, i) => `x${i}`);
  const uploaded = (): tf.Tensor[] => inputs.map(({ data, shape, dtype }) => tf.tensor(data as Float32Array, [...shape], dtype));
  const shapes = tf.tidy(() => all(apply(...uploaded())).map(({ shape, dtype }) => ({ shape, dtype })));
  const floats = names.filter((_, i) => inputs[i]?.dtype === 'float32');
  const derives = gradient && floats.length > 0 && shapes.some(({ dtype }) => dtype === 'float32');
  // The directions are inputs as well, so that nothing of the backward pass is a constant.
  const directions = shapes.map(({ shape }, k): Given => ({ shape, dtype: 'float32', data: Float32Array.from(normals(rootKey(77 + k), size(shape))) }));
  const given = new Map<string, Given>([...names.map((name, i) => [name, inputs[i] as Given] as const), ...directions.map((d, k) => [`d${k}`, d] as const)]);

  const build = (tensors: Tensors): Record<string, tf.Tensor> => {
    const own = (): tf.Tensor[] =>
      names.map((name, i) => {
        const tensor = tensors[name] as tf.Tensor;
        return inputs[i]?.dtype === 'bool' && tensor.dtype !== 'bool' ? tensor.cast('bool') : tensor;
      });
    const outputs = all(apply(...own()));
    const result: Record<string, tf.Tensor> = Object.fromEntries(outputs.map((y, k) => [`y${k}`, y]));
    if (!derives) return result;
    const scalar = (): tf.Scalar =>
      all(apply(...own())).reduce<tf.Tensor>(
        (sum, y, k) => (y.dtype === 'float32' ? sum.add(y.mul(tensors[`d${k}`] as tf.Tensor).sum()) : sum),
        tf.scalar(0),
      ) as tf.Scalar;
    const { grads } = tf.engine().gradients(
      scalar,
      floats.map((name) => tensors[name] as tf.Tensor),
      undefined,
      true,
    );
    floats.forEach((name, i) => {
      if (grads[i] != null) result[`gradient of ${name}`] = grads[i] as tf.Tensor;
    });
    return result;
  };

  const specs: Specs = Object.fromEntries([...given].map(([name, { shape, dtype }]) => [name, { shape, dtype: dtype === 'bool' ? 'uint8' : dtype }]));
  const before = { ...tf.memory() };
  const graph = trace(specs, build);
  const after = tf.memory();
  expect([after.numTensors, after.numDataBuffers, after.numBytes]).toEqual([before.numTensors, before.numDataBuffers, before.numBytes]);
  const got = await run(graph, Object.fromEntries([...given].map(([name, { data }]) => [name, data])));

  const uploads = Object.fromEntries([...given].map(([name, { data, shape, dtype }]) => [name, tf.tensor(data as Float32Array, [...shape], dtype)]));
  const profile = await tf
    .profile(() => build(uploads))
    .finally(() => {
      // tfjs leaves it on where the work throws.
      tf.engine().state.profiling = false;
    });
  const wanted = profile.result as unknown as Record<string, tf.Tensor>;
  expect(Object.keys(got).sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, tensor] of Object.entries(wanted)) {
    const output = got[name]!;
    expect([name, output.type, output.shape]).toEqual([name, tensor.dtype, tensor.shape]);
    close(name, output.data as Float32Array, tensor.dataSync(), tolerance);
  }
  return profile.kernelNames;
}

export function close(name: string, got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [got[i] as number, wanted[i] as number];
    if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)))) expect.fail(`${name}, element ${i}: ${a}, tfjs cpu ${b}`);
  }
}
