// Features of a frozen encoder over a whole stream, on the host: what knn and linearProbe judge.
import type { Observable } from 'rxjs';
import type { AnyBatch, Batch, Column } from '../core/batch.js';
import { bounded, drain, nothing } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run } from '../core/run.js';

/** Host batches with a label column: the chain of a data set up to its tokens, without a mask. */
export type Labelled<C = unknown> = Observable<Batch<C>>;

export interface Features {
  readonly rows: number;
  readonly width: number;
  /** float32 [rows, width] */
  readonly data: Float32Array;
  /** int32 [rows] */
  readonly labels: Int32Array;
}

const known = new WeakMap<Run, Map<string, { stream: Labelled; model: Program; features: Promise<Features> }[]>>();

/**
 * Features of every row of `stream` under the weights `set`; computed once a run, step and set, whoever asks. Rows of
 * `weight` 0, with which `batch` pads, are no rows. `stage` is who asks, for errors.
 */
export function frozenFeatures(run: Run, model: Program<'features'>, stream: Labelled, label: string, set: string, stage: string): Promise<Features> {
  const cache = known.get(run) ?? new Map<string, { stream: Labelled; model: Program; features: Promise<Features> }[]>();
  known.set(run, cache);
  const key = JSON.stringify([set, label, run.executor.weights.step]);
  const entries = cache.get(key) ?? [];
  cache.set(key, entries);
  const found = entries.find((entry) => entry.stream === stream && entry.model === model);
  if (found !== undefined) return found.features;
  const features = compute(run, model, stream, label, set, stage);
  entries.push({ stream, model, features });
  return features;
}

async function compute(run: Run, model: Program<'features'>, stream: Labelled, label: string, set: string, stage: string): Promise<Features> {
  const evaluate = bounded<AnyBatch, { features: Column<Float32Array>; labels: Int32Array }>(
    recipe('maskflow/sinks', 'frozenFeatures', {}),
    { name: stage, per: 'batch' },
    () => ({
      async work(batch) {
        if (batch.rows === 0) return nothing;
        const labels = labelsOf(batch, label);
        const described = { ...batch, columns: { ...batch.columns, ...model.prepare?.(batch) }, program: model };
        const { features } = await run.executor.evaluate(model, described, ['features'], set);
        return withoutPadding(batch, { features, labels });
      },
    }),
  );
  // At a gate of its own: evaluation reads other data, and its place in them is no part of the run's cursor.
  const parts: { features: Column<Float32Array>; labels: Int32Array }[] = [];
  await drain((stream as Observable<AnyBatch>).pipe(evaluate), { seed: run.seed, prefetch: 2 }, (part) => parts.push(part));
  const rows = parts.reduce((sum, { labels }) => sum + labels.length, 0);
  if (rows === 0) throw new MaskflowError({ rule: 'the evaluation data must have at least one row', value: rows });
  const width = parts[0]?.features.shape[1] as number;
  const data = new Float32Array(rows * width);
  const labels = new Int32Array(rows);
  let at = 0;
  for (const part of parts) {
    data.set(part.features.data, at * width);
    labels.set(part.labels, at);
    at += part.labels.length;
  }
  return { rows, width, data, labels };
}

/** Without the rows of weight 0. */
function withoutPadding(
  batch: AnyBatch,
  { features, labels }: { features: Column<Float32Array>; labels: Int32Array },
): { features: Column<Float32Array>; labels: Int32Array } {
  const weight = batch.columns.weight;
  if (weight === undefined || !('data' in weight) || weight.data.length !== batch.rows || !weight.data.includes(0)) return { features, labels };
  const [, width = 1] = features.shape;
  const rows = Array.from(labels.keys()).filter((row) => weight.data[row] !== 0);
  const data = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) data.set(features.data.subarray(row * width, (row + 1) * width), at * width);
  return { features: { data, shape: [rows.length, width] }, labels: Int32Array.from(rows, (row) => labels[row] as number) };
}

function labelsOf(batch: AnyBatch, label: string): Int32Array {
  const column = batch.columns[label];
  if (column === undefined || !('data' in column) || column.data.length !== batch.rows) {
    throw new MaskflowError({
      option: 'label',
      rule: 'must name a numeric column with one class number a row',
      value: label,
      hint: `Columns: ${Object.keys(batch.columns).join(', ')}.`,
    });
  }
  const odd = column.data.findIndex((value) => !Number.isInteger(value) || value < 0);
  if (odd !== -1) {
    throw new MaskflowError({
      option: 'label',
      rule: 'must hold one class number a row, an integer of at least 0',
      value: column.data[odd],
      where: `column ${label}, sample ${batch.origins[odd]?.id}`,
    });
  }
  return Int32Array.from(column.data);
}
