// run(): lends a pipeline an engine, a folder and a gate, subscribes to its chain, and sees it to its end.
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rmdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chooseBackend } from '../backends/index.js';
import { Cursor } from '../core/cursor.js';
import { Gate, enterRun, usualPrefetch } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import type { Files } from '../core/files.js';
import { checkInteger, checkOptions } from '../core/options.js';
import { type OptionValue, type Pipeline, resolveOptions } from '../core/pipeline.js';
import type { Executor } from '../core/program.js';
import { restoreWeights } from '../sinks/checkpoint.js';
import { nodeFiles } from '../sinks/nodeFiles.js';
import { drive } from './drive.js';
import { Lent } from './lent.js';
import { type RunRecord, type RunStatus, chooseFolder, readRecord } from './folder.js';
import { Prepared } from './prepared.js';
import { plain, readCheckpoint, refuseChanges, refuseOtherChain } from './resume.js';

export interface RunOptions {
  /** Name of the pipeline: its file without extension; names the default folder. */
  readonly name: string;
  /** Values for the pipeline's options; unknown ones are refused, text is read as the default's type. What a resume leaves out is as it was. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Default 0; at a resume that of the run. */
  readonly seed?: number;
  /** A name of the table of backends; default: the best that works. */
  readonly backend?: string;
  readonly allowSoftware?: boolean;
  /** Folder of the run; default runs/<name>, numbered. */
  readonly out?: string;
  readonly resume?: boolean;
  /** Batches in flight; default 2. */
  readonly prefetch?: number;
  /** Ends the run after what is in flight, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Told what a person wants to know: the engine, where a resume goes on, warnings. */
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
  const { name, prefetch = usualPrefetch, signal, say = () => {}, files = nodeFiles, resume = false } = options;
  checkOptions('run', options, [
    'name',
    'options',
    'seed',
    'backend',
    'allowSoftware',
    'out',
    'resume',
    'prefetch',
    'signal',
    'say',
    'preparedFolder',
    'executor',
    'files',
  ]);
  checkInteger('run', 'prefetch', prefetch);
  resolveOptions(pipeline.defaults, options.options ?? {});
  const folder = chooseFolder(name, { out: options.out, resume });
  const before = readRecord(folder);
  // What a resume does not name is as it was.
  const resolved = resolveOptions(pipeline.defaults, { ...recorded(before), ...options.options });
  const seed = options.seed ?? before?.seed ?? 0;
  const backend = options.backend ?? before?.backend;
  // 1. A run that is done is not touched; one that another process is in is refused.
  if (before?.status === 'done' && !extended(before, resolved)) {
    refuseChanges(before, { options: written(resolved), seed, backend: backend ?? before.backend });
    say(`${folder} is done; nothing to resume.`);
    const restored = readCheckpoint(folder);
    return { status: 'done', folder, step: restored?.state.step ?? 0, result: await readJson(join(folder, 'result.json')) };
  }
  if (before?.status === 'running' && before.process !== process.pid && alive(before.process)) {
    throw new MaskflowError({
      stage: 'run',
      option: 'resume',
      rule: `process ${before.process} is working in this folder`,
      value: folder,
      hint: 'Wait for it or end it first.',
    });
  }
  // A folder that was made for this run goes again where it comes to nothing, and runs/ with it if it is empty.
  const giveBack = async (): Promise<void> => {
    if (before !== undefined || options.out !== undefined) return;
    await rmdir(folder)
      .then(() => rmdir(dirname(folder)))
      .catch(() => undefined);
  };
  // 2. The engine, and what a checkpoint gives back.
  let engine: Pick<RunRecord, 'device' | 'settings'> = {};
  const make =
    options.executor ??
    (async (s) => {
      const { name: called, device, software, settings, executor } = await chooseBackend({ backend, allowSoftware: options.allowSoftware });
      say(`Engine: ${called} (${device}${software ? '; no GPU' : ''})`);
      engine = { device, ...(settings === undefined ? {} : { settings }) };
      return executor({ seed: s });
    });
  const executor = await make(seed).catch(async (error: unknown) => {
    await giveBack();
    throw error;
  });
  const leaveRun = enterRun();
  const record: Mutable<RunRecord> = {
    pipeline: name,
    status: 'running',
    options: written(resolved),
    seed,
    backend: executor.backend,
    ...engine,
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
    if (before !== undefined) {
      refuseChanges(before, { options: record.options, seed, backend: executor.backend, settings: engine.settings });
      const [was, is] = [before.device, engine.device];
      if (was !== undefined && is !== undefined && was !== is) say(`The run began on ${was} and goes on on ${is}: last digits may differ.`);
    }
    const restored = before === undefined ? undefined : readCheckpoint(folder);
    if (restored !== undefined) {
      await restoreWeights(executor.weights, restored.set, restored.model, restored.training, restored.state);
      say(`Going on from ${restored.name}.`);
    } else if (resume) {
      say('No checkpoint was made yet: starting at step 0.');
    }
    // 3. The chain.
    const prepared = new Prepared(options.preparedFolder ?? '.maskflow/prepared', say);
    const chain = await inStageOf('pipeline', async () =>
      pipeline.build({
        ...resolved,
        prepared: (n, make) => prepared.path(n, make),
        prepare: (n, make) => prepared.now(n, make),
        out: (n) => join(folder, n),
      }),
    );
    await files.makeFolder(folder);
    if (before === undefined) {
      ours = true;
      await save();
    }
    await prepared.ready();
    const lent = new Lent(seed, executor, folder, files, restored?.state, say, before?.data, (fingerprints) => {
      // What a source that is not open yet had is kept: this resume may die before it opens.
      record.data = { ...before?.data, ...fingerprints };
      gate?.track(save());
    });
    gate = new Gate({ prefetch, seed, run: lent, warn: say, ...(restored === undefined ? {} : { cursor: new Cursor(restored.state.cursor) }) });
    lent.gate = gate;
    const status = await drive(chain, gate, lent, signal, async (stages) => {
      if (before !== undefined && before.recipe.length > 0) refuseOtherChain(before.recipe, stages);
      record.recipe = stages;
      ours = true;
      await save();
      // The figures of a run that goes on are no longer its last.
      if (before !== undefined) await files.remove(join(folder, 'result.json'));
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
    } else {
      await giveBack();
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

async function inStageOf<T>(stage: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inStage(stage, error);
  }
}

/** More epochs or steps than a finished run had. */
function extended(before: RunRecord, now: Readonly<Record<string, unknown>>): boolean {
  return ['epochs', 'steps'].some((name) => name in now && JSON.stringify(before.options[name]) !== JSON.stringify(plain(now[name])));
}

/** Options as run.json has them. */
function written(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, plain(value)]));
}

/** Options of an earlier run, as a pipeline takes them. */
function recorded(before: RunRecord | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(before?.options ?? {}).map(([name, value]) => [name, value === 'none' ? Number.POSITIVE_INFINITY : value]));
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
  return {
    maskflow: of('../../package.json'),
    node: process.version,
    tfjs: of('@tensorflow/tfjs/package.json'),
    platform: `${process.platform}-${process.arch}`,
  };
}
