// One training step, ours beside PyTorch, TensorFlow and JAX: the same first weights, the same batch, the same number of threads,
// one process each. They run in turn, in bursts of a second or two (A B C A B C …); a burst during which other programs used more
// than a few hundredths of the processor is thrown away. First of all each takes the same steps, whose losses must agree.
// Run: npm run bench -- step [--workload w1,w2,mainJob] [--contenders onnx,torch,…] [--python PATH …]; see bench/README.md.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ContenderProcess, type Ready } from './support/contenderProcess.js';
import { contenderNames, contenderOf, onGpu, references } from './support/contenders.js';
import { line } from './support/line.js';
import { busySeconds } from './support/processor.js';
import { median, quantile } from './support/quantile.js';
import { slopeOf } from './support/slopeOf.js';
import { stepOptions } from './support/stepOptions.js';
import { table } from './support/table.js';
import { workloads } from './support/workloads.js';
import { writeJob } from './support/writeJob.js';

const { workload: chosenWorkloads, asked, threads, rounds, length, foreign, limit, soak, pythons } = stepOptions();

/** Steps whose losses are compared; a contender that needs seconds for one takes fewer. */
const checks = 10;
/** Largest relative difference of a loss. */
const tolerance = (name: string): number => (onGpu(name) ? 1e-4 : 1e-5);
const slow = (name: string, workload: string): boolean => workload !== 'mainJob' && ['wasm', 'wasm-shipped', 'cpu'].includes(name);
/** From how many seconds a burst takes part in three rounds only. */
const long = 4;

/** Of the table; the lines have more. */
const columns = [
  ...['contender', 'milliseconds', 'quartiles', 'speed', 'processorMilliseconds', 'oneTimeMilliseconds', 'outsideShare'],
  ...['peakRss', 'memory', 'lossDifference', 'bursts', 'rejected', 'version'],
];

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
const skip = (workload: string, contender: string, skipped: string): void => {
  console.error(`skipped: ${contender} on ${workload}: ${skipped}`);
  line('step', { workload, contender, skipped });
};

/** What the bursts of one contender gave. */
interface Taking {
  readonly process: ContenderProcess;
  readonly ready: Ready;
  /** Of one burst; follows the time that they take. */
  steps: number;
  /** Takes part in every n-th round. */
  readonly every: number;
  readonly ms: number[];
  readonly processor: number[];
  readonly outside: number[];
  accepted: number;
  rejected: number;
}

/** How many steps of this time make a burst. */
const stepsIn = (seconds: number): number => Math.max(1, Math.round(length / seconds));

/** Waits until nothing else runs, at most half a minute; not where all bursts are kept. */
async function quiet(): Promise<void> {
  if (foreign >= 1) return;
  for (let i = 0; i < 250; i++) {
    const before = busySeconds();
    await new Promise((resolve) => setTimeout(resolve, 120));
    if (before === undefined || (busySeconds() as number) - before < 0.05) return;
  }
}

/** One burst, kept or thrown away. */
async function burst(record: Taking): Promise<void> {
  await quiet();
  const before = busySeconds();
  const own = process.cpuUsage();
  const begin = performance.now();
  const { ms, processor, inside } = await record.process.burst(record.steps);
  const seconds = (performance.now() - begin) / 1000;
  const after = busySeconds();
  record.steps = stepsIn(median(ms) / 1000);
  const { user, system } = process.cpuUsage(own);
  const others = before === undefined || after === undefined ? 0 : after - before - processor / 1000 - (user + system) / 1e6;
  if (others / (availableParallelism() * seconds) > foreign) {
    record.rejected++;
    return;
  }
  record.accepted++;
  record.ms.push(...ms);
  record.processor.push(processor / ms.length);
  if (inside) record.outside.push(1 - inside / ms.reduce((sum, value) => sum + value, 0));
}

/** The contenders that could be started, each behind its first steps. They start one after the other: nobody disturbs anybody. */
async function start(workload: string, folder: string): Promise<Taking[]> {
  const records: Taking[] = [];
  const chosen = asked ?? contenderNames.filter((name) => name !== 'cpu' || workload === 'mainJob');
  for (const name of chosen) {
    const contender = contenderOf(name, { workload, folder, checks: slow(name, workload) ? 2 : checks, threads, pythons });
    if (typeof contender === 'string') {
      skip(workload, name, contender);
      continue;
    }
    console.error(`starting ${name} on ${workload}`);
    const child = new ContenderProcess(contender);
    const ready = await child.ready();
    if (typeof ready === 'string') {
      skip(workload, name, ready);
      child.close();
      continue;
    }
    // The first step holds what is done once, the others still warm up: the second half of them says what one takes.
    const seconds = median(ready.ms.slice(Math.floor(ready.ms.length / 2))) / 1000;
    const steps = stepsIn(seconds);
    const every = steps * seconds > long ? Math.max(1, Math.floor(rounds / 3)) : 1;
    records.push({ process: child, ready, steps, every, ms: [], processor: [], outside: [], accepted: 0, rejected: 0 });
  }
  return records;
}

/** Largest relative difference of the losses of the first steps, and how many could be compared. */
function difference(a: readonly number[], b: readonly number[]): { readonly lossDifference: number; readonly comparedSteps: number } {
  const comparedSteps = Math.min(a.length, b.length);
  const each = a.slice(0, comparedSteps).map((loss, i) => Math.abs(loss - (b[i] as number)) / Math.abs(b[i] as number));
  return { lossDifference: Number(Math.max(...each).toExponential(1)), comparedSteps };
}

async function measure(workload: string, folder: string): Promise<void> {
  const records = await start(workload, folder);
  try {
    // 1. The rounds; a burst that was thrown away is tried again in the next round, until the time is over.
    const begin = performance.now();
    const inTime = (): boolean => performance.now() - begin < limit * 1000;
    const open = (record: Taking): boolean => record.accepted < Math.ceil(rounds / record.every);
    for (let round = 0; records.some(open) && inTime(); round++) {
      for (const record of [...records]) {
        if (!open(record) || round % record.every !== 0 || !inTime()) continue;
        await burst(record).catch((error: Error) => {
          records.splice(records.indexOf(record), 1);
          record.process.close();
          skip(workload, record.process.name, error.message);
        });
      }
    }
    // 2. The lines. Losses are compared with those of our first contender, times with those of the reference.
    const ours = records[0]?.ready.losses ?? [];
    const first = (fits: (record: Taking) => boolean): Taking | undefined =>
      [...references, ...records.map(({ process: { name } }) => name)]
        .map((name) => records.find((record) => record.process.name === name && fits(record)))
        .find((record) => record !== undefined);
    const reference = first(({ ms }) => ms.length > 0);
    const memoryOfReference = first(() => true)?.process.peakRss() ?? 0;
    const rows = records.map((record) => {
      const { process: child, ready, ms, processor, outside, accepted, rejected, steps } = record;
      const time = median(ms);
      const peakRss = child.peakRss();
      return {
        workload,
        contender: child.name,
        version: ready.version,
        ...(ms.length === 0 || reference === undefined
          ? {}
          : {
              milliseconds: rounded(time, 2),
              quartiles: [0.25, 0.75].map((q) => rounded(quantile(ms, q), 2)),
              processorMilliseconds: rounded(median(processor), 2),
              reference: reference.process.name,
              speed: rounded(median(reference.ms) / time, 3),
              oneTimeMilliseconds: Math.round((ready.ms[0] as number) - time),
            }),
        ...(outside.length === 0 ? {} : { outsideShare: rounded(median(outside), 4) }),
        ...(ready.sessions === undefined ? {} : { sessions: ready.sessions, sessionMilliseconds: Math.round(ready.sessionMilliseconds as number) }),
        ...(peakRss === 0 ? {} : { peakRss, startRss: ready.startRss, memory: rounded(peakRss / memoryOfReference, 3) }),
        ...difference(ready.losses, ours),
        bursts: accepted,
        rejected,
        stepsPerBurst: steps,
        threads,
      };
    });
    for (const row of rows) line('step', row);
    console.error(`\n${workload}, ${threads} threads\n${table(columns, rows)}\n`);
    for (const { contender, lossDifference } of rows) {
      if (lossDifference <= tolerance(contender)) continue;
      console.error(`${contender} on ${workload}: its losses differ by ${lossDifference}, more than ${tolerance(contender)}`);
      process.exitCode = 1;
    }
  } finally {
    for (const { process: child } of records) child.close();
  }
}

/** Many steps of each engine that is asked for: the resident set must not grow. */
async function soaked(workload: string, folder: string): Promise<void> {
  for (const { process: child, ready } of await start(workload, folder)) {
    console.error(`${soak} steps of ${child.name} on ${workload}`);
    const { samples, milliseconds, tensorsBefore, tensorsAfter, loss } = await child.soak(soak);
    const settled = samples.slice(Math.floor(samples.length / 10));
    line('step', {
      workload,
      contender: child.name,
      version: ready.version,
      soak,
      milliseconds: rounded(milliseconds / soak, 2),
      startRss: ready.startRss,
      firstRss: settled[0]?.[1],
      lastRss: settled.at(-1)?.[1],
      bytesPerStep: rounded(slopeOf(settled), 1),
      peakRss: child.peakRss(),
      tensorsBefore,
      tensorsAfter,
      loss,
      threads,
    });
    child.close();
  }
}

for (const workload of chosenWorkloads) {
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));
  try {
    writeJob(folder, (workloads[workload] as (typeof workloads)[string])(), { checks, threads });
    await (soak > 0 ? soaked(workload, folder) : measure(workload, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
