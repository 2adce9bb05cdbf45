import type { Schedule } from './schedule.js';
import { type WarmupOptions, warmedUp } from './warmedUp.js';

export interface LinearDecayOptions extends WarmupOptions {
  /** Highest rate. */
  readonly peak: number;
  /** Rate at the end of the run; default 0. */
  readonly floor?: number;
}

/**
 * A straight line from `peak` to `floor` over the run. Needs the length of the run.
 *
 * @example
 * linear({ peak: 1e-3 }).at({ step: 50, progress: 0.25 }); // 7.5e-4
 */
export function linear(options: LinearDecayOptions): Schedule {
  return warmedUp('linear', options, ['peak', 'floor', 'warmup', 'warmupEpochs'], (share) => 1 - share);
}
