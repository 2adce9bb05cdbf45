import { mainJob } from './mainJob.js';
import { w1 } from './w1.js';
import { w2 } from './w2.js';
import type { Workload } from './workload.js';

/** The workloads of bench/step.ts by name; made when asked for. */
export const workloads: Readonly<Record<string, () => Workload>> = { w1, w2, mainJob };
