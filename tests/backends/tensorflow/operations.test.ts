// Every operation that a trace or a rewrite rule can leave in a graph, in TensorFlow against tfjs's `cpu`.
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { normals, rootKey } from '../../../src/core/key.js';
import { agree } from '../onnx/agree.js';
import { Drawn, type KernelCase } from '../onnx/cases/drawn.js';
import { elementwise } from '../onnx/cases/elementwise.js';
import { gathers } from '../onnx/cases/gathers.js';
import { products } from '../onnx/cases/products.js';
import { reductions } from '../onnx/cases/reductions.js';
import { shapes } from '../onnx/cases/shape.js';
import { operations } from '../operations.js';
import { presentBackends } from '../presentBackends.js';
import { runTensorflow as run } from './runTensorflow.js';

const families: Readonly<Record<string, readonly KernelCase[]>> = { products, elementwise, reductions, gathers, shapes };
/** Examples of each; a fixed seed, so that every run sees the same ones. */
const RUNS = 3;
const present = await presentBackends({ only: ['tfjs-node'] });

describe.runIf(present.length > 0)('kernels as graphs of TensorFlow', () => {
  describe.each(Object.entries(families))('%s', (_, cases) => {
    it.each(cases.map((entry) => [entry.title ?? entry.kernel, entry] as const))('%s', async (__, { draw, gradient = true, tolerance = 1e-5 }) => {
      const property = fc.asyncProperty(fc.gen(), async (generate) => void (await agree(draw(new Drawn(generate)), { gradient, tolerance, run })));
      const result = await fc.check(property, { numRuns: RUNS, seed: 20261124 });
      if (result.failed) throw new Error(`drawn: ${fc.stringify(result.counterexample)}; ${String(result.errorInstance)}`, { cause: result.errorInstance });
    });
  });

  it.each(operations.map((operation) => [operation.name, operation] as const))('operation %s', async (_, { shapes: sides, positive, apply, forwardOnly }) => {
    const inputs = sides.map((shape, i) => ({
      shape,
      dtype: 'float32' as const,
      data: Float32Array.from(
        normals(
          rootKey(i),
          shape.reduce((a, b) => a * b, 1),
        ),
        (x) => (positive ? 0.2 + Math.abs(x) : x),
      ),
    }));
    await agree({ inputs, apply: (...xs) => apply(...xs).clone() }, { gradient: forwardOnly !== true, run });
  });
});
