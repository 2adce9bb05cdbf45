// What `doctor` answers: the machine, and each engine with what it stands on, how its trial came out, and what mends it.
import type { BackendName } from '../../backends/index.js';

/** A package or native library: what is there and what should be. */
export interface Part {
  readonly name: string;
  /** Absent where it is not there, or was not loaded. */
  readonly found?: string;
  readonly expected: string;
}

export interface EngineReport {
  readonly name: BackendName;
  /** Does this version of maskflow have it? */
  readonly carried: boolean;
  /** All its packages are there. */
  readonly installed: boolean;
  /** A real product and a real gradient came out right. */
  readonly works: boolean;
  /** What it runs on; absent where it does not work. `software`: a GPU engine that in truth runs on the CPU. */
  readonly on?: 'GPU' | 'software' | 'CPU';
  readonly device?: string;
  readonly node: { readonly supported: boolean; readonly expected: string };
  readonly parts: readonly Part[];
  /** Why it does not work, or what is odd although it does. */
  readonly reason?: string;
  /** What mends it. */
  readonly mend?: string;
  /** What else it can compute on, where it works and there is a choice. */
  readonly providers?: readonly ProviderReport[];
}

/** A provider of an engine, other than the default. */
export interface ProviderReport {
  readonly name: string;
  readonly works: boolean;
  readonly on?: 'GPU' | 'software';
  readonly device?: string;
  readonly reason?: string;
  readonly mend?: string;
}

export interface DoctorReport {
  readonly maskflow: string;
  readonly node: { readonly found: string; readonly expected: string; readonly supported: boolean };
  readonly platform: string;
  readonly threads: number;
  /** Bytes; `limit` where a container sets one. */
  readonly memory: { readonly total: number; readonly free: number; readonly limit?: number };
  /** NVIDIA's cards, as their driver tells. */
  readonly gpus: readonly { readonly name: string; readonly driver: string; readonly cuda?: string }[];
  /** The engine that a run takes here, and why. */
  readonly chosen?: { readonly name: string; readonly because: 'best' | 'MASKFLOW_BACKEND' | 'MASKFLOW_ONNX_PROVIDER' };
  readonly engines: readonly EngineReport[];
}
