// run(): lends a pipeline an engine, a folder and a gate, subscribes to its chain, and sees it to its end.
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Observable } from 'rxjs';
import { createExecutor } from '../backends/index.js';
import { Cursor } from '../core/cursor.js';
import { Gate, enterRun, within } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import type { Files } from '../core/files.js';
import { type OptionValue, type Pipeline, resolveOptions } from '../core/pipeline.js';
import type { Executor } from '../core/program.js';
import type { Run, StageState } from '../core/run.js';
import { restoreWeights } from '../sinks/checkpoint.js';
import { nodeFiles } from '../sinks/nodeFiles.js';
import { type RunRecord, type RunStatus, type StageRecord, chooseFolder, readRecord } from './folder.js';
import { Prepared } from './prepared.js';
import { plain, readCheckpoint, refuseChanges, refuseOtherChain } from './resume.js';

export interface RunOptions {
  /** Name of the pipeline: its file without extension; names the default folder. */
  readonly name: string;
  /** Values for the pipeline's options; unknown ones are refused. Text is read as the default's type. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Default 0. */
  readonly seed?: number;
  /** A name of the table of backends; default: the best that works. */
  readonly backend?: string;
  readonly allowSoftware?: boolean;
  /** Folder of the run; default runs/<name>, numbered. */
  readonly out?: string;
  readonly resume?: boolean;
  /** Batches in flight; default 4. */
  readonly prefetch?: number;
  /** Ends the run after what is in flight, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
  /** Folder for data that pipelines prepare; default .maskflow/prepared. */
  readonly preparedFolder?: string;
  /** For tests: another engine, or files that stop. */
  readonly executor?: (seed: number) => Promise<Executor>;
  readonly files?: Files;
}

export interface RunResult {
  readonly status: 'done' | 'interrupted';
  readonly folder: string;
  readonly step: number;
  /** What result.json holds. */
  readonly result: Readonly<Record<string, unknown>>;
}

/**
 * Runs a pipeline to its end.
 *
 * @example
 * const { result } = await run(pipeline, { name: 'mine', options: { epochs: 2 }, seed: 7 });
 */
export async function run<P extends Readonly<Record<string, OptionValue>>>(pipeline: Pipeline<P>, options: RunOptions): Promise<RunResult> {
  const { name, seed = 0, prefetch = 4, signal, say = () => {}, files = nodeFiles, resume = false } = options;
  const resolved = resolveOptions(pipeline.defaults, options.options ?? {});
  const folder = chooseFolder(name, { out: options.out, resume });
  const before = readRecord(folder);
  // 1. A run that is done is not touched; one that another process is in is refused.
  if (before?.status === 'done' && !extended(before, resolved)) {
    say(`${folder} is done; nothing to resume.`);
    const restored = readCheckpoint(folder);
    return { status: 'done', folder, step: restored?.state.step ?? 0, result: await readJson(join(folder, 'result.json')) };
  }
  if (before?.status === 'running' && before.process !== process.pid && alive(before.process)) {
    throw new MaskflowError({ stage: 'run', option: 'resume', rule: `process ${before.process} is working in this folder`, value: folder, hint: 'Wait for it or end it first.' });
  }
  // 2. The engine, and what a checkpoint gives back.
  const executor = await (options.executor ?? ((s) => createExecutor({ seed: s, ...picked(options) })))(seed);
  const leaveRun = enterRun();
  const record: Mutable<RunRecord> = {
    pipeline: name,
    status: 'running',
    options: Object.fromEntries(Object.entries(resolved).map(([key, value]) => [key, plain(value)])),
    seed,
    backend: executor.backend,
    prefetch,
    recipe: before?.recipe ?? [],
    data: before?.data ?? {},
    versions: versions(),
    process: process.pid,
    started: before?.started ?? new Date().toISOString(),
  };
  const write = (path: string, value: unknown): Promise<void> => replace(files, join(folder, path), `${JSON.stringify(value, null, 2)}\n`);
  // Writes of run.json follow one another, each with the record as it is by then.
  let saved = Promise.resolve();
  const save = (): Promise<void> => (saved = saved.then(() => write('run.json', record)));
  // Until the folder is made, or a resume is known to be legal, nothing is written into it.
  let ours = false;
  let gate: Gate | undefined;
  try {
    if (before !== undefined) refuseChanges(before, { options: record.options, seed, backend: executor.backend });
    const restored = before === undefined ? undefined : readCheckpoint(folder);
    if (restored !== undefined) {
      await restoreWeights(executor.weights, restored.set, restored.model, restored.training, restored.state);
      say(`Going on from ${restored.name}.`);
    } else if (resume) {
      say('No checkpoint was made yet: starting at step 0.');
    }
    // 3. The chain.
    const prepared = new Prepared(options.preparedFolder ?? '.maskflow/prepared', say);
    const chain = inStageOf('pipeline', () =>
      pipeline.build({ ...resolved, prepared: (n, make) => prepared.path(n, make), out: (n) => join(folder, n) }),
    );
    await files.makeFolder(folder);
    if (before === undefined) {
      ours = true;
      await save();
    }
    await prepared.ready();
    const lent = new Lent(seed, executor, folder, files, restored?.state, say, before?.data, (fingerprints) => {
      record.data = fingerprints;
      gate?.track(save());
    });
    gate = new Gate({ prefetch, seed, run: lent, warn: say, ...(restored === undefined ? {} : { cursor: new Cursor(restored.state.cursor) }) });
    lent.gate = gate;
    const status = await drive(chain, gate, lent, signal, async (stages) => {
      if (before !== undefined && before.recipe.length > 0) refuseOtherChain(before.recipe, stages);
      record.recipe = stages;
      ours = true;
      await save();
    });
    // 4. What is left behind.
    await gate.closed();
    if (status === 'done') await write('result.json', lent.figures);
    finish(record, status);
    await save();
    return { status, folder, step: executor.weights.step, result: lent.figures };
  } catch (error) {
    await gate?.closed();
    const told = error instanceof MaskflowError ? error : inStage('run', error);
    if (ours) {
      finish(record, 'failed', told.message);
      await save().catch((problem: unknown) => say(`run.json could not be written: ${String(problem)}`));
    }
    throw told;
  } finally {
    leaveRun();
    executor.dispose();
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function finish(record: Mutable<RunRecord>, status: RunStatus, error?: string): void {
  record.status = status;
  record.ended = new Date().toISOString();
  if (error !== undefined) record.error = error;
}

/** Subscribes and waits: until the chain ends, fails, or has drained after a signal. */
async function drive(chain: Observable<unknown>, gate: Gate, lent: Lent, signal: AbortSignal | undefined, started: (stages: StageRecord[]) => Promise<void>): Promise<'done' | 'interrupted'> {
  // Nothing is served before the chain is known to be the one that is resumed.
  gate.paused = true;
  let settle: { resolve(status: 'done' | 'interrupted'): void; reject(error: unknown): void } | undefined;
  const ended = new Promise<'done' | 'interrupted'>((resolve, reject) => {
    settle = { resolve, reject };
  });
  ended.catch(() => undefined);
  const subscription = within({ gate }, () =>
    chain.subscribe({
      next: () => gate.arrived(),
      error: (error) => settle?.reject(error),
      complete: () => settle?.resolve('done'),
    }),
  );
  const stop = async (): Promise<void> => {
    lent.abort();
    gate.paused = true;
    await gate.until(() => gate.idle());
    try {
      await lent.saveAtStop();
      settle?.resolve('interrupted');
    } catch (error) {
      settle?.reject(error);
    }
  };
  const onAbort = (): void => void stop();
  try {
    await started(stagesOf(gate));
    if (signal?.aborted) onAbort();
    else {
      signal?.addEventListener('abort', onAbort, { once: true });
      gate.paused = false;
      gate.changed();
    }
    return await ended;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    subscription.unsubscribe();
  }
}

/** The chain as data, from the sink up. */
export function stagesOf(gate: Gate): StageRecord[] {
  return [...gate.places]
    .sort((a, b) => a.registration - b.registration)
    .map((place) => ({
      name: place.name,
      module: place.recipe.module,
      function: place.recipe.name,
      options: JSON.parse(JSON.stringify(place.recipe.options, (_, value) => plain(value))) as Record<string, unknown>,
      feeds: [...place.next].map((next) => next.name),
    }));
}

/** The run as its stages see it. */
class Lent implements Run {
  readonly seed: number;
  readonly executor: Executor;
  readonly folder: string;
  readonly files: Files;
  readonly resumed: Run['resumed'];
  readonly say: (line: string) => void;
  readonly figures: Record<string, unknown> = {};
  readonly fingerprints: Record<string, string> = {};
  gate: Gate | undefined;
  readonly #before: Readonly<Record<string, string>> | undefined;
  readonly #onData: (fingerprints: Readonly<Record<string, string>>) => void;
  readonly #stopping = new AbortController();
  readonly #states = new Map<string, () => StageState>();
  readonly #atStop: (() => Promise<void>)[] = [];

  constructor(
    seed: number,
    executor: Executor,
    folder: string,
    files: Files,
    resumed: Run['resumed'],
    say: (line: string) => void,
    before: Readonly<Record<string, string>> | undefined,
    onData: (fingerprints: Readonly<Record<string, string>>) => void,
  ) {
    this.seed = seed;
    this.executor = executor;
    this.folder = folder;
    this.files = files;
    this.resumed = resumed;
    this.say = say;
    this.#before = before;
    this.#onData = onData;
  }
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }
  abort(): void {
    this.#stopping.abort();
  }
  keep(stage: string, save: () => StageState): void {
    this.#states.set(stage, save);
  }
  state(): NonNullable<Run['resumed']> {
    const stages = Object.fromEntries([...this.#states].sort(([a], [b]) => (a < b ? -1 : 1)).map(([stage, save]) => [stage, save()]));
    return { step: this.executor.weights.step, seed: this.seed, cursor: (this.gate as Gate).cursor.toJSON(), stages };
  }
  atStop(save: () => Promise<void>): void {
    this.#atStop.push(save);
  }
  async saveAtStop(): Promise<void> {
    for (const save of this.#atStop) await save();
  }
  report(figures: Readonly<Record<string, unknown>>): void {
    merge(this.figures, figures);
  }
  data(source: string, fingerprint: string): void {
    const was = this.#before?.[source];
    if (was !== undefined && was !== fingerprint) {
      throw new MaskflowError({
        stage: source.replace(/^\d+\./, ''),
        rule: `the data is not what this run began with: its fingerprint was ${was}`,
        value: fingerprint,
        hint: 'Bring the old data back, or start a new run: --out DIR.',
      });
    }
    this.fingerprints[source] = fingerprint;
    this.#onData({ ...this.fingerprints });
  }
}

function merge(into: Record<string, unknown>, figures: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(figures)) {
    const old = into[name];
    if (isRecord(old) && isRecord(value)) merge(old, value);
    else into[name] = isRecord(value) ? structuredClone(value) : value;
  }
}
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function inStageOf<T>(stage: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw inStage(stage, error);
  }
}

/** More epochs or steps than a finished run had. */
function extended(before: RunRecord, now: Readonly<Record<string, unknown>>): boolean {
  return ['epochs', 'steps'].some((name) => name in now && JSON.stringify(before.options[name]) !== JSON.stringify(plain(now[name])));
}

function picked({ backend, allowSoftware }: RunOptions): { backend?: string; allowSoftware?: boolean } {
  return { ...(backend === undefined ? {} : { backend }), ...(allowSoftware === undefined ? {} : { allowSoftware }) };
}

function alive(process_: number): boolean {
  try {
    process.kill(process_, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // Numbers are used again: where the system tells, it must be one of Node's.
  const command = `/proc/${process_}/cmdline`;
  return !existsSync(command) || /node|maskflow/.test(readFileSync(command, 'utf8'));
}

async function replace(files: Files, path: string, content: string): Promise<void> {
  await files.write(`${path}.partial`, content);
  await files.rename(`${path}.partial`, path);
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
}

function versions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const of = (name: string): string => (require(name) as { version: string }).version;
  return { maskflow: of('../../package.json'), node: process.version, tfjs: of('@tensorflow/tfjs/package.json'), platform: `${process.platform}-${process.arch}` };
}
