// Samples become batches: numbers and tensors become columns, everything else is carried along.
import type { OperatorFunction } from 'rxjs';
import { type Batch, type Carried, type Column, type Data, type Origin, type Sample, isColumn } from '../core/batch.js';
import { collecting } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';

export interface BatchOptions {
  /**
   * The last, short batch of an epoch (or of the stream): `keep` it short, `drop` it, or `pad` it to full size with copies
   * of its last row that have `weight` 0 (compiled engines like few shapes). Default `keep`.
   */
  readonly last?: 'keep' | 'drop' | 'pad';
  /** Whether a batch may hold samples of two epochs. Default false. */
  readonly crossEpochs?: boolean;
  /** Stage name; default `batch`. */
  readonly name?: string;
}

/** The column that a sample's field becomes: numbers and booleans float32, tensors their own type, all else carried. */
export type Columnar<F> = {
  readonly [K in keyof F]: F[K] extends Column<infer A> ? Column<A> : F[K] extends number | boolean ? Column<Float32Array> : Carried;
};

/**
 * Gathers `size` samples. Every row must have the same fields and tensor shapes; a field `weight` is created by `last: 'pad'`
 * (float32 [rows]) or multiplied by 0 in the padded rows. Numbers become float32, exact up to 2^24; give a field as a tensor
 * column (`{ data: new Int32Array([id]), shape: [] }`) to keep int32.
 *
 * @example
 * samples.pipe(batch(256, { last: 'drop' }));
 */
export function batch<F extends object>(
  size: number,
  options: BatchOptions & { readonly last: 'pad' },
): OperatorFunction<Sample<F>, Batch<Columnar<F> & { readonly weight: Column<Float32Array> }>>;
export function batch<F extends object>(size: number, options?: BatchOptions): OperatorFunction<Sample<F>, Batch<Columnar<F>>>;
export function batch<F extends object>(size: number, options: BatchOptions = {}): OperatorFunction<Sample<F>, Batch<Columnar<F>>> {
  checkOptions('batch', options, ['last', 'crossEpochs', 'name']);
  const { last = 'keep', crossEpochs = false, name = 'batch' } = options;
  checkInteger('batch', 'size', size);
  check(typeof crossEpochs === 'boolean', 'batch', 'crossEpochs', 'must be true or false', crossEpochs);
  check(['keep', 'drop', 'pad'].includes(last), 'batch', 'last', "must be 'keep', 'drop' or 'pad'", last);
  const made = recipe('maskflow/operators', 'batch', { size, last, crossEpochs });
  return collecting<Sample<F>, Batch<Columnar<F>>>(made, { name, per: 'batch', samples: size }, ({ gate }, emit) => {
    let gathered: Sample<F>[] = [];
    let dropped: Origin[] = [];
    const send = (): void => {
      const samples = gathered;
      gathered = [];
      const [first] = samples;
      if (first === undefined) return;
      if (samples.length < size && last === 'drop') {
        dropped.push(...samples.map(({ origin }) => origin));
        return;
      }
      gate.cursor.attach(first.origin, dropped);
      dropped = [];
      emit(collate(samples, last === 'pad' ? size : samples.length, last === 'pad') as Batch<Columnar<F>>);
    };
    return {
      next(sample) {
        if (!crossEpochs && gathered.length > 0 && gathered[0]?.origin.epoch !== sample.origin.epoch) send();
        gathered.push(sample);
        if (gathered.length === size) send();
      },
      complete: send,
      position: () => gathered.at(-1)?.origin.position ?? -1,
    };
  });
}

/** The batch of these samples, padded to `rows`. The pure half of `batch`. */
export function collate<F extends object>(samples: readonly Sample<F>[], rows = samples.length, weighted = false): Batch<Record<string, Column | Carried>> {
  const first = samples[0];
  if (first === undefined) throw new MaskflowError({ stage: 'batch', rule: 'needs at least one sample' });
  const names = Object.keys(first.fields);
  for (const sample of samples) checkFields(sample, names);
  const columns: Record<string, Column | Carried> = {};
  for (const name of names) {
    const values = samples.map(({ fields }) => (fields as Readonly<Record<string, unknown>>)[name]);
    for (let i = values.length; i < rows; i++) values.push(values[samples.length - 1]);
    columns[name] = column(name, values, samples);
  }
  if (weighted) columns.weight = paddedWeight(columns.weight, samples.length, rows);
  const origins = samples.map(({ origin }) => origin);
  for (let i = origins.length; i < rows; i++) origins.push(origins[samples.length - 1] as Origin);
  return { rows, columns, origins, program: undefined };
}

/** Throws unless the sample has the fields of these names and no others. */
function checkFields({ fields, origin }: Sample<object>, names: readonly string[]): void {
  let count = 0;
  for (const _ in fields) count++;
  const missing = names.find((name) => !(name in fields));
  if (count === names.length && missing === undefined) return;
  throw new MaskflowError({
    option: missing ?? (names[0] as string),
    rule: `every sample must have the fields ${names.join(', ')}`,
    value: Object.keys(fields),
    where: `sample ${origin.id}`,
  });
}

/** Most samples of one stage share the array of their shape. */
const sameShape = (a: readonly number[], b: readonly number[]): boolean => a === b || (a.length === b.length && a.every((side, axis) => side === b[axis]));

function column(name: string, values: readonly unknown[], samples: readonly Sample<object>[]): Column | Carried {
  const [first] = values;
  const whose = (row: number): string => `sample ${samples[Math.min(row, samples.length - 1)]?.origin.id}`;
  if (typeof first === 'number' || typeof first === 'boolean') {
    const data = new Float32Array(values.length);
    values.forEach((value, row) => {
      if (typeof value !== 'number' && typeof value !== 'boolean') {
        throw new MaskflowError({ option: name, rule: 'must be a number in every sample, as in the first', value, where: whose(row) });
      }
      data[row] = Number(value);
    });
    return { data, shape: [values.length] };
  }
  if (!isColumn(first)) return { rows: values.length, values };
  const length = first.data.length;
  const data = new (first.data.constructor as new (n: number) => Data)(length * values.length);
  values.forEach((value, row) => {
    if (!isColumn(value) || value.data.constructor !== first.data.constructor || !sameShape(value.shape, first.shape) || value.data.length !== length) {
      throw new MaskflowError({
        option: name,
        rule: `must have one type and shape in every sample: here ${first.data.constructor.name} [${first.shape.join(', ')}]`,
        value: isColumn(value) ? `${value.data.constructor.name} [${value.shape.join(', ')}]` : value,
        where: whose(row),
        hint: 'Resize, crop or pad in front of batch, or group samples of one shape: groupBy(…), mergeMap((group) => group.pipe(batch(n))).',
      });
    }
    data.set(value.data, row * length);
  });
  return { data, shape: [values.length, ...first.shape] };
}

function paddedWeight(given: Column | Carried | undefined, filled: number, rows: number): Column<Float32Array> {
  if (given !== undefined && 'data' in given && given.data instanceof Float32Array) {
    const data = Float32Array.from(given.data);
    data.fill(0, (data.length / rows) * filled);
    return { data, shape: given.shape };
  }
  if (given !== undefined) {
    throw new MaskflowError({
      option: 'weight',
      rule: 'must be a number or a float32 tensor where short batches are padded, because padded rows get weight 0',
      value: 'data' in given ? `${given.data.constructor.name} [${given.shape.join(', ')}]` : 'a carried field',
    });
  }
  return { data: Float32Array.from({ length: rows }, (_, row) => (row < filled ? 1 : 0)), shape: [rows] };
}
