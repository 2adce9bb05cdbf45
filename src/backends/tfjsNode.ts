// TensorFlow itself, through the user's own @tensorflow/tfjs-node or -gpu: optional packages, loaded by name when they
// are wanted. `maskflow setup tensorflow` makes them run on the library of a pip-installed TensorFlow.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Engine, LoadOptions } from './backends.js';
import { loadCpu } from './cpu.js';
import { eagerExecutor } from './eagerExecutor.js';
import { registerRound } from './kernels/round.js';
import { graphsSetting } from './tensorflow/graphsSetting.js';
import { tensorflowExecutor } from './tensorflow/tensorflowExecutor.js';

export type TensorflowRow = 'tfjs-node' | 'tfjs-node-gpu';

/** What we read of tfjs-node's backend object. */
interface NodeBackend {
  readonly binding: { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
}

/** The one that this process has loaded: both are `tensorflow` to tfjs, and two TensorFlows do not share a process. */
let loaded: TensorflowRow | undefined;

/**
 * TensorFlow on the CPU (or on the GPU, where its library finds one).
 *
 * @throws MaskflowError where the package, its addon or TensorFlow's library is missing, and on a worker thread
 */
export const loadTfjsNode = (options?: LoadOptions): Promise<Engine> => loadRow('tfjs-node', options);

/** TensorFlow on the GPU; `software` where its library found none. */
export const loadTfjsNodeGpu = (options?: LoadOptions): Promise<Engine> => loadRow('tfjs-node-gpu', options);

async function loadRow(row: TensorflowRow, { environment = process.env }: LoadOptions = {}): Promise<Engine> {
  const wanted = graphsSetting(row, environment);
  if (!isMainThread) {
    throw new MaskflowError({
      stage: 'backend',
      option: row,
      rule: 'TensorFlow runs on the main thread only',
      hint: 'Use several processes, or --backend wasm in workers.',
    });
  }
  // Where the GPU package was loaded and found no GPU, its TensorFlow is the one that computes on the CPU.
  if (loaded === undefined) {
    startTfjsNode(row);
    loaded = row;
  } else if (loaded !== row && row === 'tfjs-node-gpu') {
    throw new MaskflowError({
      stage: 'backend',
      option: row,
      rule: 'one process holds one TensorFlow, and this one has loaded tfjs-node',
      hint: 'Choose tfjs-node-gpu first, or in another process.',
    });
  }
  await loadCpu(); // computes the constants of graphs
  registerRound();
  if (!(await tf.setBackend('tensorflow'))) throw new MaskflowError({ stage: 'backend', option: row, rule: 'tfjs could not start TensorFlow' });
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as NodeBackend;
  // A session takes its inputs and gives its outputs on the host: on a GPU all weights would cross over twice a step.
  const graphs = wanted ?? !isUsingGpuDevice;
  return {
    device: `TensorFlow ${binding.TF_Version}, ${isUsingGpuDevice ? 'GPU' : 'CPU'}`,
    software: row === 'tfjs-node-gpu' && !isUsingGpuDevice,
    settings: { graphs: graphs ? 'on' : 'off' },
    executor: ({ seed }) => (graphs ? tensorflowExecutor({ backend: row, seed }) : eagerExecutor({ backend: row, tfjs: 'tensorflow', seed })),
  };
}

/**
 * Loads the package into this process. TensorFlow reads its log level from the environment at this moment.
 *
 * @param require whose packages; given by tests
 */
export function startTfjsNode(row: TensorflowRow, require: NodeJS.Require = createRequire(import.meta.url)): void {
  const name = `@tensorflow/${row}`;
  const setup = `maskflow setup tensorflow${row === 'tfjs-node-gpu' ? ' --gpu' : ''}`;
  const missing = (rule: string, hint: string, cause?: unknown): MaskflowError =>
    new MaskflowError({ stage: 'backend', option: row, rule, hint, ...(cause === undefined ? {} : { cause }) });
  let manifest: string;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch (cause) {
    throw missing(`the package ${name} is not installed`, `Run: ${setup}`, cause);
  }
  // A second copy of tfjs would register TensorFlow with an engine that nobody here asks.
  const theirs = createRequire(manifest).resolve('@tensorflow/tfjs');
  const ours = require.resolve('@tensorflow/tfjs');
  if (theirs !== ours)
    throw missing(`${name} must share our copy of @tensorflow/tfjs`, `Ours is ${ours}, its own ${theirs}: install the version of both that maskflow names.`);
  if (!existsSync(join(dirname(manifest), 'lib')))
    throw missing(`${name} has no addon: its install script did not run, or npm rebuild removed it`, `Run: ${setup}`);
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // errors only: TensorFlow greets every process with pages about the processor
  try {
    require(name);
  } catch (cause) {
    throw missing(`${name} did not start: ${firstLine(cause)}`, `Run: ${setup}`, cause);
  }
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error))
    .trim()
    .split('\n', 1)[0]
    ?.replace(/\.\s*$/, '') ?? '';
