// Samples that are in memory already: records, or columns of equal length.
import type { Observable } from 'rxjs';
import { type Column, type Data, type Sample, isColumn, sizeOf } from '../core/batch.js';
import { source } from '../core/demand/index.js';
import { MaskflowError, show } from '../core/errors.js';
import { check } from '../core/options.js';
import { recipe } from '../core/recipe.js';

/** Columns of equal length: tensors with the rows first, or arrays with one value a row. */
export type MemoryColumns = Readonly<Record<string, Column | readonly unknown[]>>;

/** The field that one row of a column becomes: a number for a tensor column [rows] (typed as number or tensor), an element of an array. */
export type Rows<C> = { readonly [K in keyof C]: C[K] extends Column<infer A> ? number | Column<A> : C[K] extends readonly (infer V)[] ? V : never };

const stage = 'memory';

/**
 * An indexed source over records (all with the fields of the first) or over columns: a tensor column [rows] gives
 * numbers, [rows, …rest] gives tensors [...rest] that are views, an array gives its elements. Nothing is copied.
 *
 * @throws MaskflowError for no rows, records with other fields than the first, columns of unequal length.
 *
 * @example
 * memory([{ text: 'a', label: 0 }, { text: 'b', label: 1 }]).pipe(epochs(2), shuffle(), batch(2));
 * memory({ columns: { pixels: { data: new Uint8Array(20), shape: [5, 4] }, label: [0, 1, 2, 3, 4] } });
 */
export function memory<C extends MemoryColumns>(items: { readonly columns: C }): Observable<Sample<Rows<C>>>;
export function memory<F extends object>(items: readonly F[]): Observable<Sample<F>>;
export function memory(items: readonly object[] | { readonly columns: MemoryColumns }): Observable<Sample<object>> {
  const { length, at } = Array.isArray(items) ? records(items as readonly object[]) : columnar((items as { columns: MemoryColumns }).columns);
  if (length === 0) throw new MaskflowError({ stage, rule: 'needs at least one row', hint: 'An empty data set would end the run without a step.' });
  return source<object>(recipe('maskflow/sources', 'memory', { rows: length }), () => ({ length, at, close: () => {} }));
}

interface Indexed {
  readonly length: number;
  at(id: number): object;
}

function records(items: readonly object[]): Indexed {
  const names = Object.keys(items[0] ?? {});
  const at = (id: number): object => {
    const item = items[id] as object;
    const keys = Object.keys(item);
    if (keys.length === names.length && names.every((name) => Object.hasOwn(item, name))) return item;
    throw new MaskflowError({ stage, rule: `every record must have the fields of the first: ${names.join(', ')}`, value: keys, where: `row ${id}` });
  };
  return { length: items.length, at };
}

function columnar(columns: MemoryColumns): Indexed {
  const entries = Object.entries(columns ?? {});
  check(entries.length > 0, stage, 'columns', 'must name at least one column', columns);
  const readers = entries.map(([name, column]) => {
    if (!isColumn(column)) {
      check(Array.isArray(column), stage, name, 'must be an array or a tensor column {data, shape}', column);
      return { name, rows: column.length, at: (id: number): unknown => column[id] };
    }
    const [rows = 0, ...shape] = column.shape;
    check(
      column.shape.length > 0 && column.data.length === sizeOf(column.shape),
      stage,
      name,
      `must hold ${sizeOf(column.shape)} elements for its shape, rows first`,
      column.data.length,
    );
    const size = sizeOf(shape);
    if (shape.length === 0) return { name, rows, at: (id: number): unknown => column.data[id] };
    return { name, rows, at: (id: number): unknown => ({ data: column.data.subarray(id * size, (id + 1) * size) as Data, shape }) };
  });
  const [first] = readers;
  const length = first?.rows ?? 0;
  const other = readers.find(({ rows }) => rows !== length);
  if (other !== undefined)
    throw new MaskflowError({ stage, option: other.name, rule: `must have as many rows as ${show(first?.name)}: ${length}`, value: other.rows });
  return { length, at: (id) => Object.fromEntries(readers.map(({ name, at }) => [name, at(id)])) };
}
