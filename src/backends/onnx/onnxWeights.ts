// The weight sets of one executor; what is asynchronous takes turns with its runs.
import type { Column } from '../../core/batch.js';
import { WeightSets } from '../weightSets.js';
import type { StateMemory, StateValue } from './stateMemory.js';
import type { Turns } from './turns.js';

export class OnnxWeights extends WeightSets<StateValue> {
  readonly #turns: Turns;
  constructor(seed: number, enter: () => void, memory: StateMemory, turns: Turns) {
    super(seed, { enter, ...memory });
    this.#turns = turns;
  }

  override copy(from: string, to: string, mix?: number): Promise<void> {
    return this.#turns.take(() => super.copy(from, to, mix));
  }

  override snapshot(set: string): Promise<ReadonlyMap<string, Column<Float32Array>>> {
    return this.#turns.take(() => super.snapshot(set));
  }

  override restore(set: string, values: ReadonlyMap<string, Column>): Promise<void> {
    return this.#turns.take(() => super.restore(set, values));
  }
}
