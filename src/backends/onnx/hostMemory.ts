// State as arrays on the host that go into a graph and come out of it.
import { type Runtime, type RuntimeTensor, emptyTensor } from './runtime.js';
import type { StateMemory, StateValue } from './stateMemory.js';

/** Its values change by writing into `next` and swapping, so that a run never writes what it reads. */
class HostValue implements StateValue {
  readonly shape: readonly number[];
  readonly #runtime: Runtime;
  #now: RuntimeTensor;
  #next: RuntimeTensor | undefined;
  constructor(runtime: Runtime, data: Float32Array, shape: readonly number[]) {
    this.shape = [...shape];
    this.#runtime = runtime;
    this.#now = new runtime.Tensor('float32', data, this.shape);
  }

  get now(): RuntimeTensor {
    return this.#now;
  }

  get data(): Float32Array {
    return this.#now.data as Float32Array;
  }

  /** Made once. */
  get next(): RuntimeTensor {
    this.#next ??= emptyTensor(this.#runtime, { type: 'float32', shape: this.shape });
    return this.#next;
  }

  /** The run wrote into `next`. */
  accept(): void {
    [this.#now, this.#next] = [this.next, this.#now];
  }
}

export function hostMemory(runtime: Runtime): StateMemory {
  const make = (data: Float32Array, shape: readonly number[]): HostValue => new HostValue(runtime, data, shape);
  return {
    make,
    free: () => {}, // the garbage collector does
    read: async (value) => (value as HostValue).data.slice(),
    blend(from, to, mix) {
      const { data, shape } = from as HostValue;
      if (mix === 0 || to === undefined) return make(data.slice(), shape);
      blend(data, (to as HostValue).data, mix);
      return to;
    },
    settle: async () => {},
    onHost: async (tensor) => tensor,
    discard: () => {},
    release: async () => {},
  };
}

/** Each product rounded to float32, as in eager execution. */
function blend(from: Float32Array, to: Float32Array, mix: number): void {
  const [kept, added] = [Math.fround(mix), Math.fround(1 - mix)];
  for (let i = 0; i < to.length; i++) to[i] = Math.fround(kept * (to[i] as number)) + Math.fround(added * (from[i] as number));
}
