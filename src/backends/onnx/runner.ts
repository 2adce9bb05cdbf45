import type { RuntimeTensors } from './runtime.js';

/** Something that computes one piece of work again and again. */
export interface Runner {
  /** All outputs by name. One whose tensor is in `into` is written there; the others are the caller's. */
  run(feeds: RuntimeTensors, into?: RuntimeTensors): Promise<RuntimeTensors>;
  release(): Promise<void>;
}
