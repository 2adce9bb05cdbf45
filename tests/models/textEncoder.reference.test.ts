// Reference values of the official implementations: Hugging Face's BertForMaskedLM and, with a mask that hides padding only,
// LlamaForCausalLM, with weights by a formula (bench/interop/textReference.py writes the file).
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { type Parameters, signatureOf } from '../../src/core/program.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { type TextEncoder, textEncoder } from '../../src/models/textEncoder.js';
import { withLoss } from '../../src/operators/loss.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { presentBackends, presentTfjs, tfjsName } from '../backends/presentBackends.js';
import { type Values, batchOf, forward, largestDifference, lengthColumn, lossAndGradients, prepared } from './harness.js';

interface Answer {
  readonly logits: number[];
  readonly loss: number;
  /** Norm, and inner product with cos(0), cos(1), …, of the gradient of the mean loss. */
  readonly gradients: Record<string, [number, number]>;
}
interface Reference {
  readonly tokens: number[][];
  readonly lengths: number[];
  readonly segments: number[][];
  readonly labels: number[][];
  readonly bert: Answer;
  readonly modern: Answer;
}
const reference = JSON.parse(readFileSync(new URL('./textEncoder.reference.json', import.meta.url), 'utf8')) as Reference;

const sizes = { vocabulary: 13, width: 8, depth: 2, heads: 2, hidden: 12, positions: 10 };
const ints = (rows: number[][]): { data: Int32Array; shape: number[] } => ({ data: Int32Array.from(rows.flat()), shape: [rows.length, 7] });
const plain = batchOf({
  tokens: ints(reference.tokens),
  length: lengthColumn(reference.lengths),
  segments: ints(reference.segments),
  labels: ints(reference.labels),
});

function values(parameters: Parameters): Values {
  const names = Object.keys(parameters).sort();
  return Object.fromEntries(
    names.map((name, j) => {
      const size = parameters[name]?.shape.reduce((a, b) => a * b, 1) ?? 0;
      return [name, Float32Array.from({ length: size }, (_, i) => 0.3 * Math.sin(1 + 0.37 * i + 1.3 * j) + (/norm\.weight$/i.test(name) ? 1 : 0))];
    }),
  );
}

/** Numbers of the tokens that exist. */
function existing(logits: Float32Array): number[] {
  return reference.lengths.flatMap((length, row) => [...logits.subarray(row * 7 * 13, (row * 7 + length) * 13)]);
}

const models: readonly (readonly [string, TextEncoder, Answer])[] = [
  ['BertForMaskedLM', textEncoder(sizes), reference.bert],
  ['LlamaForCausalLM, bidirectional', textEncoder({ ...sizes, architecture: 'modern' }), reference.modern],
];

describe.each(await presentTfjs())('on %s', { timeout: 120_000 }, (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  test.each(models)('%s: logits of all tokens that exist', async (_, program, answer) => {
    const batch = prepared(program, plain);
    const logits = await forward(program, batch, 'logits', values(program.parameters(signatureOf(batch))));
    expect(largestDifference(existing(logits), answer.logits)).toBeLessThan(2e-5);
  });

  test.each(models)('%s: loss and the gradient of every parameter, with the plans of prepare and without', async (_, program, answer) => {
    for (const batch of [prepared(program, plain), plain]) {
      const { sum, count, gradients } = await lossAndGradients(program, maskedLanguage(), batch, values(program.parameters(signatureOf(batch))));
      expect(count).toBe(reference.labels.flat().filter((label) => label >= 0).length);
      expect(sum / count).toBeCloseTo(answer.loss, 5);
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(answer.gradients));
      for (const [parameter, [norm, projection]] of Object.entries(answer.gradients)) {
        const gradient = Array.from(gradients[parameter] as Float32Array, (g) => g / count);
        const scale = Math.max(norm, 1e-3);
        expect(Math.abs(Math.hypot(...gradient) - norm) / scale, parameter).toBeLessThan(2e-4);
        expect(Math.abs(gradient.reduce((total, g, i) => total + g * Math.cos(i), 0) - projection) / scale, parameter).toBeLessThan(2e-4);
      }
    }
  });
});

describe.each(await presentBackends({ software: false }))('the executor on %s', { timeout: 120_000 }, (name) => {
  test.each(models)('%s: logits, and a step that lowers the loss', async (_, program, answer) => {
    const executor = await createExecutor({ backend: name, seed: 0 });
    try {
      const batch = prepared(program, plain);
      const parameters = program.parameters(signatureOf(batch));
      const stored = values(parameters);
      await executor.weights.restore(
        'student',
        new Map(Object.entries(parameters).map(([parameter, { shape }]) => [parameter, { data: stored[parameter] as Float32Array, shape }])),
      );
      const { logits } = await executor.evaluate(program, batch, ['logits']);
      expect(largestDifference(existing(logits.data), answer.logits)).toBeLessThan(2e-5);
      const learning = withLoss(program, maskedLanguage());
      const optimizer = adamw();
      const first = await executor.step(learning, batch, optimizer, { learningRate: 0.01, step: 1 }, {});
      expect(first.sum / first.count).toBeCloseTo(answer.loss, 4);
      const second = await executor.step(learning, batch, optimizer, { learningRate: 0.01, step: 2 }, {});
      expect(second.sum).toBeLessThan(first.sum);
    } finally {
      executor.dispose();
    }
  });
});
