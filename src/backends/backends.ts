// The table of backends, best first: what each is called, and how it is loaded. What this version does not carry is
// listed too, so that forcing it says what can be had instead.
import type { Executor } from '../core/program.js';
import { loadCpu } from './cpu.js';
import { loadOnnx } from './onnx.js';
import { providerNames } from './onnx/providers.js';
import { loadTfjsNode, loadTfjsNodeGpu } from './tfjsNode.js';
import { loadWasm } from './wasm.js';
import { loadWebgpu } from './webgpu.js';

/** Names of the backends; `tfjs-node` and `tfjs-node-gpu` are both called `tensorflow` by tfjs. */
export type BackendName = 'tfjs-node-gpu' | 'webgpu' | 'onnx' | 'tfjs-node' | 'wasm' | 'cpu';

/** A loaded backend, before it has been verified. */
export interface Engine {
  /** What computes, for people: `WebAssembly, SIMD, 1 thread`. */
  readonly device: string;
  /** A GPU backend that in truth runs on the CPU (a software adapter such as SwiftShader, a missing library). */
  readonly software: boolean;
  /** Computes on a GPU, or claims to; default: what the table says. */
  readonly gpu?: boolean;
  /**
   * What the bits of a result depend on beside the engine, by the name of its variable: `threads` of `onnx` is
   * MASKFLOW_ONNX_THREADS. A resume needs the same.
   */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** A new executor on it; `seed` is the run's. */
  executor(options: { readonly seed: number }): Executor;
}

/** What a caller may ask of a loader. */
export interface LoadOptions {
  /** One of the entry's `providers`. */
  readonly provider?: string | undefined;
  /** Variables in the place of the process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface BackendEntry {
  readonly name: BackendName;
  /** Claims to compute on a GPU. */
  readonly gpu: boolean;
  /** Loads it or throws a MaskflowError that says what is missing; absent where this version does not carry it. */
  readonly load?: (options?: LoadOptions) => Promise<Engine>;
  /** What it can compute on, the default first; absent where there is no choice. */
  readonly providers?: readonly string[];
}

/** All backends in the order of preference. */
export const backends: readonly BackendEntry[] = [
  { name: 'tfjs-node-gpu', gpu: true, load: loadTfjsNodeGpu },
  { name: 'webgpu', gpu: true, load: loadWebgpu },
  { name: 'onnx', gpu: false, load: loadOnnx, providers: providerNames },
  { name: 'tfjs-node', gpu: false, load: loadTfjsNode },
  { name: 'wasm', gpu: false, load: loadWasm },
  { name: 'cpu', gpu: false, load: loadCpu },
];
