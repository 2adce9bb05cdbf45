// A run without an engine, and finished steps to send through sinks.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Observable, from } from 'rxjs';
import { afterAll } from 'vitest';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import { Gate, within } from '../../src/core/demand/index.js';
import type { Executor, Program } from '../../src/core/program.js';
import type { Run, StepReport, Stepped } from '../../src/core/run.js';
import type { StepSink } from '../../src/operators/stages.js';
import { nodeFiles } from '../../src/sinks/nodeFiles.js';

/** A new empty folder, removed when the file's tests are done. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'maskflow-sinks-'));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface FakeOptions {
  readonly folder: string;
  /** The step of the checkpoint that the run goes on from. */
  readonly resumed?: number;
  readonly evaluate?: (batch: AnyBatch) => Column<Float32Array>;
  readonly said?: string[];
  /** Gets what the sinks want done at an interruption. */
  readonly atStop?: (() => Promise<void>)[];
}

export function fakeRun({ folder: path, resumed, evaluate, said = [], atStop = [] }: FakeOptions): Run {
  return {
    seed: 1,
    folder: path,
    files: nodeFiles,
    resumed: resumed === undefined ? undefined : { step: resumed, seed: 1, cursor: { sources: [] }, stages: {} },
    executor: { evaluate: async (_: Program, batch: AnyBatch) => ({ prediction: evaluate?.(batch) }) } as unknown as Executor,
    stopping: new AbortController().signal,
    keep: () => {},
    state: () => ({ step: 0, seed: 1, cursor: { sources: [] }, stages: {} }),
    atStop: (save) => atStop.push(save),
    data: () => {},
    report: () => {},
    say: (line) => said.push(line),
  };
}

export function report(step: number, more: Partial<StepReport> = {}): StepReport {
  return {
    step,
    loss: 1 / step,
    learningRate: 1e-3,
    gradientNorm: 2,
    epoch: step / 10,
    samples: step * 32,
    progress: step / 100,
    samplesPerSecond: 1234.5678,
    dataWait: 0.125,
    ...more,
  };
}

const origin = { source: 0, id: 0, epoch: 0, position: 0 };
export function stepped(step: number, more: Partial<StepReport> = {}, batch: Partial<AnyBatch> = {}): Stepped<AnyBatch> {
  return { rows: 1, columns: {}, origins: [origin], program: undefined, ...batch, report: report(step, more) };
}

export const steps = (first: number, last: number): Stepped<AnyBatch>[] => Array.from({ length: last - first + 1 }, (_, i) => stepped(first + i));

/** Sends items through a sink in a run, until all of its files are closed. */
export async function through(sink: StepSink, items: Observable<Stepped<AnyBatch>> | readonly Stepped<AnyBatch>[], run?: Run): Promise<unknown[]> {
  const gate = new Gate(run === undefined ? {} : { run });
  const out: unknown[] = [];
  const source = from(items) as Observable<never>;
  try {
    await new Promise<void>((resolve, reject) => {
      within({ gate }, () => sink(source).subscribe({ next: (item) => out.push(item), error: reject, complete: resolve }));
    });
  } finally {
    await gate.closed();
  }
  return out;
}
