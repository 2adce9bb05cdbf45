// metrics.jsonl: one JSON object a logged step, for scripts. The file is append-only; a resumed run first cuts what lies
// behind its checkpoint, so that every step has one line.
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { AnyBatch } from '../core/batch.js';
import { bounded, nothing, runOf } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { Run, StepReport, Stepped } from '../core/run.js';
import type { StepSink } from '../operators/stages.js';
import { type Appender, appender } from './appender.js';
import { type MaskedCounts, maskedCounts } from './maskedCounts.js';
import { fileError } from './nodeFiles.js';

export interface MetricsOptions {
  /** Log step 1, every `every`-th step and the last one (that before an interruption too); default 1: all. */
  readonly every?: number;
  /** Stage name; default `metrics`. */
  readonly name?: string;
}

/** The report that `train` left on an item; an error where there is none. */
export function reportOf(item: object): StepReport {
  const { report } = item as Partial<Stepped<object>>;
  if (report !== undefined) return report;
  throw new MaskflowError({ rule: 'there is no finished step to look at', hint: 'Put it behind train(…).' });
}

/** Is this step logged, whatever follows? (The last one of a run, ended or interrupted, is too.) */
export const isLogged = (step: number, every: number): boolean => step === 1 || step % every === 0;

/** The figures of a step by name, as scripts and TensorBoard see them. */
export function figuresOf({ epoch, samples, loss, learningRate, gradientNorm, samplesPerSecond, dataWait }: StepReport): Omit<StepReport, 'step' | 'progress'> {
  return { epoch, samples, loss, learningRate, gradientNorm, samplesPerSecond: shortened(samplesPerSecond), dataWait: shortened(dataWait) };
}

/** Measured by a clock: five digits say all that there is. */
const shortened = (value: number): number => Number(value.toPrecision(5));

/** One line of the file, further figures at its end. JSON knows no NaN or infinity: a figure that is not finite is left out. */
export function metricsLine(report: StepReport, more: Readonly<Record<string, number>> = {}): string {
  const finite = Object.entries({ ...figuresOf(report), ...more }).filter(([, value]) => Number.isFinite(value));
  return `${JSON.stringify({ step: report.step, ...Object.fromEntries(finite) })}\n`;
}

/** The lines of `text` that belong to steps up to `step`; a torn last line and lines that are no records go too. */
export function cutMetrics(text: string, step: number): { readonly kept: string; readonly unreadable: number } {
  let kept = '';
  let unreadable = 0;
  const lines = text.split('\n');
  lines.pop();
  for (const line of lines) {
    let at: unknown;
    try {
      at = (JSON.parse(line) as { step?: unknown } | null)?.step;
    } catch {
      at = undefined;
    }
    if (typeof at !== 'number') unreadable++;
    else if (at <= step) kept += `${line}\n`;
  }
  return { kept, unreadable };
}

/**
 * Appends one JSON object a logged step to `file` (relative paths: in the run's folder): `step`, `epoch` (a fraction),
 * `samples` (used so far), `loss` (of that step alone, not averaged), `learningRate`, `gradientNorm` (before clipping),
 * `samplesPerSecond`, `dataWait` (share of the step's time). Behind `mask(rule, { share: true })` also `maskedShare`: hidden tokens over
 * those that might be hidden, both summed over the steps since the line before (of an accumulated step the batch that completed
 * it). A fresh run empties the file; a resumed one cuts the lines behind its checkpoint. A failed write ends the run.
 *
 * @example
 * trained.pipe(metrics(out('metrics.jsonl'), { every: 10 }));
 */
export function metrics(file: string, options: MetricsOptions = {}): StepSink {
  checkOptions('metrics', options, ['every', 'name']);
  check(typeof file === 'string' && file !== '', 'metrics', 'file', 'must be a path', file, "Write metrics(out('…')).");
  const { every = 1, name = 'metrics' } = options;
  checkInteger('metrics', 'every', every);
  const made = recipe('maskflow/sinks', 'metrics', { file: basename(file), every });
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(made, { name, per: 'batch' }, (context) => {
    const run = runOf(context);
    const path = resolve(run.folder, file);
    let out: Appender | undefined;
    let uncut = run.resumed?.step;
    let unlogged: StepReport | undefined;
    // Sums since the last line. They outlive a checkpoint between two lines, so that a resumed run writes the same ones.
    let masked = run.resumed?.stages[name] as (MaskedCounts & { readonly [key: string]: unknown }) | undefined;
    const keep = (): void => run.keep(name, () => ({ hidden: masked?.hidden ?? 0, eligible: masked?.eligible ?? 0 }));
    if (masked !== undefined) keep();
    const gather = (batch: AnyBatch): void => {
      const counts = maskedCounts(batch);
      if (counts === undefined) return;
      if (masked === undefined) keep();
      masked = { hidden: (masked?.hidden ?? 0) + counts.hidden, eligible: (masked?.eligible ?? 0) + counts.eligible };
    };
    // 0 / 0 is no number, and left out.
    const more = (): Readonly<Record<string, number>> => (masked === undefined ? {} : { maskedShare: masked.hidden / masked.eligible });
    const opened = (): Appender => {
      out ??= appender(path, { fresh: run.resumed === undefined });
      return out;
    };
    const write = (report: StepReport, batch: AnyBatch): void => {
      gather(batch);
      const logged = isLogged(report.step, every);
      unlogged = logged ? undefined : report;
      if (!logged) return;
      opened().append(metricsLine(report, more()));
      if (masked !== undefined) masked = { hidden: 0, eligible: 0 };
    };
    const cutOnce = async (): Promise<void> => {
      if (uncut !== undefined) await cut(path, uncut, run);
      uncut = undefined;
    };
    const finish = async (): Promise<void> => {
      await cutOnce();
      const to = opened();
      // The sums go on where the run does: at a resume the next line is that of an uninterrupted run.
      if (unlogged !== undefined) to.append(metricsLine(unlogged, more()));
      unlogged = undefined;
    };
    // The last step of a run that was interrupted is its last one too.
    run.atStop(finish);
    return {
      work(item) {
        const report = reportOf(item);
        if (uncut === undefined) {
          write(report, item);
          return item;
        }
        return cutOnce().then(() => {
          write(report, item);
          return item;
        });
      },
      async flush(): Promise<typeof nothing> {
        await finish();
        return nothing;
      },
      stop: () => out?.close(),
    };
  });
  return operator as unknown as StepSink;
}

/** Replaces the file by its lines up to `step`, in one rename; nothing is written where nothing goes. */
async function cut(path: string, step: number, run: Run): Promise<void> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw fileError('read', path, error);
  }
  const { kept, unreadable } = cutMetrics(text, step);
  if (unreadable > 0) run.say(`${path}: ${unreadable} lines could not be read and were dropped`);
  if (kept === text) return;
  await run.files.write(`${path}.partial`, kept);
  await run.files.rename(`${path}.partial`, path);
}
