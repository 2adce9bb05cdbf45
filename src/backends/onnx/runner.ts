import type { StateVector } from './flatState.js';
import type { RuntimeTensors } from './runtime.js';

/** Something that computes one piece of work again and again. */
export interface Runner {
  /** All outputs by name. One whose tensor is in `into` is written there; the others are the caller's. */
  run(feeds: RuntimeTensors, into?: RuntimeTensors): Promise<RuntimeTensors>;
  /** State that it reads and writes end to end: `name` is fed, `next/name` comes out, in the place of the members' outputs. */
  readonly vectors: readonly StateVector[];
  /** Names of the weights and slots that come out one by one; undefined: of all. */
  readonly single?: { readonly weights: readonly string[]; readonly slots: readonly string[] };
  release(): Promise<void>;
}
