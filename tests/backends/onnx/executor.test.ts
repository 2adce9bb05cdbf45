import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { eagerExecutor } from '../../../src/backends/eagerExecutor.js';
import { type OnnxExecutorOptions, onnxExecutor } from '../../../src/backends/onnx/onnxExecutor.js';
import type { AnyBatch, Column } from '../../../src/core/batch.js';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import type { Executor, Optimizer, Program, StepOutcome, Tensor, Weights } from '../../../src/core/program.js';
import { recipe } from '../../../src/core/recipe.js';
import { crossEntropy } from '../../../src/losses/crossEntropy.js';
import { patchReconstruction } from '../../../src/losses/patchReconstruction.js';
import { linearClassifier } from '../../../src/models/linearClassifier.js';
import { vitMae } from '../../../src/models/vitMae.js';
import { withLoss } from '../../../src/operators/loss.js';
import { adamw } from '../../../src/optimizers/adamw.js';
import { sgd as ourSgd } from '../../../src/optimizers/sgd.js';
import { linear, lines, sgd } from '../linear.js';
import { onnxRuntime } from './engine.js';

const runtimes = await onnxRuntime();
const folder = mkdtempSync(join(tmpdir(), 'maskflow-onnx-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const made: Executor[] = [];
afterEach(() => {
  for (const executor of made.splice(0)) executor.dispose();
});
/** An executor on a runtime of its own; no spinning, for tests share the machine. */
function compiled(options: Partial<OnnxExecutorOptions> = {}) {
  const runtime = (runtimes as NonNullable<typeof runtimes>)();
  const executor = onnxExecutor({ seed: 3, runtime, threads: 2, spinning: false, ...options });
  made.push(executor);
  return { executor, calls: runtime.calls };
}
function eager(): Executor {
  const executor = eagerExecutor({ backend: 'cpu', seed: 3 });
  made.push(executor);
  return executor;
}

async function values({ weights }: { weights: Weights }, set = 'student'): Promise<Record<string, number[]>> {
  return Object.fromEntries([...(await weights.snapshot(set))].map(([name, { data }]) => [name, [...data]]));
}

/** Largest difference, relative to the largest value of the same name. */
function difference(a: Record<string, readonly number[]>, b: Record<string, readonly number[]>): number {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  return Math.max(
    ...Object.entries(a).map(([name, got]) => {
      const wanted = b[name] as number[];
      const size = Math.max(...wanted.map(Math.abs), 1e-3);
      return Math.max(...got.map((v, i) => Math.abs(v - (wanted[i] as number)))) / size;
    }),
  );
}

/** A model with everything that goes into a graph: float, int and byte columns, draws, weights, one that is not trained. */
const everything: Program<'prediction' | 'loss'> = {
  ...linear(),
  recipe: recipe('tests', 'everything'),
  inputs: () => ['x', 'y', 'bytes', 'whole'],
  draws: () => ({ noise: { shape: [3], law: 'normal' } }),
  build({ w, b, offset }, { x, y, bytes, whole }, { noise }) {
    const prediction = (x as Tensor)
      .add((noise as Tensor).mul(0.1))
      .mul(w as Tensor)
      .sum(1)
      .add(b as Tensor)
      .add(offset as Tensor)
      .add((bytes as Tensor).toFloat().mul(0.01))
      .sub((whole as Tensor).toFloat().mul(0.02));
    return {
      prediction,
      loss: {
        sum: prediction
          .sub(y as Tensor)
          .square()
          .sum(),
        count: tf.scalar(4),
      },
    };
  },
};
const momentum = ourSgd({ learningRate: 1, momentum: 0.9, weightDecay: 0.01 });

describe.skipIf(runtimes === undefined)('executor onnx', () => {
  describe('what goes into a graph is an input of it', () => {
    const batch: AnyBatch = {
      ...lines([0, 1, 2, 3]),
      columns: {
        ...lines([0, 1, 2, 3]).columns,
        bytes: { data: Uint8Array.of(1, 2, 3, 250), shape: [4] },
        whole: { data: Int32Array.of(-5, 0, 7, 9), shape: [4] },
      },
    };
    const change = <A extends Column['data']>(name: string, data: A): AnyBatch => ({
      ...batch,
      columns: { ...batch.columns, [name]: { data, shape: (batch.columns[name] as Column).shape } },
    });
    interface Trial {
      batch?: AnyBatch;
      learningRate?: number;
      step?: number;
      clip?: number;
      optimizer?: Optimizer;
      before?: (executor: Executor) => Promise<void>;
    }
    const ones = (executor: Executor, set: string) => async (): Promise<void> => {
      const now = await executor.weights.snapshot(set);
      await executor.weights.restore(set, new Map([...now].map(([name, column]) => [name, { ...column, data: column.data.map((v) => v + 0.5) }])));
    };
    const trials: Record<string, Trial> = {
      'a float column': {
        batch: change(
          'x',
          Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
        ),
      },
      'an int32 column': { batch: change('whole', Int32Array.of(3, 1, 4, 1)) },
      'a uint8 column': { batch: change('bytes', Uint8Array.of(200, 100, 0, 7)) },
      draws: { batch: { ...batch, origins: batch.origins.map((origin) => ({ ...origin, epoch: 5 })) } },
      'weights, the one that is not trained among them': { before: (executor) => ones(executor, 'student')() },
      slots: { before: (executor) => ones(executor, 'student.optimizer')() },
      'the learning rate': { learningRate: 0.3 },
      'the number of the step': { step: 9, optimizer: sgd() },
      'the bound of the norm': { clip: 0.3 },
    };
    it.each(Object.entries(trials))('%s', async (_, { batch: other = batch, before, optimizer = momentum, ...changed }) => {
      const usual = { learningRate: 0.05, step: 2, clip: 0.7 };
      const take = async (executor: Executor, at: AnyBatch, { learningRate, step, clip }: typeof usual): Promise<StepOutcome> =>
        executor.step(everything, at, optimizer, { learningRate, step }, { clip });
      const { executor, calls } = compiled();
      const [reference, unchanged] = [eager(), compiled().executor];
      for (const one of [executor, reference, unchanged]) await take(one, batch, usual);
      expect(calls.created).toBe(1);
      for (const one of [executor, reference]) await before?.(one);
      const [got, wanted] = [await take(executor, other, { ...usual, ...changed }), await take(reference, other, { ...usual, ...changed })];
      await take(unchanged, batch, usual);
      expect(calls).toEqual({ created: 1, released: 0, runs: 2 });
      expect(difference({ outcome: [got.sum, got.count, got.gradientNorm] }, { outcome: [wanted.sum, wanted.count, wanted.gradientNorm] })).toBeLessThan(1e-6);
      for (const set of ['student', 'student.optimizer']) expect(difference(await values(executor, set), await values(reference, set))).toBeLessThan(1e-6);
      expect(difference(await values(executor), await values(unchanged))).toBeGreaterThan(1e-5);
    });

    it('columns, draws and weights of an evaluation, those of another set too', async () => {
      const { executor, calls } = compiled();
      const reference = eager();
      for (const one of [executor, reference]) {
        await one.evaluate(everything, batch, ['prediction']);
        await one.weights.restore(
          'teacher',
          new Map([...(await one.weights.snapshot('student'))].map(([name, c]) => [name, { ...c, data: c.data.map((v) => -v) }])),
        );
      }
      for (const [at, set] of [[batch, 'teacher'] as const, [change('x', new Float32Array(12).fill(2)), 'student'] as const]) {
        const [got, wanted] = [await executor.evaluate(everything, at, ['prediction'], set), await reference.evaluate(everything, at, ['prediction'], set)];
        expect(difference({ p: [...got.prediction.data] }, { p: [...wanted.prediction.data] })).toBeLessThan(1e-6);
      }
      expect(calls.created).toBe(1);
    });
  });

  describe('sessions', () => {
    it('one for each kind of work, program, signature, optimiser, outputs and presence of clip', async () => {
      const { executor, calls } = compiled();
      const [program, optimizer] = [linear(), sgd()];
      const scalars = { learningRate: 0.1, step: 1 };
      const works = [
        () => executor.evaluate(program, lines([0, 1]), ['prediction']),
        () => executor.evaluate(program, lines([0, 1]), ['prediction', 'loss']),
        () => executor.evaluate(program, lines([0, 1, 2]), ['prediction']),
        () => executor.evaluate(program, { ...lines([0, 1]), grid: [2] }, ['prediction']),
        () => executor.evaluate(linear(), lines([0, 1]), ['prediction']),
        () => executor.step(program, lines([0, 1]), optimizer, scalars, {}),
        () => executor.step(program, lines([0, 1]), optimizer, scalars, { clip: 1 }),
        () => executor.step(program, lines([0, 1]), sgd(), scalars, {}),
        async () => (await executor.gradients(program, lines([0, 1]))).dispose(),
      ];
      for (const [i, work] of works.entries()) {
        await work();
        expect(calls.created).toBe(i + 1);
        await executor.evaluate(program, lines([4, 5]), ['prediction']); // the same signature as the first
      }
      expect(calls.created).toBe(works.length);
      for (let i = 0; i < 3; i++) {
        const handle = await executor.gradients(program, lines([0, 1]));
        await handle.norm();
        await executor.update(optimizer, 'student', handle, scalars);
      }
      expect(calls.created).toBe(works.length + 2);
      expect(calls.released).toBe(0);
    });

    it('so many are kept, the one that has rested longest goes first; all go at the end', async () => {
      const { executor, calls } = compiled({ sessions: 3 });
      const program = linear();
      const rows = async (n: number): Promise<void> => void (await executor.evaluate(program, lines(Array.from({ length: n }, (_, i) => i)), ['prediction']));
      for (const n of [1, 2, 3]) await rows(n);
      await rows(1);
      await rows(4); // 2 has rested longest
      expect(calls).toEqual({ created: 4, released: 1, runs: 5 });
      for (const n of [1, 3, 4]) await rows(n);
      expect(calls.created).toBe(4);
      await rows(2);
      expect(calls).toMatchObject({ created: 5, released: 2 });
      executor.dispose();
      await vi.waitFor(() => expect(calls.released).toBe(5));
    });

    it('neither sessions nor tensors grow over steps', async () => {
      const { executor, calls } = compiled();
      const program = linear();
      const optimizer = adamw();
      const before = tf.memory();
      let alive: number | undefined;
      for (let step = 1; step <= 50; step++) {
        await executor.step(program, lines([step, step + 1]), optimizer, { learningRate: 1e-2, step }, { clip: 1 });
        const handle = (await executor.gradients(program, lines([step]))).add(await executor.gradients(program, lines([step + 1])));
        await executor.update(optimizer, 'student', handle.scale(0.5), { learningRate: 1e-2, step });
        alive ??= executor.tensors();
        expect(executor.tensors()).toBe(alive);
      }
      expect(alive).toBe(before.numTensors + 3 + 2 * 2);
      expect(calls.created).toBe(3);
      expect(tf.memory()).toEqual(before);
    });
  });

  describe('order and memory', () => {
    it('calls take turns: each sees what those before it left, whoever waits for what', async () => {
      const { executor } = compiled();
      const [program, optimizer] = [linear(), sgd()];
      await executor.evaluate(program, lines([0]), ['prediction']);
      const answers = Promise.all([
        executor.weights.snapshot('student'),
        executor.step(program, lines([0, 1]), optimizer, { learningRate: 0.1, step: 1 }, {}),
        executor.weights.copy('student', 'teacher'),
        executor.evaluate(program, lines([0]), ['prediction'], 'teacher'),
        executor.step(program, lines([2, 3]), optimizer, { learningRate: 0.1, step: 2 }, {}),
        executor.evaluate(program, lines([0]), ['prediction']),
      ]);
      const [start, , , teacher, , student] = await answers;
      const other = compiled().executor;
      await other.weights.restore('student', start);
      await other.step(program, lines([0, 1]), optimizer, { learningRate: 0.1, step: 1 }, {});
      expect(teacher).toEqual(await other.evaluate(program, lines([0]), ['prediction']));
      expect(await values(executor, 'teacher')).toEqual(await values(other));
      await other.step(program, lines([2, 3]), optimizer, { learningRate: 0.1, step: 2 }, {});
      expect(student).toEqual(await other.evaluate(program, lines([0]), ['prediction']));
    });

    it('what was handed out is never written to: columns, snapshots, values that were restored', async () => {
      const { executor } = compiled();
      const [program, optimizer] = [linear(), adamw()];
      const { prediction } = await executor.evaluate(program, lines([0]), ['prediction']);
      const given = new Map([...(await executor.weights.snapshot('student'))]);
      await executor.weights.restore('student', given);
      const kept = structuredClone([prediction, given]);
      for (let step = 1; step <= 4; step++) {
        await executor.step(program, lines([0]), optimizer, { learningRate: 0.1, step }, {});
        await executor.evaluate(program, lines([step]), ['prediction']);
      }
      expect([prediction, given]).toEqual(kept);
    });

    it('a norm that is under way is that of the gradients as they were', async () => {
      const { executor } = compiled();
      const wanted = await (await executor.gradients(linear(), lines([0, 1]))).norm();
      const handle = await executor.gradients(linear(), lines([0, 1]));
      await handle.norm();
      const norm = handle.norm();
      await Promise.resolve(); // its turn has come
      handle.scale(1000);
      expect(await norm).toBe(wanted);
    });

    it('takes columns in memory that threads share', async () => {
      const { executor } = compiled();
      const batch = lines([0, 1]);
      const x = (batch.columns.x as Column<Float32Array>).data;
      const shared = new Float32Array(new SharedArrayBuffer(4 * x.length));
      shared.set(x);
      const again = { ...batch, columns: { ...batch.columns, x: { data: shared, shape: [2, 3] } } };
      const program = linear();
      expect(await executor.evaluate(program, again, ['prediction'])).toEqual(await executor.evaluate(program, batch, ['prediction']));
    });

    it('a batch of no rows computes as elsewhere', async () => {
      const empty: AnyBatch = {
        rows: 0,
        columns: { x: { data: new Float32Array(0), shape: [0, 3] }, y: { data: new Float32Array(0), shape: [0] } },
        origins: [],
        program: undefined,
      };
      const answers = await Promise.all([compiled().executor, eager()].map((executor) => executor.evaluate(linear(), empty, ['prediction', 'loss'])));
      expect(answers[0]).toEqual(answers[1]);
    });
  });

  describe('training', () => {
    const digits = (ids: readonly number[]): AnyBatch => {
      const mask = ids.flatMap((id) => Array.from({ length: 16 }, (_, i) => ((i * 7 + id * 3) % 16 < 12 ? 1 : 0)));
      const model = vitMae({ width: 8, depth: 2, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } });
      const bare: AnyBatch = {
        rows: ids.length,
        grid: [4, 4],
        columns: {
          tokens: { data: Float32Array.from(ids.flatMap((id) => [...normals(fold(rootKey(11), `${id}`), 16 * 9)])), shape: [ids.length, 16, 9] },
          mask: { data: Uint8Array.from(mask), shape: [ids.length, 4, 4] },
        },
        origins: ids.map((id) => ({ source: 0, id, epoch: 0, position: id })),
        program: undefined,
      };
      return { ...bare, columns: { ...bare.columns, ...model.prepare(bare) } };
    };
    const features = (ids: readonly number[]): AnyBatch => ({
      rows: ids.length,
      columns: {
        features: { data: Float32Array.from(ids.flatMap((id) => [...normals(fold(rootKey(12), `${id}`), 12)])), shape: [ids.length, 12] },
        label: { data: Int32Array.from(ids, (id) => id % 5), shape: [ids.length] },
      },
      origins: ids.map((id) => ({ source: 0, id, epoch: 0, position: id })),
      program: undefined,
    });
    const models: Record<string, { program: Program<'loss'>; batch: (ids: readonly number[]) => AnyBatch; optimizer: Optimizer; clip?: number }> = {
      'vitMae, adamw, clip': {
        program: withLoss(vitMae({ width: 8, depth: 2, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } }), patchReconstruction({ normalize: true })),
        batch: digits,
        optimizer: adamw({ weightDecay: 0.05 }),
        clip: 0.5,
      },
      'linearClassifier, sgd with momentum': {
        program: withLoss(linearClassifier({ width: 12, classes: 5 }), crossEntropy()),
        batch: features,
        optimizer: ourSgd({ momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
      },
      'linearClassifier, adamw': { program: withLoss(linearClassifier({ width: 12, classes: 5 }), crossEntropy()), batch: features, optimizer: adamw() },
    };
    const fifty = async (executor: Executor, { program, batch, optimizer, clip }: (typeof models)[string]): Promise<number[]> => {
      const losses: number[] = [];
      for (let step = 1; step <= 50; step++) {
        const ids = Array.from({ length: 6 }, (_, i) => (step * 5 + i) % 32);
        const { sum, count, finite } = await executor.step(program, batch(ids), optimizer, { learningRate: 1e-2, step }, clip === undefined ? {} : { clip });
        expect(finite).toBe(true);
        losses.push(sum / count);
      }
      return losses;
    };

    /** Without the biases of keys: softmax cancels them, so their gradient is rounding alone, which AdamW blows up to a full step. */
    const felt = (all: Record<string, number[]>): Record<string, number[]> =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !name.endsWith('attention.key.bias')));

    it.each(Object.entries(models))('50 steps of %s are those of tfjs cpu within 1e-4, and the same bits when repeated', async (_, model) => {
      const { executor, calls } = compiled();
      const reference = eager();
      const [got, wanted] = [await fifty(executor, model), await fifty(reference, model)];
      expect(Math.max(...got.map((loss, i) => Math.abs(loss / (wanted[i] as number) - 1)))).toBeLessThan(1e-4);
      const { weights: set } = model.program;
      expect(difference(felt(await values(executor, set)), felt(await values(reference, set)))).toBeLessThan(1e-4);
      expect(calls.created).toBe(1);
      const again = compiled().executor;
      expect(await fifty(again, model)).toEqual(got);
      expect(await values(again, set)).toEqual(await values(executor, set));
    });

    it('going on from a snapshot gives the same bits as going on', async () => {
      const model = models['vitMae, adamw, clip'] as (typeof models)[string];
      const step = (executor: Executor, n: number) =>
        executor.step(model.program, model.batch([n, n + 1, n + 2]), model.optimizer, { learningRate: 1e-2, step: n }, { clip: 0.5 });
      const { executor } = compiled();
      for (let n = 1; n <= 5; n++) await step(executor, n);
      const other = compiled({ seed: 99 }).executor;
      for (const set of ['student', 'student.optimizer']) await other.weights.restore(set, await executor.weights.snapshot(set));
      for (let n = 6; n <= 10; n++) expect(await step(other, n)).toEqual(await step(executor, n));
      for (const set of ['student', 'student.optimizer']) expect(await values(other, set)).toEqual(await values(executor, set));
    });

    it('a loss that is not finite writes nothing, and the next step is as if it had never been', async () => {
      const [executor, other] = [compiled().executor, compiled().executor];
      const [program, optimizer] = [linear(), adamw()];
      const step = (of: Executor, batch: AnyBatch, n: number) => of.step(program, batch, optimizer, { learningRate: 0.1, step: n }, { clip: 1 });
      const broken = lines([4, 5]);
      (broken.columns.x as Column<Float32Array>).data[1] = Number.POSITIVE_INFINITY;
      // The first step of all: nor are slots made.
      expect((await step(executor, broken, 1)).finite).toBe(false);
      expect(executor.weights.sets()).toEqual(['student']);
      for (const of of [executor, other]) await step(of, lines([0, 1]), 1);
      for (let i = 0; i < 3; i++) expect(await step(executor, broken, 2)).toMatchObject({ finite: false, count: 2 });
      for (const of of [executor, other]) await step(of, lines([2, 3]), 2);
      for (const set of ['student', 'student.optimizer']) expect(await values(executor, set)).toEqual(await values(other, set));
    });
  });

  describe('what cannot be traced', () => {
    const reading = (): Program<'prediction' | 'loss' | 'noise'> => {
      const plain = linear();
      return {
        ...plain,
        recipe: { module: 'maskflow/operators', name: 'loss', options: { of: recipe('tests', 'reading') } },
        build(weights, columns, draws, signature) {
          const threshold = ((columns.x as Tensor).max().dataSync()[0] as number) * 0.5;
          return plain.build(weights, { ...columns, x: (columns.x as Tensor).mul(threshold) }, draws, signature);
        },
      };
    };

    it('is an error that names the kernel, the stage and both ways out', async () => {
      const { executor, calls } = compiled();
      const alive = [executor.tensors(), tf.memory().numTensors];
      const told =
        /^loss: .*cannot read values back.*a result of Max was read.*\(in maskflow\/operators loss of tests reading\)\. .*--backend wasm.*MASKFLOW_ONNX_FALLBACK=wasm/;
      await expect(executor.evaluate(reading(), lines([0]), ['prediction'])).rejects.toThrow(told);
      await expect(executor.step(reading(), lines([0]), sgd(), { learningRate: 0.1, step: 1 }, {})).rejects.toThrow(told);
      const odd: Program<'loss'> = {
        ...linear(),
        build: ({ w }) => ({
          loss: {
            sum: tf
              .fft((w as Tensor).cast('complex64'))
              .abs()
              .sum(),
            count: tf.scalar(1),
          },
        }),
      };
      await expect(executor.gradients(odd, lines([0]))).rejects.toThrow(/^linear: .*\(in tests linear\)/);
      const odder = {
        ...sgd(),
        update: ({ weights: { w } }: { weights: Record<string, Tensor> }) => ({ weights: { w: tf.scalar((w as Tensor).dataSync()[0] as number) }, slots: {} }),
      };
      await expect(executor.step(linear(), lines([0]), odder as unknown as Optimizer, { learningRate: 0.1, step: 1 }, {})).rejects.toThrow(
        /^sgd: .*the input weights\/w was read \(in tests sgd\)/,
      );
      expect(calls.created).toBe(0);
      expect([executor.tensors() - 3, tf.memory().numTensors]).toEqual(alive); // the weights that there are now
    });

    it.each(['wasm', 'cpu'] as const)('runs on %s where that is asked for, told once, and shares its weights with what is compiled', async (fallback) => {
      const warn = vi.fn();
      const { executor, calls } = compiled({ fallback, warn });
      const reference = eager();
      const before = tf.memory().numTensors;
      const [program, optimizer] = [reading(), sgd()];
      for (const of of [executor, reference]) {
        for (let step = 1; step <= 4; step++) {
          await of.step(program, lines([step, step + 1]), optimizer, { learningRate: 0.02, step }, { clip: 1 });
          await of.update(optimizer, 'student', (await of.gradients(program, lines([step]))).scale(0.5), { learningRate: 0.02, step });
          await of.step(linear(), lines([step]), optimizer, { learningRate: 0.02, step }, {});
        }
      }
      for (const set of ['student', 'student.optimizer']) expect(difference(await values(executor, set), await values(reference, set))).toBeLessThan(1e-5);
      const [got, wanted] = await Promise.all([executor, reference].map((of) => of.evaluate(program, lines([1, 2]), ['prediction', 'loss'])));
      expect(difference({ p: [...(got as Got).prediction.data] }, { p: [...(wanted as Got).prediction.data] })).toBeLessThan(1e-5);
      // Four linear() steps and one update were compiled; step, gradients and evaluation of `reading` were not.
      expect(calls.created).toBe(5);
      expect(warn.mock.calls.map(([line]) => (line as string).split(':')[0])).toEqual([
        `step-loss-reading-sgd is not compiled and runs on ${fallback}`,
        `gradients-loss-reading is not compiled and runs on ${fallback}`,
        `evaluate-loss-reading is not compiled and runs on ${fallback}`,
      ]);
      for (const set of reference.weights.sets()) reference.weights.forget(set);
      expect(tf.memory().numTensors).toBe(before);
    });
    type Got = { prediction: Column<Float32Array> };

    it('a mistake in a program stays one, also with a fallback', async () => {
      const warn = vi.fn();
      const { executor } = compiled({ fallback: 'cpu', warn });
      const wrong: Program<'loss'> = {
        ...linear(),
        build() {
          throw new Error('sides must fit.');
        },
      };
      await expect(executor.gradients(wrong, lines([0]))).rejects.toThrow('linear: sides must fit (in tests linear).');
      expect(warn).not.toHaveBeenCalled();
    });
  });

  it('an error of ONNX Runtime names the program and the graph', async () => {
    const runtime = (runtimes as NonNullable<typeof runtimes>)();
    const executor = onnxExecutor({
      seed: 0,
      runtime: { ...runtime, InferenceSession: { create: () => Promise.reject(new Error('Could not find an implementation for Frobnicate(20).')) } },
    });
    made.push(executor);
    await expect(executor.step(linear(), lines([0]), sgd(), { learningRate: 1, step: 1 }, {})).rejects.toThrow(
      'linear: ONNX Runtime failed on the graph step-linear-sgd: Could not find an implementation for Frobnicate(20) (in tests linear). MASKFLOW_ONNX_GRAPHS=folder saves the graph',
    );
    // An index out of range is found by the runtime alone, at the run.
    const gathers: Program<'out'> = {
      ...linear(),
      inputs: () => ['unread'],
      build: ({ w }, { unread }) => ({ out: tf.gather(w as Tensor, (unread as tf.Tensor1D).cast('int32')) }),
    };
    const { executor: real } = compiled();
    expect((await real.evaluate(gathers, lines([0, 2]), ['out'])).out.shape).toEqual([2]);
    await expect(real.evaluate(gathers, lines([0, 77]), ['out'])).rejects.toThrow(
      /^linear: ONNX Runtime failed on the graph evaluate-linear: .*77.*\(in tests linear\)/s,
    );
  });

  it('saves each graph whole, and profiles of sessions', async () => {
    const graphs = join(folder, 'graphs');
    const profile = join(folder, 'profiles');
    const { executor, calls } = compiled({ graphs, profile });
    await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 1, step: 1 }, {});
    await executor.evaluate(linear(), lines([0, 1]), ['prediction']);
    const files = readdirSync(graphs).sort();
    expect(files).toEqual([expect.stringMatching(/^evaluate-linear-[0-9a-f]{8}\.onnx$/), expect.stringMatching(/^step-linear-sgd-[0-9a-f]{8}\.onnx$/)]);
    const runtime = (runtimes as NonNullable<typeof runtimes>)();
    for (const file of files) await (await runtime.InferenceSession.create(readFileSync(join(graphs, file)), {})).release();
    // The same graph has the same name.
    await compiled({ graphs }).executor.evaluate(linear(), lines([5, 6]), ['prediction']);
    expect(readdirSync(graphs)).toHaveLength(2);
    executor.dispose();
    await vi.waitFor(() => expect(calls.released).toBe(2));
    const profiles = readdirSync(profile).sort();
    expect(profiles).toEqual([
      expect.stringMatching(/^evaluate-linear-[0-9a-f]{8}_.*\.json$/),
      expect.stringMatching(/^step-linear-sgd-[0-9a-f]{8}_.*\.json$/),
    ]);
    const events = JSON.parse(readFileSync(join(profile, profiles[1] as string), 'utf8')) as { cat: string }[];
    expect(events.some(({ cat }) => cat === 'Node')).toBe(true);
  });

  it('refuses unknown and senseless options', () => {
    const runtime = (runtimes as NonNullable<typeof runtimes>)();
    expect(() => onnxExecutor({ seed: 0, runtime, thread: 2 } as never)).toThrow(/onnxExecutor\.thread: there is no such option\. Did you mean threads\?/);
    expect(() => onnxExecutor({ seed: 0, runtime, threads: 0 })).toThrow(/onnxExecutor\.threads: must be an integer of at least 1; got 0/);
    expect(() => onnxExecutor({ seed: 0, runtime, sessions: 0.5 })).toThrow(/onnxExecutor\.sessions: must be an integer of at least 1; got 0\.5/);
  });
});
