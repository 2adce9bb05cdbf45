// What flows: samples before `batch`, batches after it.
import type { Program } from './program.js';

export type Data = Float32Array | Int32Array | Uint8Array;
export type DType = 'float32' | 'int32' | 'uint8';

/**
 * A tensor on the host: one typed array, row-major. In a batch `shape[0]` is the number of rows;
 * in a sample's field the shape is that of the one sample.
 */
export interface Column<A extends Data = Data> {
  readonly data: A;
  readonly shape: readonly number[];
}

/** Text, bytes, lists, 64-bit integers: kept row by row or as the Arrow vector they came in; never computed on. */
export type Carried = { readonly rows: number; readonly values: readonly unknown[] } | { readonly rows: number; readonly arrow: unknown };

/**
 * Where a sample comes from: the key of every draw and the cursor of resume.
 * Written by sources and `epochs`; every stage keeps the very object (drops are attached to its identity).
 */
export interface Origin {
  /** Number of the source in its run, in order of subscription. */
  readonly source: number;
  /** Identity of the sample in its source: the row. */
  readonly id: number;
  readonly epoch: number;
  /** Place in the order that is served, counted over all epochs. */
  readonly position: number;
}

/** One sample: named fields (numbers, text, bytes, lists, tensors) and its origin. */
export interface Sample<F> {
  readonly fields: F;
  readonly origin: Origin;
}

/**
 * An immutable record of named columns. `P` is the program that model and loss stages describe;
 * `undefined` = host data only, which is all that Arrow and workers take.
 */
export interface Batch<C, P extends Program | undefined = undefined> {
  readonly rows: number;
  readonly columns: C;
  /** One origin a row; rows that pad a short batch repeat the last one and have weight 0. */
  readonly origins: readonly Origin[];
  /** Layout of the tokens: [49] frames, [7, 7] patches, [4, 7, 7] tubes; its product is `tokens.shape[1]`. */
  readonly grid?: readonly number[];
  readonly program: P;
}

/** Any batch, for code that reads columns by name. */
export type AnyBatch = Batch<Readonly<Record<string, Column | Carried>>, Program | undefined>;

export function isColumn(value: unknown): value is Column {
  return typeof value === 'object' && value !== null && 'data' in value && 'shape' in value && ArrayBuffer.isView(value.data);
}

export function dtypeOf(data: Data): DType {
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

/** Elements of a shape: the product, 1 for []. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, side) => product * side, 1);
}

/** The same batch with columns (and, if given, a grid) added. */
export function withColumns<C, P extends Program | undefined, A extends object>(batch: Batch<C, P>, added: A, grid?: readonly number[]): Batch<C & A, P> {
  return { ...batch, columns: { ...batch.columns, ...added }, ...(grid === undefined ? {} : { grid }) };
}

/** The value of a carried column in one row. */
export function carriedAt(column: Carried, row: number): unknown {
  return 'values' in column ? column.values[row] : (column.arrow as { get(row: number): unknown }).get(row);
}
