// ONNX Runtime for tests of the executor, counted; undefined, with the reason printed, where it cannot be loaded.
import { createRequire } from 'node:module';
import { chooseBackend } from '../../../src/backends/index.js';
import { type Runtime, isOnDevice } from '../../../src/backends/onnx/runtime.js';
import type { Provider } from '../../../src/backends/onnx/providers.js';
import { refusalOf } from '../../../src/backends/onnx/seal.js';
import { loadWasm } from '../../../src/backends/wasm.js';

export interface CountedRuntime extends Runtime {
  /** Sessions made and released so far, and runs. */
  readonly calls: { created: number; released: number; runs: number };
  /** Tensors on a device that runs have answered and nobody has freed. */
  readonly alive: { tensors: number };
}

export async function onnxRuntime(provider?: Provider): Promise<(() => CountedRuntime) | undefined> {
  try {
    await chooseBackend({ backend: 'onnx', provider, allowSoftware: true });
  } catch (error) {
    process.stdout.write(`skipped: backend onnx${provider === undefined ? '' : ` on ${provider}`}: ${(error as Error).message}\n`);
    return undefined;
  }
  await loadWasm();
  const runtime = createRequire(import.meta.url)('onnxruntime-node') as Runtime;
  // Tried once for a process: not to be counted.
  await refusalOf(runtime);
  const { InferenceSession, Tensor } = runtime;
  return () => {
    const calls = { created: 0, released: 0, runs: 0 };
    const alive = { tensors: 0 };
    return {
      Tensor,
      calls,
      alive,
      InferenceSession: {
        async create(model, options) {
          const session = await InferenceSession.create(model, options);
          calls.created++;
          return {
            async run(feeds, fetches) {
              calls.runs++;
              const answers = await (fetches === undefined ? session.run(feeds) : session.run(feeds, fetches));
              for (const tensor of Object.values(answers).filter(isOnDevice)) {
                alive.tensors++;
                const dispose = tensor.dispose.bind(tensor);
                tensor.dispose = () => {
                  alive.tensors--;
                  dispose();
                };
              }
              return answers;
            },
            release() {
              calls.released++;
              return session.release();
            },
            endProfiling: () => session.endProfiling(),
          };
        },
      },
    };
  };
}
