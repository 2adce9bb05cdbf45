// A run whose evaluation can be foretold: features are the column `x` times one weight that starts at 0 and is trained
// towards 1. Untrained features are all zero, so they tell nothing; trained ones are as good as `x`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type MonoTypeOperatorFunction, type Observable, tap } from 'rxjs';
import { afterAll } from 'vitest';
import type { AnyBatch, Batch, Column } from '../../src/core/batch.js';
import { pipeline } from '../../src/core/pipeline.js';
import type { LossTerm, Program, Tensor } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';
import type { Stepped } from '../../src/core/run.js';
import { zeros } from '../../src/models/initializers/zeros.js';
import { type BatchOptions, batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { loss } from '../../src/operators/loss.js';
import { model } from '../../src/operators/model.js';
import { sgd } from '../../src/optimizers/sgd.js';
import { type RunOptions, type RunResult, run } from '../../src/run/run.js';
import { train } from '../../src/sinks/train.js';
import { memory } from '../../src/sources/memory.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-gated-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

export const gated: Program<'features' | 'gate'> = {
  recipe: recipe('tests', 'gated', {}),
  weights: 'student',
  inputs: () => ['x'],
  parameters: () => ({ gate: { shape: [1], init: zeros() } }),
  draws: () => ({}),
  build: ({ gate }, { x }) => ({ features: (x as Tensor).mul(gate as Tensor), gate: gate as Tensor }),
};

/** (gate − 1)². */
const opened: LossTerm<'gate'> = {
  recipe: recipe('tests', 'opened', {}),
  inputs: () => [],
  build: ({ gate }) => ({ sum: gate.sub(1).square().sum(), count: tf.scalar(1) }),
};

export interface Row {
  readonly x: readonly number[];
  readonly label: number;
}

/** Batches of these rows, as an evaluation reads them. */
export function labelled(
  rows: readonly Row[],
  size = 16,
  options: BatchOptions = {},
): Observable<Batch<{ x: Column<Float32Array>; label: Column<Float32Array> }>> {
  const samples = rows.map(({ x, label }) => ({ x: { data: Float32Array.from(x), shape: [x.length] } as Column<Float32Array>, label }));
  return memory(samples).pipe(batch(size, options)) as Observable<Batch<{ x: Column<Float32Array>; label: Column<Float32Array> }>>;
}

/** Trains the gate open in `steps` steps, with these evaluations at the end. */
export function gatedRun(
  evaluations: readonly MonoTypeOperatorFunction<Stepped<AnyBatch>>[],
  { steps = 4, onStep = () => {}, ...options }: Partial<RunOptions> & { readonly steps?: number; readonly onStep?: (step: number) => void } = {},
): Promise<RunResult> {
  const chain = pipeline({ epochs: steps }, ({ epochs: n }) => {
    const trained = memory([{ x: { data: Float32Array.of(1), shape: [1] } as Column<Float32Array> }]).pipe(
      epochs(n),
      batch(1),
      model(gated),
      loss(opened),
      train(sgd({ learningRate: 0.5 })),
    ) as unknown as Observable<Stepped<AnyBatch>>;
    return evaluations.reduce((stream, operator) => stream.pipe(operator), trained.pipe(watch(onStep)));
  });
  return run(chain, { name: 'gated', backend: 'cpu', out: join(root, String(folders++)), ...options });
}

function watch(onStep: (step: number) => void): MonoTypeOperatorFunction<Stepped<AnyBatch>> {
  return tap(({ report }) => onStep(report.step));
}
