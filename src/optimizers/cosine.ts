import type { Schedule } from './schedule.js';
import { type WarmupOptions, warmedUp } from './warmedUp.js';

export interface CosineOptions extends WarmupOptions {
  /** Highest rate. */
  readonly peak: number;
  /** Rate at the end of the run; default 0. */
  readonly floor?: number;
}

/**
 * Half a cosine from `peak` to `floor` over the run (Loshchilov and Hutter: "SGDR", ICLR 2017, without restarts). Needs the
 * length of the run.
 *
 * @example
 * cosine({ peak: 2.4e-3, warmupEpochs: 40 }).at({ step: 0, progress: 0.525, epochs: 800 }); // 1.2e-3, at epoch 420
 */
export function cosine(options: CosineOptions): Schedule {
  return warmedUp('cosine', options, ['peak', 'floor', 'warmup', 'warmupEpochs'], (share) => 0.5 * (1 + Math.cos(Math.PI * share)));
}
