// State that stays on a GPU from run to run. Each run makes the tensors of the next state; the old ones are freed as soon
// as those have been accepted, so that no more than two states are ever alive.
import { type Runtime, type RuntimeTensor, isOnDevice } from './runtime.js';
import type { StateMemory, StateValue } from './stateMemory.js';
import type { Transfers } from './transfers.js';
import type { Turns } from './turns.js';

class DeviceValue implements StateValue {
  readonly shape: readonly number[];
  readonly next = undefined;
  #now: RuntimeTensor;
  constructor(now: RuntimeTensor, shape: readonly number[]) {
    this.shape = [...shape];
    this.#now = now;
  }

  /** On the host as long as no run has made the value and none has read it. */
  get now(): RuntimeTensor {
    return this.#now;
  }

  accept(answer: RuntimeTensor): void {
    this.dispose();
    this.#now = answer;
  }

  dispose(): void {
    if (isOnDevice(this.#now)) this.#now.dispose();
  }
}

export function deviceMemory(runtime: Runtime, transfers: Transfers, turns: Turns): StateMemory {
  return {
    make: (data, shape) => new DeviceValue(new runtime.Tensor('float32', data, [...shape]), shape),
    // In a turn of its own: what runs now may read it.
    free: (value) => void turns.take(async () => (value as DeviceValue).dispose()),
    read: async ({ now }) => ((await onHost(now)).data as Float32Array).slice(),
    async blend(from, to, mix) {
      const made = mix === 0 || to === undefined ? await transfers.up(from.now) : await transfers.mix(from.now, to.now, mix);
      return new DeviceValue(made, from.shape);
    },
    async settle(values) {
      for (const value of Object.values(values)) if (!isOnDevice(value.now)) value.accept(await transfers.up(value.now));
    },
    endToEnd() {
      throw new Error('values on a device do not lie end to end');
    },
    onHost,
    discard(answers) {
      for (const tensor of Object.values(answers)) if (isOnDevice(tensor)) tensor.dispose();
    },
    release: () => transfers.release(),
  };

  async function onHost(tensor: RuntimeTensor): Promise<RuntimeTensor> {
    return isOnDevice(tensor) ? transfers.down(tensor) : tensor;
  }
}
