// State as arrays on the host that go into a graph and come out of it.
import { type Runtime, type RuntimeTensor, emptyTensor } from './runtime.js';
import type { StateArray, StateMemory, StateValue } from './stateMemory.js';

/** Which of two tensors holds the values; the other one is where the next run writes. Values that lie end to end share one. */
interface Turn {
  now: 0 | 1;
}

/** Its values change by writing into `next` and swapping, so that a run never writes what it reads. */
class HostValue implements StateValue {
  readonly shape: readonly number[];
  /** The array that it is a part of. */
  array: HostArray | undefined;
  readonly #runtime: Runtime;
  #turn: Turn = { now: 0 };
  #tensors: readonly [RuntimeTensor, RuntimeTensor | undefined];
  constructor(runtime: Runtime, data: Float32Array, shape: readonly number[]) {
    this.shape = [...shape];
    this.#runtime = runtime;
    this.#tensors = [new runtime.Tensor('float32', data, this.shape), undefined];
  }

  get now(): RuntimeTensor {
    return this.#tensors[this.#turn.now] as RuntimeTensor;
  }

  get data(): Float32Array {
    return this.now.data as Float32Array;
  }

  /** Made once. */
  get next(): RuntimeTensor {
    this.#tensors = this.#tensors[1] === undefined ? [this.#tensors[0], emptyTensor(this.#runtime, { type: 'float32', shape: this.shape })] : this.#tensors;
    return this.#tensors[this.#turn.now === 0 ? 1 : 0] as RuntimeTensor;
  }

  /** The run wrote into `next`. By itself a part of an array goes on alone: its place there holds old values from now on. */
  accept(): void {
    const { next } = this;
    this.#tensors = [next, this.now];
    this.#turn = { now: 0 };
    this.array = undefined;
  }

  /** Moves into a part of an array. */
  move(array: HostArray, turn: Turn, now: Float32Array, next: Float32Array): void {
    const { Tensor } = this.#runtime;
    now.set(this.data);
    this.#tensors = [new Tensor('float32', now, this.shape), new Tensor('float32', next, this.shape)];
    this.#turn = turn;
    this.array = array;
  }
}

/** Values end to end in one array, twice: now and next. */
class HostArray implements StateArray {
  readonly #members: readonly HostValue[];
  readonly #tensors: readonly [RuntimeTensor, RuntimeTensor];
  readonly #turn: Turn = { now: 0 };
  constructor({ Tensor }: Runtime, members: readonly HostValue[]) {
    this.#members = members;
    const length = members.reduce((sum, { data }) => sum + data.length, 0);
    const [now, next] = [new Float32Array(length), new Float32Array(length)];
    let at = 0;
    for (const member of members) {
      const end = at + member.data.length;
      member.move(this, this.#turn, now.subarray(at, end), next.subarray(at, end));
      at = end;
    }
    this.#tensors = [new Tensor('float32', now, [length]), new Tensor('float32', next, [length])];
  }

  /** Does it hold these values, and nothing else? */
  holds(values: readonly HostValue[]): boolean {
    return values.length === this.#members.length && values.every((value, i) => value === this.#members[i] && value.array === this);
  }

  get now(): RuntimeTensor {
    return this.#tensors[this.#turn.now];
  }

  get next(): RuntimeTensor {
    return this.#tensors[this.#turn.now === 0 ? 1 : 0];
  }

  accept(): void {
    this.#turn.now = this.#turn.now === 0 ? 1 : 0;
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
    endToEnd(values) {
      const members = values as readonly HostValue[];
      const array = members[0]?.array;
      return array?.holds(members) === true ? array : new HostArray(runtime, members);
    },
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
