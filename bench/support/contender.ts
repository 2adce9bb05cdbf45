// One of our engines as a contender of bench/step.ts, in a process of its own: takes the first steps of a workload and says so
// in one JSON line, then answers each line of its input, a number of steps, by their times. The Python peers speak the same.
// Arguments: engine, workload, number of first steps.
import { createInterface } from 'node:readline';
import type { StepOutcome } from 'maskflow';
import { chooseBackend } from 'maskflow/backends';
import { shippedKernels } from './asShipped.js';
import { type SessionTimes, observeSessions } from './observeSessions.js';
import { residentOf } from './resident.js';
import { workloads } from './workloads.js';

const [engine = '', name = '', checks = '10'] = process.argv.slice(2);
const say = (message: Readonly<Record<string, unknown>>): void => console.log(JSON.stringify(message));

const sessions: SessionTimes | undefined = engine === 'onnx' ? await observeSessions() : undefined;
const putBack = process.env.BENCH_KERNELS === 'shipped' ? await shippedKernels() : undefined;
const chosen = await chooseBackend({ backend: engine }).catch((error: unknown) => {
  say({ skipped: error instanceof Error ? error.message : String(error) });
  process.exit(0);
});
const added = putBack?.();
const { program, batch, optimizer, scalars, clip, weights } = (workloads[name] as (typeof workloads)[string])();
const startRss = residentOf('self');
const executor = chosen.executor({ seed: 0 });
await executor.weights.restore(program.weights, weights);
// The first session is that of the trial by which the engine was verified.
const trial = { ...(sessions ?? { created: 0, creating: 0 }) };

let steps = 0;
/** One step; answers its milliseconds. */
async function step(): Promise<{ readonly milliseconds: number; readonly outcome: StepOutcome }> {
  const begin = performance.now();
  steps++;
  const outcome = await executor.step(program, batch, optimizer, scalars(steps), clip === undefined ? {} : { clip });
  return { milliseconds: performance.now() - begin, outcome };
}

const losses: number[] = [];
const first: number[] = [];
for (let i = 0; i < Number(checks); i++) {
  const { milliseconds, outcome } = await step();
  losses.push(outcome.sum / outcome.count);
  first.push(milliseconds);
}
const compiled = sessions && { sessions: sessions.created - trial.created, sessionMilliseconds: sessions.creating - trial.creating };
const version = added === undefined ? chosen.device : `${chosen.device}; kernels that it lacks: ${added.join(', ')}`;
say({ ready: true, version, losses, ms: first, startRss, ...compiled });

/** `n`: a burst. */
async function burst(n: number): Promise<void> {
  const ms: number[] = [];
  const before = process.cpuUsage();
  const running = sessions?.running ?? 0;
  for (let i = 0; i < n; i++) ms.push((await step()).milliseconds);
  const { user, system } = process.cpuUsage(before);
  say({ ms, processor: (user + system) / 1000, ...(sessions && { inside: sessions.running - running }) });
}

/** `soak n`: n steps, with the resident set at about a thousand places among them. */
async function soak(n: number): Promise<void> {
  const every = Math.max(1, Math.floor(n / 1000));
  const before = executor.tensors();
  const samples: [number, number][] = [];
  const begin = performance.now();
  let last = Number.NaN;
  for (let i = 1; i <= n; i++) {
    const { outcome } = await step();
    if (!outcome.finite) throw new Error(`step ${steps} was not finite`);
    last = outcome.sum / outcome.count;
    if (i % every === 0) samples.push([i, residentOf('self')]);
  }
  say({ samples, milliseconds: performance.now() - begin, tensorsBefore: before, tensorsAfter: executor.tensors(), loss: last });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, count] = line.split(' ');
  if (command === 'soak') await soak(Number(count));
  else await burst(Number(command));
}
executor.dispose();
