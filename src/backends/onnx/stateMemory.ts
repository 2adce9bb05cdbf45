// Where weights and slots live between runs: on the host (hostMemory.ts) or on a GPU (deviceMemory.ts).
import type { WeightValue } from '../weightSets.js';
import type { RuntimeTensor, RuntimeTensors } from './runtime.js';

/** A weight or a slot. */
export interface StateValue extends WeightValue {
  /** What a run reads. */
  readonly now: RuntimeTensor;
  /** Where a run writes what may become the value; undefined where the run makes a tensor for it. */
  readonly next: RuntimeTensor | undefined;
  /** `answer`, what a run wrote, becomes the value; what was the value may be freed. */
  accept(answer: RuntimeTensor): void;
}

/** Values that lie end to end in one array, now and next. */
export interface StateArray {
  readonly now: RuntimeTensor;
  readonly next: RuntimeTensor;
  /** The run wrote into `next`: it becomes the values of all. */
  accept(): void;
}

/** What is asynchronous is called in a turn of the executor, or takes one. */
export interface StateMemory {
  /** Takes over `data`. */
  make(data: Float32Array, shape: readonly number[]): StateValue;
  free(value: StateValue): void;
  /** A copy on the host. */
  read(value: StateValue): Promise<Float32Array>;
  /** mix · to + (1 − mix) · from: `to` itself or a new value. */
  blend(from: StateValue, to: StateValue | undefined, mix: number): StateValue | Promise<StateValue>;
  /** Brings values to where runs read them: what is read often is brought once. */
  settle(values: Readonly<Record<string, StateValue>>): Promise<void>;
  /** Lays values end to end, where they do not lie so already. Only where runs write into `next`. */
  endToEnd(values: readonly StateValue[]): StateArray;
  /** The tensor on the host. */
  onHost(tensor: RuntimeTensor): Promise<RuntimeTensor>;
  /** Frees answers of a run that no value has accepted. */
  discard(answers: RuntimeTensors): void;
  release(): Promise<void>;
}
