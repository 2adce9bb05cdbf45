import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recorders } from '../../../src/backends/onnx/kernels/index.js';
import { operations } from '../operations.js';
import { agree } from './agree.js';
import { Drawn, type KernelCase } from './cases/drawn.js';
import { elementwise } from './cases/elementwise.js';
import { gathers } from './cases/gathers.js';
import { products } from './cases/products.js';
import { reductions } from './cases/reductions.js';
import { shapes } from './cases/shape.js';
import { present } from './runGraph.js';
import { normals, rootKey } from '../../../src/core/key.js';

const families: Readonly<Record<string, readonly KernelCase[]>> = { products, elementwise, reductions, gathers, shapes };
/** Examples of each; a fixed seed, so that every run sees the same ones. */
const RUNS = 6;

describe.runIf(present())('kernels against tfjs cpu', () => {
  describe.each(Object.entries(families))('%s', (_, cases) => {
    it.each(cases.map((entry) => [entry.title ?? entry.kernel, entry] as const))('%s', async (__, { kernel, draw, gradient = true, tolerance = 1e-5 }) => {
      const ran = new Set<string>();
      const property = fc.asyncProperty(fc.gen(), async (generate) => {
        for (const name of await agree(draw(new Drawn(generate)), { gradient, tolerance })) ran.add(name);
      });
      const result = await fc.check(property, { numRuns: RUNS, seed: 20261124 });
      if (result.failed) throw new Error(`drawn: ${fc.stringify(result.counterexample)}; ${String(result.errorInstance)}`, { cause: result.errorInstance });
      expect([...ran]).toContain(kernel);
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
    await agree({ inputs, apply: (...xs) => apply(...xs).clone() }, { gradient: forwardOnly !== true });
  });
});

it('every kernel that can be recorded has a case here and a line in docs/kernels.md', () => {
  const known = Object.keys(recorders).sort();
  const covered = new Set(Object.values(families).flatMap((cases) => cases.map(({ kernel }) => kernel)));
  expect([...covered].sort()).toEqual(known);
  const rows = readFileSync(new URL('../../../docs/kernels.md', import.meta.url), 'utf8').matchAll(/^\| (`\w+`(?: `\w+`)*) \|/gm);
  expect([...rows].flatMap(([, names]) => (names as string).match(/\w+/g) ?? []).sort()).toEqual(known);
});
