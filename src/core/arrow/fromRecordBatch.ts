// Arrow RecordBatch → Batch. Columns of float32, int32 and uint8, and fixed-shape tensors of them, become tensor columns
// over the same memory; everything else is carried as the vector that it is, so that nothing is lost on the way back.
import { type Data as ArrowData, DataType, type Field, type RecordBatch, Vector } from 'apache-arrow';
import type { Batch, Carried, Column, Data, Origin } from '../batch.js';
import { MaskflowError } from '../errors.js';
import { checkOptions } from '../options.js';
import { isOriginField, originsOf } from './origins.js';
import { innermost, laidOut, tensorLayout } from './tensor.js';
import { fieldsOfVectors, gridKey } from './toRecordBatch.js';

export interface FromRecordBatchOptions {
  /** Origin of rows where the record batch has no column `origin`: the source's number. Default 0. */
  readonly source?: number;
  /** Id of the first row; the others follow. Default 0. */
  readonly firstId?: number;
  /** Default 0. */
  readonly epoch?: number;
  /** Position of the first row in the order served. Default `firstId`. */
  readonly firstPosition?: number;
}

/**
 * An Arrow record batch as a host batch, without copying: slices and offsets are honoured. A tensor whose metadata has a
 * `permutation` is the one exception; it becomes a transposed copy in logical order. Columns with nulls, of other number
 * types, text, bytes, lists, structs and dictionaries are carried as vectors. Rows get the origins of the column
 * `origin` (written by `toRecordBatch({ origins: true })`), which is taken out, or consecutive ids from `firstId`.
 *
 * @throws MaskflowError where the metadata of a tensor or of the grid does not fit.
 *
 * @example
 * const batch = fromRecordBatch(recordBatch, { firstId: 512 });
 */
export function fromRecordBatch(recordBatch: RecordBatch, options: FromRecordBatchOptions = {}): Batch<Readonly<Record<string, Column | Carried>>> {
  checkOptions('fromRecordBatch', options, ['source', 'firstId', 'epoch', 'firstPosition']);
  const { source = 0, firstId = 0, epoch = 0, firstPosition = firstId } = options;
  const { numRows: rows, schema, data } = recordBatch;
  const columns: Record<string, Column | Carried> = {};
  let origins: readonly Origin[] | undefined;
  schema.fields.forEach((field, index) => {
    const child = data.children[index] as ArrowData;
    if (isOriginField(field)) origins = originsOf(child);
    else columns[field.name] = tensorOf(field, child) ?? carried(field, child, rows);
  });
  origins ??= Array.from({ length: rows }, (_, row) => ({ source, id: firstId + row, epoch, position: firstPosition + row }));
  const grid = gridOf(schema.metadata.get(gridKey));
  return { rows, columns, origins, ...(grid === undefined ? {} : { grid }), program: undefined };
}

function tensorOf(field: Field, data: ArrowData): Column | undefined {
  const inner = innermost(data);
  const values = inner?.values as unknown;
  if (inner === undefined || !(DataType.isInt(inner.type) || DataType.isFloat(inner.type))) return undefined;
  if (!(values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array)) return undefined;
  const layout = DataType.isFixedSizeList(field.type) ? tensorLayout(field) : { stored: [] };
  return laidOut(values as Data, data.length, layout);
}

function carried(field: Field, data: ArrowData, rows: number): Carried {
  const arrow = new Vector([data]);
  fieldsOfVectors.set(arrow, field);
  return { rows, arrow };
}

function gridOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  let grid: unknown;
  try {
    grid = JSON.parse(text);
  } catch {
    grid = undefined;
  }
  if (Array.isArray(grid) && grid.every((side) => Number.isInteger(side) && side > 0)) return grid as number[];
  throw new MaskflowError({ option: 'grid', rule: `the schema's ${gridKey} must be a JSON list of positive integers`, value: text });
}
