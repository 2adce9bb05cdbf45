// Whole steps as graphs of TensorFlow, against the same engine operation by operation. That the executor computes right,
// frees what it makes and resumes exactly is the suites' of all engines (conformance, memory/executor, resume/engines).
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { chooseBackend } from '../../../src/backends/index.js';
import { type TensorflowExecutorOptions, tensorflowExecutor } from '../../../src/backends/tensorflow/tensorflowExecutor.js';
import type { AnyBatch, Column } from '../../../src/core/batch.js';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import type { Executor, Optimizer, Program, Tensor } from '../../../src/core/program.js';
import { recipe } from '../../../src/core/recipe.js';
import { crossEntropy } from '../../../src/losses/crossEntropy.js';
import { maskedLanguage } from '../../../src/losses/maskedLanguage.js';
import { patchReconstruction } from '../../../src/losses/patchReconstruction.js';
import { linearClassifier } from '../../../src/models/linearClassifier.js';
import { textEncoder } from '../../../src/models/textEncoder.js';
import { vitMae } from '../../../src/models/vitMae.js';
import { withLoss } from '../../../src/operators/loss.js';
import { adamw } from '../../../src/optimizers/adamw.js';
import { sgd as ourSgd } from '../../../src/optimizers/sgd.js';
import { linear, lines, sgd } from '../linear.js';
import { presentBackends } from '../presentBackends.js';
import { addon } from './runTensorflow.js';

const present = (await presentBackends({ only: ['tfjs-node'] })).length > 0;
const folder = mkdtempSync(join(tmpdir(), 'maskflow-tensorflow-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const made: Executor[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const executor of made.splice(0)) executor.dispose();
});
function graphs(options: Partial<TensorflowExecutorOptions> = {}): Executor {
  const executor = tensorflowExecutor({ backend: 'tfjs-node', seed: 3, ...options });
  made.push(executor);
  return executor;
}
async function eager(): Promise<Executor> {
  vi.stubEnv('MASKFLOW_TFJS_NODE_GRAPHS', 'off');
  const executor = (await chooseBackend({ backend: 'tfjs-node' })).executor({ seed: 3 });
  vi.unstubAllEnvs();
  made.push(executor);
  return executor;
}
const values = async ({ weights }: Executor, set = 'student'): Promise<Record<string, number[]>> =>
  Object.fromEntries([...(await weights.snapshot(set))].map(([name, { data }]) => [name, [...data]]));

describe.runIf(present)('executor of tfjs-node', () => {
  it('is the one with graphs, unless the environment says otherwise; run.json keeps which', async () => {
    const loaded = await chooseBackend({ backend: 'tfjs-node' });
    expect(loaded.settings).toEqual({ graphs: 'on' });
    const executor = loaded.executor({ seed: 3 });
    const before = addon().getNumOfSavedModels();
    await executor.evaluate(linear(), lines([0]), ['prediction']);
    expect(addon().getNumOfSavedModels()).toBe(before + 1);
    executor.dispose();
    vi.stubEnv('MASKFLOW_TFJS_NODE_GRAPHS', 'off');
    const plain = await chooseBackend({ backend: 'tfjs-node' });
    expect(plain.settings).toEqual({ graphs: 'off' });
    const other = plain.executor({ seed: 3 });
    await other.evaluate(linear(), lines([0]), ['prediction']);
    expect(addon().getNumOfSavedModels()).toBe(before);
    other.dispose();
  });

  describe('training', () => {
    const random = (name: string, ...shape: number[]): Column => ({
      data: Float32Array.from(
        normals(
          fold(rootKey(5), name),
          shape.reduce((a, b) => a * b, 1),
        ),
      ),
      shape,
    });
    const model = vitMae({ width: 8, depth: 2, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } });
    const images = (step: number): AnyBatch => {
      const mask = { data: Uint8Array.from({ length: 3 * 16 }, (_, i) => ((i * 7 + step) % 4 > 0 ? 1 : 0)), shape: [3, 4, 4] };
      const bare: AnyBatch = {
        rows: 3,
        grid: [4, 4],
        columns: { tokens: random(`tokens ${step % 4}`, 3, 16, 9), mask },
        origins: [0, 1, 2].map((id) => ({ source: 0, id, epoch: 0, position: id })),
        program: undefined,
      };
      return { ...bare, columns: { ...bare.columns, ...model.prepare(bare) } };
    };
    const features = (step: number): AnyBatch => ({
      rows: 3,
      columns: { features: random(`features ${step % 4}`, 3, 12), label: { data: Int32Array.of(step % 5, 1, 4), shape: [3] } },
      origins: [0, 1, 2].map((id) => ({ source: 0, id, epoch: 0, position: id })),
      program: undefined,
    });
    const encoder = textEncoder({ vocabulary: 11, width: 8, depth: 1, heads: 2, positions: 8, architecture: 'modern', initializerRange: 0.1 });
    const texts = (step: number): AnyBatch => {
      const ids = Int32Array.from({ length: 3 * 6 }, (_, i) => (i * 5 + step) % 11);
      const bare: AnyBatch = {
        ...features(step),
        columns: {
          tokens: { data: ids, shape: [3, 6] },
          labels: { data: ids.map((id, i) => ((i + step) % 3 === 0 ? (id * 3) % 11 : -1)), shape: [3, 6] },
          length: { data: Int32Array.of(6, 4, 5), shape: [3] },
        },
      };
      return { ...bare, columns: { ...bare.columns, ...encoder.prepare(bare) } };
    };
    const jobs: Record<string, { program: Program<'loss'>; batch: (step: number) => AnyBatch; optimizer: Optimizer; clip?: number }> = {
      'vitMae, adamw, clip': { program: withLoss(model, patchReconstruction({ normalize: true })), batch: images, optimizer: adamw(), clip: 1 },
      'text encoder, adamw': { program: withLoss(encoder, maskedLanguage()), batch: texts, optimizer: adamw() },
      'linear classifier, momentum': {
        program: withLoss(linearClassifier({ width: 12, classes: 5 }), crossEntropy()),
        batch: features,
        optimizer: ourSgd({ learningRate: 1, momentum: 0.9, weightDecay: 0.01 }),
      },
    };

    it.each(Object.entries(jobs))('50 steps of %s are those of eager execution', async (_, { program, batch, optimizer, clip }) => {
      const [executor, reference] = [graphs(), await eager()];
      const loaded = addon().getNumOfSavedModels();
      for (let step = 1; step <= 50; step++) {
        const given = [program, batch(step), optimizer, { learningRate: 3e-3, step }, clip === undefined ? {} : { clip }] as const;
        const [got, wanted] = [await executor.step(...given), await reference.step(...given)];
        expect(Math.abs(got.sum / got.count - wanted.sum / wanted.count)).toBeLessThan((1e-4 * wanted.sum) / wanted.count);
        expect(Math.abs(got.gradientNorm - wanted.gradientNorm)).toBeLessThan(1e-3 * wanted.gradientNorm);
      }
      expect(addon().getNumOfSavedModels()).toBe(loaded + 1);
    });
  });

  describe('what it keeps', () => {
    it('so many graphs, the one that has rested longest goes first; all go at the end, and nothing stays on the disk', async () => {
      vi.stubEnv('TMPDIR', folder);
      const before = addon().getNumOfSavedModels();
      const executor = graphs({ graphs: 3 });
      const alive = (): number => addon().getNumOfSavedModels() - before;
      const program = linear();
      const rows = async (n: number): Promise<unknown> => executor.evaluate(program, lines(Array.from({ length: n }, (_, i) => i)), ['prediction']);
      for (const n of [1, 2, 3]) await rows(n);
      expect(alive()).toBe(3);
      await rows(1);
      await rows(4);
      expect(alive()).toBe(3);
      executor.dispose();
      expect(alive()).toBe(0);
      expect(readdirSync(folder)).toEqual([]);
    });

    it('neither tensors of tfjs nor those of TensorFlow grow over steps', async () => {
      const executor = graphs();
      const [program, optimizer] = [linear(), adamw()];
      let alive: number[] | undefined;
      for (let step = 1; step <= 50; step++) {
        await executor.step(program, lines([step, step + 1]), optimizer, { learningRate: 1e-2, step }, { clip: 1 });
        const handle = (await executor.gradients(program, lines([step]))).add(await executor.gradients(program, lines([step + 1])));
        await executor.update(optimizer, 'student', handle.scale(0.5), { learningRate: 1e-2, step });
        await executor.evaluate(program, lines([step]), ['prediction', 'loss']);
        const now = [executor.tensors(), tf.memory().numBytes, addon().getNumOfTensors()];
        // The first step makes the tensors of the slots when they are first read.
        if (step === 2) alive = now;
        if (alive !== undefined) expect(now).toEqual(alive);
      }
    });

    it('what was handed out is never written to', async () => {
      const executor = graphs();
      const [program, optimizer] = [linear(), adamw()];
      const { prediction } = await executor.evaluate(program, lines([0]), ['prediction']);
      const given = new Map([...(await executor.weights.snapshot('student'))]);
      await executor.weights.restore('student', given);
      const kept = structuredClone([prediction, given]);
      for (let step = 1; step <= 4; step++) await executor.step(program, lines([0]), optimizer, { learningRate: 0.1, step }, {});
      expect([prediction, given]).toEqual(kept);
    });

    it('slots that a step made and did not accept are made again', async () => {
      const executor = graphs();
      const broken = lines([0]);
      (broken.columns.x as { data: Float32Array }).data.fill(Number.NaN);
      expect((await executor.step(linear(), broken, sgd(), { learningRate: 0.1, step: 1 }, {})).finite).toBe(false);
      expect(executor.weights.sets()).toEqual(['student']);
    });
  });

  describe('batches out of the ordinary', () => {
    it('without rows', async () => {
      const empty: AnyBatch = {
        rows: 0,
        columns: { x: { data: new Float32Array(0), shape: [0, 3] }, y: { data: new Float32Array(0), shape: [0] } },
        origins: [],
        program: undefined,
      };
      const [got, wanted] = [graphs(), await eager()].map((executor) => executor.evaluate(linear(), empty, ['prediction', 'loss']));
      expect(await got).toEqual(await wanted);
    });

    it('in memory that threads share', async () => {
      const batch = lines([0, 1]);
      const { data } = batch.columns.x as Column<Float32Array>;
      const shared = new Float32Array(new SharedArrayBuffer(4 * data.length));
      shared.set(data);
      const again = { ...batch, columns: { ...batch.columns, x: { data: shared, shape: [2, 3] } } };
      const executor = graphs();
      expect(await executor.evaluate(linear(), again, ['prediction'])).toEqual(await executor.evaluate(linear(), batch, ['prediction']));
    });
  });

  describe('what cannot be a graph', () => {
    /** Scales by what it reads: known only when the step runs. */
    const reading: Program<'prediction' | 'loss'> = {
      ...linear(),
      recipe: recipe('tests', 'reading'),
      build(weights, columns, draws, signature) {
        const { prediction, loss } = linear().build(weights, columns, draws, signature) as { prediction: Tensor; loss: { sum: Tensor; count: Tensor } };
        const largest = (columns.x as Tensor).max().dataSync()[0] as number;
        return { prediction: prediction.mul(largest), loss: { sum: loss.sum.mul(largest), count: loss.count } };
      },
    };

    it('is done eagerly on the same weights, with a warning each that names operation and reason', async () => {
      const said: string[] = [];
      const [executor, reference] = [graphs({ warn: (line) => said.push(line) }), await eager()];
      for (const one of [executor, reference]) {
        for (let step = 1; step <= 2; step++) {
          await one.step(reading, lines([step, 3]), sgd(), { learningRate: 0.01, step }, {});
          await one.step(linear(), lines([step, 3]), sgd(), { learningRate: 0.01, step }, {});
          await one.update(sgd(), 'student', await one.gradients(reading, lines([step])), { learningRate: 0.01, step });
        }
      }
      const [got, wanted] = [await values(executor), await values(reference)];
      for (const [name, numbers] of Object.entries(wanted)) numbers.forEach((x, i) => expect(got[name]?.[i]).toBeCloseTo(x, 5));
      const answers = await Promise.all([executor, reference].map(async (one) => (await one.evaluate(reading, lines([0, 2]), ['prediction'])).prediction));
      expect(answers[0]?.shape).toEqual(answers[1]?.shape);
      expect(answers[1]?.data.length).toBeGreaterThan(0);
      answers[1]?.data.forEach((x, i) => expect(answers[0]?.data[i]).toBeCloseTo(x, 5));
      expect(said).toHaveLength(3);
      expect(said[0]).toMatch(/^step-reading-sgd is no graph and runs operation by operation: .*cannot read values back/);
      expect(said.map((line) => line.split(' ', 1)[0])).toEqual(['step-reading-sgd', 'gradients-reading', 'evaluate-reading']);
      executor.dispose();
    });
  });

  it('an error of TensorFlow names the program, the graph and the way out, and leaves no tensor', async () => {
    const picking: Program<'prediction'> = {
      ...linear(),
      recipe: recipe('tests', 'picking'),
      inputs: () => ['place'],
      build: ({ w }, { place }) => ({ prediction: tf.gather(w as Tensor, place as tf.Tensor1D) }),
    };
    const batch = (place: number): AnyBatch => ({ ...lines([0]), columns: { place: { data: Int32Array.of(place), shape: [1] } } });
    const executor = graphs();
    await executor.evaluate(picking, batch(2), ['prediction']);
    const before = tf.memory().numTensors;
    await expect(executor.evaluate(picking, batch(3), ['prediction'])).rejects.toThrow(
      /^picking: TensorFlow failed on the graph evaluate-picking: .*indices\[0\] = 3 is not in \[0, 3\)[\s\S]* MASKFLOW_TFJS_NODE_GRAPHS=off computes operation by operation\.$/,
    );
    expect(tf.memory().numTensors).toBe(before);
    expect((await executor.evaluate(picking, batch(1), ['prediction'])).prediction.shape).toEqual([1]);
  });
});
