import { mainJob } from './mainJob.js';
import { vitB16 } from './vitB16.js';
import { w1 } from './w1.js';
import { w2 } from './w2.js';
import type { Workload } from './workload.js';

/** The workloads of bench/step.ts by name; made when asked for. */
export const workloads: Readonly<Record<string, () => Workload>> = { w1, w2, mainJob, vitB16 };

/** Those that are run where none is named: a machine without a GPU has no use for the last. */
export const usualWorkloads: readonly string[] = ['w1', 'w2', 'mainJob'];
