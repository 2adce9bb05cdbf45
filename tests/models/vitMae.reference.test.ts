// Reference values of the official implementation: Hugging Face's ViTMAEForPreTraining with weights, tokens and masks given
// by formulas (harness.ts); prediction, features, loss and a projection of every gradient.
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { useBackend } from '../../src/backends/useBackend.js';
import { signatureOf } from '../../src/core/program.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { presentTfjs, tfjsName } from '../backends/presentBackends.js';
import { batchOf, formulaTokens, formulaValues, forward, largestDifference, lossAndGradients, maskColumn, prepared } from './harness.js';

interface Reference {
  readonly mask: number[][];
  readonly loss: number;
  readonly prediction: number[];
  readonly cls: number[];
  readonly meanOfPatches: number[];
  /** Norm, and inner product with cos(0), cos(1), …, of the gradient of the mean loss. */
  readonly gradients: Record<string, [number, number]>;
}
const reference = JSON.parse(readFileSync(new URL('./vitMae.reference.json', import.meta.url), 'utf8')) as Reference;

const program = vitMae({ width: 8, depth: 2, heads: 2, channels: 2, decoder: { width: 12, depth: 1, heads: 3 } });
const batch = prepared(program, batchOf({ tokens: formulaTokens(2, 9, 18), mask: maskColumn(reference.mask, [3, 3]) }, [3, 3]));
const values = formulaValues(program.parameters(signatureOf(batch)));

describe.each(await presentTfjs())('on %s', { timeout: 120_000 }, (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  test('the prediction equals that of transformers', async () => {
    expect(largestDifference(await forward(program, batch, 'prediction', values), reference.prediction)).toBeLessThan(2e-5);
  });

  test('class token and mean of the visible patches equal those of transformers', async () => {
    expect(largestDifference(await forward(program, batch, 'cls', values), reference.cls)).toBeLessThan(2e-5);
    expect(largestDifference(await forward(program, batch, 'features', values), reference.meanOfPatches)).toBeLessThan(2e-5);
  });

  test('the normalised loss and the gradient of every parameter equal those of transformers', async () => {
    const { sum, count, gradients } = await lossAndGradients(program, patchReconstruction({ normalize: true }), batch, values);
    expect(count).toBe(10);
    expect(sum / count).toBeCloseTo(reference.loss, 5);
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(reference.gradients));
    for (const [name, [norm, projection]] of Object.entries(reference.gradients)) {
      const gradient = Array.from(gradients[name] as Float32Array, (g) => g / count);
      const scale = Math.max(norm, 1e-3);
      expect(Math.abs(Math.hypot(...gradient) - norm) / scale, name).toBeLessThan(1e-4);
      expect(Math.abs(gradient.reduce((total, g, i) => total + g * Math.cos(i), 0) - projection) / scale, name).toBeLessThan(1e-4);
    }
  });
});
