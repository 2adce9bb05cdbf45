import type { Schedule } from './schedule.js';
import { type WarmupOptions, warmedUp } from './warmedUp.js';

export interface ConstantOptions extends WarmupOptions {
  /** The rate, after the warm-up if there is one. */
  readonly peak: number;
}

/**
 * One rate throughout; the only schedule that does not need the length of the run (unless it warms up by epochs).
 *
 * @example
 * constant({ peak: 1e-3, warmup: 100 }).at({ step: 49 }); // 5e-4
 */
export function constant(options: ConstantOptions): Schedule {
  return warmedUp('constant', options, ['peak', 'warmup', 'warmupEpochs'], null);
}
