// Scalars for TensorBoard. A file begins with its version and the start of a session: TensorBoard then drops what older
// files of the folder hold of that step and later ones (event_accumulator.py, `_CheckForRestartAndMaybePurge`), so a
// resumed run writes a new file and leaves the old one alone.
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { AnyBatch } from '../core/batch.js';
import { bounded, nothing, runOf } from '../core/demand/index.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { StepReport, Stepped } from '../core/run.js';
import { encodeEvent, fileVersion } from '../formats/tensorboard.js';
import type { StepSink } from '../operators/stages.js';
import { type Appender, appender } from './appender.js';
import { figuresOf, isLogged, reportOf } from './metrics.js';
import { fileError } from './nodeFiles.js';

export interface TensorboardOptions {
  /** Log step 1, every `every`-th step and the last one (that before an interruption too); default 1: all. */
  readonly every?: number;
  /** Stage name; default `tensorboard`. */
  readonly name?: string;
}

/** A name that sorts behind those that there are: TensorBoard reads the files of a folder in the order of their names. */
export function eventFileName(existing: readonly string[], seconds: number): string {
  const taken = existing.map((name) => Number(/^events\.out\.tfevents\.(\d+)/.exec(name)?.[1] ?? -1));
  const free = Math.max(Math.floor(seconds), ...taken.map((second) => second + 1));
  return `events.out.tfevents.${String(free).padStart(10, '0')}.maskflow`;
}

/** The scalars of a step by tag. */
export function scalarsOf(report: StepReport): Readonly<Record<string, number>> {
  const { epoch, loss, learningRate, gradientNorm, samplesPerSecond, dataWait } = figuresOf(report);
  return {
    'train/loss': loss,
    'train/learningRate': learningRate,
    'train/gradientNorm': gradientNorm,
    'train/epoch': epoch,
    'speed/samplesPerSecond': samplesPerSecond,
    'speed/dataWait': dataWait,
  };
}

/**
 * Writes an event file into `folder` (relative paths: in the run's folder): the scalars `train/loss`,
 * `train/learningRate`, `train/gradientNorm`, `train/epoch`, `speed/samplesPerSecond` and `speed/dataWait`, by step.
 * A resumed run starts a new file that voids the steps behind its checkpoint. A failed write ends the run. The clock is
 * read for the wall time of events and the name of the file alone.
 *
 * @example
 * trained.pipe(tensorboard(out('.'), { every: 10 })); // then: tensorboard --logdir runs
 */
export function tensorboard(folder: string, options: TensorboardOptions = {}): StepSink {
  checkOptions('tensorboard', options, ['every', 'name']);
  check(typeof folder === 'string' && folder !== '', 'tensorboard', 'folder', 'must be a path', folder, "Write tensorboard(out('…')).");
  const { every = 1, name = 'tensorboard' } = options;
  checkInteger('tensorboard', 'every', every);
  const made = recipe('maskflow/sinks', 'tensorboard', { every });
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(made, { name, per: 'batch' }, (context) => {
    const run = runOf(context);
    const path = resolve(run.folder, folder);
    let out: Appender | undefined;
    let unlogged: StepReport | undefined;
    const write = (report: StepReport): void => {
      out ??= openEvents(path, run.resumed === undefined ? 0 : run.resumed.step + 1);
      out.append(encodeEvent({ wallTime: Date.now() / 1000, step: report.step, scalars: scalarsOf(report) }));
    };
    const finish = (): void => {
      if (unlogged !== undefined) write(unlogged);
      unlogged = undefined;
    };
    // The last step of a run that was interrupted is its last one too.
    run.atStop(async () => finish());
    return {
      work(item) {
        const report = reportOf(item);
        const logged = isLogged(report.step, every);
        if (logged) write(report);
        unlogged = logged ? undefined : report;
        return item;
      },
      flush() {
        finish();
        return nothing;
      },
      stop: () => out?.close(),
    };
  });
  return operator as unknown as StepSink;
}

/** A new event file in `folder` whose session starts at `step`. */
function openEvents(folder: string, step: number): Appender {
  const wallTime = Date.now() / 1000;
  let existing: string[] = [];
  try {
    existing = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError('list', folder, error);
  }
  const out = appender(join(folder, eventFileName(existing, wallTime)));
  out.append(encodeEvent({ wallTime, step: 0, fileVersion }));
  out.append(encodeEvent({ wallTime, step, sessionStart: true }));
  return out;
}
