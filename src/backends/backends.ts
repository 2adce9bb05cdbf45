// The table of backends, best first: what each is called, and how it is loaded. What this version does not carry is
// listed too, so that forcing it says what can be had instead.
import type { Executor } from '../core/program.js';
import { loadCpu } from './cpu.js';
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
  /** A new executor on it; `seed` is the run's. */
  executor(options: { readonly seed: number }): Executor;
}

export interface BackendEntry {
  readonly name: BackendName;
  /** Claims to compute on a GPU. */
  readonly gpu: boolean;
  /** Loads it or throws a MaskflowError that says what is missing; absent where this version does not carry it. */
  readonly load?: () => Promise<Engine>;
}

/** All backends in the order of preference. */
export const backends: readonly BackendEntry[] = [
  { name: 'tfjs-node-gpu', gpu: true, load: loadTfjsNodeGpu },
  { name: 'webgpu', gpu: true, load: loadWebgpu },
  { name: 'onnx', gpu: false },
  { name: 'tfjs-node', gpu: false, load: loadTfjsNode },
  { name: 'wasm', gpu: false, load: loadWasm },
  { name: 'cpu', gpu: false, load: loadCpu },
];
