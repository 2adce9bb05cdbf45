// The compiled engine on ONNX Runtime's WebGPU provider: on a GPU, or on SwiftShader with shapes so small that it takes
// seconds. The conformance suite runs on it too (tests/backends/conformance.test.ts).
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { eagerExecutor } from '../../../src/backends/eagerExecutor.js';
import { chooseBackend } from '../../../src/backends/index.js';
import { type OnnxExecutorOptions, onnxExecutor } from '../../../src/backends/onnx/onnxExecutor.js';
import { loadOnnx } from '../../../src/backends/onnx.js';
import type { AnyBatch, Column } from '../../../src/core/batch.js';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import type { Executor, Program, Tensor } from '../../../src/core/program.js';
import { patchReconstruction } from '../../../src/losses/patchReconstruction.js';
import { vitMae } from '../../../src/models/vitMae.js';
import { withLoss } from '../../../src/operators/loss.js';
import { adamw } from '../../../src/optimizers/adamw.js';
import { inChild } from '../../../src/run/inChild.js';
import { linear, lines } from '../linear.js';
import { type CountedRuntime, onnxRuntime } from './engine.js';

const runtimes = await onnxRuntime('webgpu');
const folder = mkdtempSync(join(tmpdir(), 'maskflow-onnx-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const made: Executor[] = [];
afterEach(() => {
  for (const executor of made.splice(0)) executor.dispose();
});
function compiled(options: Partial<OnnxExecutorOptions> = {}): { executor: Executor; runtime: CountedRuntime } {
  const runtime = (runtimes as NonNullable<typeof runtimes>)();
  const executor = onnxExecutor({ seed: 3, runtime, provider: 'webgpu', threads: 1, ...options });
  made.push(executor);
  return { executor, runtime };
}
function eager(): Executor {
  const executor = eagerExecutor({ backend: 'cpu', seed: 3 });
  made.push(executor);
  return executor;
}

const values = async ({ weights }: Executor, set = 'student'): Promise<Record<string, number[]>> =>
  Object.fromEntries([...(await weights.snapshot(set))].map(([name, { data }]) => [name, [...data]]));

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

const model = vitMae({ width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } });
const mae = withLoss(model, patchReconstruction({ normalize: true }));
const optimizer = adamw({ weightDecay: 0.05 });
function patches(ids: readonly number[]): AnyBatch {
  const bare: AnyBatch = {
    rows: ids.length,
    grid: [2, 4],
    columns: {
      tokens: { data: Float32Array.from(ids.flatMap((id) => [...normals(fold(rootKey(11), `${id}`), 8 * 4)])), shape: [ids.length, 8, 4] },
      mask: { data: Uint8Array.from(ids.flatMap((id) => Array.from({ length: 8 }, (_, i) => ((i * 3 + id) % 8 < 6 ? 1 : 0)))), shape: [ids.length, 2, 4] },
    },
    origins: ids.map((id) => ({ source: 0, id, epoch: 0, position: id })),
    program: undefined,
  };
  return { ...bare, columns: { ...bare.columns, ...model.prepare(bare) } };
}
const step = (executor: Executor, n: number, batch = patches([n, n + 1, n + 2])) =>
  executor.step(mae, batch, optimizer, { learningRate: 1e-2, step: n }, { clip: 0.5 });

describe.skipIf(runtimes === undefined)('compiled steps on onnx-webgpu', () => {
  it('trains as tfjs cpu does, goes on from a snapshot to the same bits, and runs no node on the CPU', async () => {
    const graphs = join(folder, 'graphs');
    const { executor, runtime } = compiled({ graphs });
    const reference = eager();
    const losses: [number, number][] = [];
    for (let n = 1; n <= 5; n++) {
      const [got, wanted] = [await step(executor, n), await step(reference, n)];
      expect(got.finite).toBe(true);
      losses.push([got.sum / got.count, wanted.sum / wanted.count]);
    }
    expect(Math.max(...losses.map(([got, wanted]) => Math.abs(got / wanted - 1)))).toBeLessThan(1e-4);
    // Without the biases of keys: their gradient is rounding alone (docs/compiled.md).
    const felt = (all: Record<string, number[]>) => Object.fromEntries(Object.entries(all).filter(([name]) => !name.endsWith('attention.key.bias')));
    expect(difference(felt(await values(executor)), felt(await values(reference)))).toBeLessThan(1e-3);

    const other = compiled({ seed: 99 }).executor;
    for (const set of ['student', 'student.optimizer']) await other.weights.restore(set, await executor.weights.snapshot(set));
    for (let n = 6; n <= 8; n++) expect(await step(other, n)).toEqual(await step(executor, n));
    for (const set of ['student', 'student.optimizer']) expect(await values(other, set)).toEqual(await values(executor, set));

    // Forward alone is rewritten otherwise.
    const [got, wanted] = [await executor.evaluate(mae, patches([1, 2]), ['loss'], 'new'), await reference.evaluate(mae, patches([1, 2]), ['loss'], 'new')];
    expect(difference({ loss: [...got.loss.data] }, { loss: [...wanted.loss.data] })).toBeLessThan(1e-5);

    const files = readdirSync(graphs);
    expect(files.map((name) => name.split('-')[0]).sort()).toEqual(['evaluate', 'step']);
    const onGpuAlone = { executionProviders: ['webgpu'], graphOptimizationLevel: 'disabled', extra: { session: { disable_cpu_ep_fallback: '1' } } };
    for (const file of files) await (await runtime.InferenceSession.create(readFileSync(join(graphs, file)), onGpuAlone)).release();
  }, 120_000);

  it('keeps weights and slots on the device: as many tensors as there are of them, over hundreds of steps, and none at the end', async () => {
    const { executor, runtime } = compiled();
    const program = linear();
    const take = (n: number) => executor.step(program, lines([n, n + 1]), optimizer, { learningRate: 1e-2, step: n }, { clip: 1 });
    await take(1);
    // w, b and offset, two moments of w and b.
    expect(runtime.alive.tensors).toBe(3 + 4);
    expect(executor.tensors()).toBe(tf.memory().numTensors + 7);
    for (let n = 2; n <= 300; n++) await take(n);
    expect(runtime.alive.tensors).toBe(7);
    const broken = lines([4, 5]);
    (broken.columns.x as Column<Float32Array>).data[1] = Number.NaN;
    const [weights, slots] = [await values(executor), await values(executor, 'student.optimizer')];
    for (let i = 0; i < 3; i++) expect(await executor.step(program, broken, optimizer, { learningRate: 1e-2, step: 301 }, {})).toMatchObject({ finite: false });
    expect([await values(executor), await values(executor, 'student.optimizer')]).toEqual([weights, slots]);
    await executor.step(program, lines([0], { use: [0] }), optimizer, { learningRate: 1e-2, step: 301 }, {});
    for (let n = 0; n < 5; n++) {
      await executor.update(optimizer, 'student', (await executor.gradients(program, lines([n]))).scale(0.5), { learningRate: 1e-2, step: 301 });
      await executor.evaluate(program, lines([n]), ['prediction']);
      await executor.weights.copy('student', 'teacher', n === 0 ? 0 : 0.9);
      await executor.evaluate(program, lines([n]), ['prediction'], 'teacher');
      await executor.weights.restore('student', await executor.weights.snapshot('student'));
    }
    await executor.evaluate(program, lines([0]), ['prediction']);
    expect(runtime.alive.tensors).toBe(7 + 3);
    executor.dispose();
    await vi.waitFor(() => expect([runtime.alive.tensors, runtime.calls.released]).toEqual([0, runtime.calls.created]), { timeout: 10_000 });
  }, 120_000);

  it('calls take turns, also where a set is forgotten or the executor ends meanwhile', async () => {
    const { executor, runtime } = compiled();
    const program = linear();
    await executor.evaluate(program, lines([0]), ['prediction']);
    const stepping = executor.step(program, lines([0, 1]), optimizer, { learningRate: 0.1, step: 1 }, {});
    const copied = executor.weights.copy('student', 'teacher');
    const seen = executor.evaluate(program, lines([0]), ['prediction'], 'teacher');
    expect((await stepping).finite).toBe(true);
    await copied;
    expect(await seen).toEqual(await executor.evaluate(program, lines([0]), ['prediction']));
    const last = executor.step(program, lines([2]), optimizer, { learningRate: 0.1, step: 2 }, {});
    executor.weights.forget('teacher');
    await last;
    executor.dispose();
    await vi.waitFor(() => expect(runtime.alive.tensors).toBe(0));
  });

  it('work that cannot be traced runs on the fallback with the weights of the device', async () => {
    const { executor } = compiled({ fallback: 'cpu', warn: () => {} });
    const reference = eager();
    const reading: Program<'prediction' | 'loss' | 'noise'> = {
      ...linear(),
      build(weights, columns, draws, signature) {
        const threshold = ((columns.x as Tensor).max().dataSync()[0] as number) * 0.5;
        return linear().build(weights, { ...columns, x: (columns.x as Tensor).mul(threshold) }, draws, signature);
      },
    };
    for (const of of [executor, reference]) {
      for (let n = 1; n <= 2; n++) {
        await of.step(linear(), lines([n]), optimizer, { learningRate: 0.02, step: 2 * n - 1 }, {});
        await of.step(reading, lines([n, n + 1]), optimizer, { learningRate: 0.02, step: 2 * n }, { clip: 1 });
      }
    }
    for (const set of ['student', 'student.optimizer']) expect(difference(await values(executor, set), await values(reference, set))).toBeLessThan(1e-5);
  });

  it('what the device refuses is an error that names the program, and the next call computes', async () => {
    const { executor } = compiled();
    const gathers: Program<'out'> = { ...linear(), build: (_, { x }) => ({ out: tf.tile((x as Tensor).reshape([1, 3]), [60_000, 60_000]).sum([0, 1]) }) };
    await expect(executor.evaluate(gathers, lines([0]), ['out'])).rejects.toThrow(
      /^linear: ONNX Runtime failed on the graph evaluate-linear: .*\(in tests linear\)/s,
    );
    expect((await executor.evaluate(linear(), lines([0]), ['prediction'])).prediction.shape).toEqual([1]);
  });

  it('says what it runs on; a software adapter is refused unless it is allowed', async () => {
    const { device, gpu, software, settings } = await loadOnnx({ provider: 'webgpu' });
    expect(device).toMatch(/^ONNX Runtime 1\.\d+\.\d+, WebGPU \((Vulkan|Metal|Direct3D 12)/);
    expect({ gpu, settings }).toEqual({ gpu: true, settings: { provider: 'webgpu' } });
    expect(software).toBe(/SwiftShader|llvmpipe|WARP|unknown/.test(device));
    if (!software) return;
    await expect(chooseBackend({ provider: 'webgpu' })).rejects.toThrow(
      /backend\.onnx: a GPU backend must run on a GPU; got "ONNX Runtime .*SwiftShader.*allowSoftware: true/,
    );
    // A variable that names a provider names the engine, and nothing else is taken in its place.
    await expect(chooseBackend({}, { environment: { MASKFLOW_ONNX_PROVIDER: 'webgpu' } })).rejects.toThrow(/backend\.onnx: a GPU backend must run on a GPU/);
    expect(await chooseBackend({ provider: 'webgpu', allowSoftware: true })).toMatchObject({ name: 'onnx', gpu: true, software: true });
  });

  it('a process that has used it ends by itself, released or not', async () => {
    for (const dispose of [true, false]) {
      expect(await inChild(new URL('./webgpuChild.ts', import.meta.url), 'trainOnWebgpu', [dispose], { limit: 60_000 })).toEqual({ answer: true });
    }
  }, 130_000);
});
