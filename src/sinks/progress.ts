// One live line for whoever watches: redrawn on a terminal, now and then a plain line elsewhere. On stderr, so that
// stdout stays free for data. The clock decides here what is shown, never what is computed.
import { createColors } from 'picocolors';
import type { AnyBatch } from '../core/batch.js';
import { bounded, nothing } from '../core/demand/index.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { StepReport, Stepped } from '../core/run.js';
import type { StepSink } from '../operators/stages.js';
import { reportOf } from './metrics.js';

/** What progress needs of a stream; `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Seconds between two plain lines where there is no terminal; default 5. (On a terminal: at most ten redraws a second.) */
  readonly every?: number;
  /** Show nothing; default false. */
  readonly quiet?: boolean;
  /** Where to write; default `process.stderr`. */
  readonly screen?: Screen;
  /** Milliseconds, for tests; default `performance.now`. */
  readonly clock?: () => number;
  /** Stage name; default `progress`. */
  readonly name?: string;
}

/** A duration as one reads it: `45 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** Seconds left, from the share done now and at an earlier moment; undefined while nothing can be said. */
export function timeLeft(from: { readonly progress: number | undefined; readonly at: number }, progress: number | undefined, at: number): number | undefined {
  if (progress === undefined || from.progress === undefined || progress <= from.progress) return undefined;
  return ((1 - progress) * (at - from.at)) / (progress - from.progress) / 1000;
}

/** The line: epoch, step, loss, samples a second, share of time spent waiting for data, share done, time left. */
export function progressLine(report: StepReport, left: number | undefined): string {
  const { epoch, step, loss, samplesPerSecond, dataWait, progress } = report;
  const speed = samplesPerSecond >= 10 ? Math.round(samplesPerSecond).toLocaleString('en') : samplesPerSecond.toPrecision(2);
  const parts = [
    ...(progress === undefined ? [] : [`${String(Math.floor(progress * 100)).padStart(3)} %`]),
    `epoch ${epoch.toFixed(2)}`,
    `step ${step.toLocaleString('en')}`,
    `loss ${loss !== 0 && Math.abs(loss) < 1e-3 ? loss.toExponential(2) : loss.toFixed(4)}`,
    `${speed} samples/s`,
    `data ${Math.round(dataWait * 100)} %`,
    ...(left === undefined ? [] : [progress === 1 ? 'done' : `${duration(left)} left`]),
  ];
  return parts.join(' · ');
}

/** The live line of each screen, so that other lines can be written above it. */
const live = new WeakMap<Screen, string>();
const clear = '\r\u001b[2K';

/** Writes a line of its own: above the live line of that screen, if there is one. */
export function sayAbove(line: string, screen: Screen = process.stderr): void {
  const current = live.get(screen);
  screen.write(current === undefined ? `${line}\n` : `${clear}${line}\n${current}`);
}

/**
 * Shows how far a run is: on a terminal one line, redrawn at most ten times a second and left standing at the end;
 * elsewhere the first step, then at most one line every `every` seconds, and the last step. `NO_COLOR` is honoured; a
 * terminal that calls itself `dumb` gets plain lines.
 *
 * @example
 * trained.pipe(progress());
 */
export function progress(options: ProgressOptions = {}): StepSink {
  checkOptions('progress', options, ['every', 'quiet', 'screen', 'clock', 'name']);
  const { every = 5, quiet = false, screen = process.stderr, clock = () => performance.now(), name = 'progress' } = options;
  check(Number.isFinite(every) && every >= 0, 'progress', 'every', 'must be a number of seconds of at least 0', every);
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(recipe('maskflow/sinks', 'progress', {}), { name, per: 'batch' }, () => {
    if (quiet) return { work: (item) => item };
    const terminal = screen.isTTY === true && process.env.TERM !== 'dumb';
    const { dim } = createColors(terminal && (process.env.NO_COLOR ?? '') === '');
    const pause = terminal ? 100 : every * 1000;
    let from: { progress: number | undefined; at: number } | undefined;
    let last = Number.NEGATIVE_INFINITY;
    let pending: { report: StepReport; now: number } | undefined;
    const draw = (report: StepReport, now: number): void => {
      last = now;
      pending = undefined;
      let line = progressLine(report, timeLeft(from ?? { progress: undefined, at: now }, report.progress, now));
      if (!terminal) {
        screen.write(`${line.trimStart()}\n`);
        return;
      }
      // A line that wraps could not be redrawn.
      const width = (screen.columns || 80) - 1;
      if (line.length > width) line = `${line.slice(0, Math.max(0, width - 1))}…`;
      line = line.replaceAll(' · ', dim(' · '));
      live.set(screen, line);
      screen.write(`${clear}${line}`);
    };
    /** Shows the last step, and leaves the line where it is. */
    const end = (): void => {
      if (pending !== undefined) draw(pending.report, pending.now);
      if (live.has(screen)) screen.write('\n');
      live.delete(screen);
    };
    return {
      work(item) {
        const report = reportOf(item);
        const now = clock();
        from ??= { progress: report.progress, at: now };
        pending = { report, now };
        if (now - last >= pause) draw(report, now);
        return item;
      },
      flush() {
        end();
        return nothing;
      },
      // An error or an interruption: what is written next begins on a line of its own.
      stop: end,
    };
  });
  return operator as unknown as StepSink;
}
