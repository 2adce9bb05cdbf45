// tfjs's WebAssembly backend, with its .wasm files read from the installed package: no network, nothing printed.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Engine } from './backends.js';
import { eagerExecutor } from './eagerExecutor.js';
import { registerBatchMatMul } from './kernels/batchMatMul.js';
import { registerCast } from './kernels/cast.js';
import { registerGatherV2 } from './kernels/gatherV2.js';
import { registerIdentity } from './kernels/identity.js';
import { registerUnsortedSegmentSum } from './kernels/unsortedSegmentSum.js';

const peer = '@tensorflow/tfjs-backend-wasm';

/** Loads the wasm backend (SIMD where the processor has it, one thread) with our kernels where its own are missing, wrong or slow. */
export async function loadWasm(): Promise<Engine> {
  tf.enableProdMode();
  const folder = await filesOf();
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  registerBatchMatMul();
  registerCast();
  registerGatherV2();
  registerIdentity();
  registerUnsortedSegmentSum('wasm');
  if (!('wasm' in tf.engine().registry)) {
    setWasmPaths(folder + sep);
    await withoutListeners(() => tf.setBackend('wasm'));
  }
  if (!(await tf.setBackend('wasm'))) {
    throw new MaskflowError({
      stage: 'backend',
      option: 'wasm',
      rule: 'the WebAssembly of tfjs did not start',
      value: folder,
      hint: `Reinstall ${peer}, or use --backend cpu.`,
    });
  }
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return { device: `WebAssembly${simd ? ', SIMD' : ''}, 1 thread`, software: false, executor: ({ seed }) => eagerExecutor({ backend: 'wasm', seed }) };
}

/** The folder with the .wasm files: that of the package's main file. */
async function filesOf(): Promise<string> {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(peer));
    if (existsSync(join(folder, 'tfjs-backend-wasm-simd.wasm'))) return folder;
    throw new Error(`there is no tfjs-backend-wasm-simd.wasm in ${folder}`);
  } catch (cause) {
    throw new MaskflowError({
      stage: 'backend',
      option: 'wasm',
      rule: `the package ${peer} is not installed completely`,
      hint: `npm install ${peer}@4.22.0, or use --backend cpu.`,
      cause,
    });
  }
}

/**
 * Runs `start` and takes back the two process-wide listeners that Emscripten's loader adds: they rethrow every uncaught
 * error and rejection of the whole program, and would print the loader's minified source with it.
 */
async function withoutListeners<T>(start: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.rawListeners(event)));
  try {
    return await start();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.rawListeners(event)) {
        if (!before[i]?.has(listener) && /ExitStatus|throw reason/.test(String(listener))) process.removeListener(event, listener as () => void);
      }
    });
  }
}
