// What we use of ONNX Runtime's JavaScript interface, so that the compiler needs no optional package; and tensors of it.
import { type Column, type Data, sizeOf } from '../../core/batch.js';
import type { ElementType, ValueType } from './graph.js';

/** A tensor. On the host it holds the very array that it was made of, which a run reads or writes. */
export interface RuntimeTensor {
  readonly type: string;
  readonly location: string;
  /** Throws for a tensor on a device; `getData()` of such a one would end the process. */
  readonly data: unknown;
  readonly dims: readonly number[];
  /** Frees a tensor on a device. */
  dispose(): void;
}

export type RuntimeTensors = Readonly<Record<string, RuntimeTensor>>;

export interface RuntimeSession {
  /** Outputs whose tensor is given are written there, on the host; `null` ones are made. Without `fetches`: all, made. */
  run(feeds: RuntimeTensors, fetches?: Readonly<Record<string, RuntimeTensor | null>>): Promise<RuntimeTensors>;
  release(): Promise<void>;
  endProfiling(): void;
}

/** The module onnxruntime-node, or what does the same. */
export interface Runtime {
  readonly Tensor: new (type: ElementType, data: Data | BigInt64Array, dims: readonly number[]) => RuntimeTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<RuntimeSession> };
  /** The execution providers of the build. */
  readonly listSupportedBackends?: () => readonly { readonly name: string }[];
}

/** What an error of it says, as part of a sentence. */
export const told = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim().replace(/\.$/, '');

/** Is it in a buffer of a GPU? */
export const isOnDevice = ({ location }: RuntimeTensor): boolean => location === 'gpu-buffer';

/** A column as a tensor that shares its array. Memory shared between threads is copied: ONNX Runtime refuses it. */
export function tensorOf({ Tensor }: Runtime, { data, shape }: Column): RuntimeTensor {
  const own = data.buffer instanceof ArrayBuffer ? data : data.slice();
  return new Tensor(own instanceof Float32Array ? 'float32' : own instanceof Int32Array ? 'int32' : 'uint8', own, shape);
}

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, bool: Uint8Array } as const;

/** A tensor of zeros for a run to write into. */
export function emptyTensor({ Tensor }: Runtime, { type, shape }: ValueType): RuntimeTensor {
  return new Tensor(type, new arrays[type](sizeOf(shape)), shape);
}
