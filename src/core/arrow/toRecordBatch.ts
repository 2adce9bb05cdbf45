// Batch → Arrow RecordBatch. Tensor columns keep their buffers; carried Arrow vectors pass untouched; carried values are
// built once. The schema of a stream is that of its first batch: give it to the later ones as `schema`.
import { type Data as ArrowData, type DataType, Field, List, RecordBatch, Schema, Struct, Vector, makeData, util } from 'apache-arrow';
import { type AnyBatch, type Batch, type Carried, type Column, type Data, carriedAt, sizeOf } from '../batch.js';
import { MaskflowError } from '../errors.js';
import { checkOptions } from '../options.js';
import { dataOfValues, typeOfValues } from './carried.js';
import { originColumn, originData, originField } from './origins.js';
import { tensorData, tensorField } from './tensor.js';

export interface ToRecordBatchOptions {
  /** Adds a struct column `origin` {source, id, epoch, position}. Default false. */
  readonly origins?: boolean;
  /**
   * Tensor columns to write as variable-length lists: each row flattened, and cut to its entry in the column `length`
   * where there is one. For streams whose batches are padded to different lengths. Default none.
   */
  readonly lists?: readonly string[];
  /** The schema of the first batch of this stream; the record batch has it, or an error says what differs. */
  readonly schema?: Schema;
  /** Further metadata of the schema (what another library keeps there). */
  readonly metadata?: ReadonlyMap<string, string>;
}

/** Metadata key under which a schema keeps the layout of the tokens, as JSON: "[7,7]". */
export const gridKey = 'maskflow.grid';

/** The Arrow field that a carried vector came from, so that its metadata (extension types, class names) survives. */
export const fieldsOfVectors = new WeakMap<object, Field>();

/**
 * A host batch as an Arrow record batch. A tensor column [rows, …rest] becomes `arrow.fixed_shape_tensor` (rank 1: a
 * primitive column) over the same memory; text, bytes, lists and 64-bit integers become Arrow columns of their kind; the
 * grid is kept in the schema's metadata as `maskflow.grid`.
 *
 * @throws MaskflowError for a batch that carries a program (host data only goes into Arrow), for a column whose rows do
 * not fit, for values that have no Arrow type, and where the schema of the first batch does not fit.
 *
 * @example
 * const recordBatch = toRecordBatch(batch, { origins: true });
 */
export function toRecordBatch<C>(batch: Batch<C>, options: ToRecordBatchOptions = {}): RecordBatch {
  checkOptions('toRecordBatch', options, ['origins', 'lists', 'schema', 'metadata']);
  const { origins = false, lists = [], schema: expected, metadata = new Map() } = options;
  const { rows, columns, grid, program } = batch as unknown as AnyBatch;
  if (program !== undefined) {
    throw new MaskflowError({
      rule: 'a batch that carries a program (behind model or loss) cannot become Arrow: only host data can',
      hint: 'Put the file, pipe or worker in front of model(…), or evaluate(…) the outputs that you want as columns.',
    });
  }
  const surplus = lists.find((name) => !(name in columns));
  if (surplus !== undefined)
    throw new MaskflowError({ option: 'lists', rule: `names a column that the batch lacks; there are ${Object.keys(columns).join(', ')}`, value: surplus });
  const fields: Field[] = [];
  const children: ArrowData[] = [];
  for (const [name, column] of Object.entries(columns)) {
    const known = expected?.fields.find((field) => field.name === name);
    const [field, data] = arrowColumn(name, column, known, lists.includes(name) ? (columns.length ?? null) : undefined);
    if (data.length !== rows) {
      throw new MaskflowError({ option: name, rule: `must have one row for each of the batch's ${rows}`, value: data.length });
    }
    fields.push(field);
    children.push(data);
  }
  if (origins) {
    if (originColumn in columns)
      throw new MaskflowError({
        option: originColumn,
        rule: `the batch has a column of this name, so its origins cannot be written beside it`,
        hint: 'Rename the column.',
      });
    fields.push(originField);
    children.push(originData(batch.origins));
  }
  const made = new Schema(fields, new Map([...metadata, ...(grid === undefined ? [] : [[gridKey, JSON.stringify(grid)] as const])]));
  if (expected !== undefined) checkSchema(expected, made);
  const schema = expected ?? made;
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }));
}

/** One column as its field and data. `length`: write a list, cut to these lengths (null: whole rows). */
function arrowColumn(name: string, column: Column | Carried, known: Field | undefined, length: Column | Carried | null | undefined): [Field, ArrowData] {
  if ('data' in column) {
    if (column.shape.length === 0 || column.data.length !== sizeOf(column.shape)) {
      throw new MaskflowError({
        option: name,
        rule: `must hold ${sizeOf(column.shape)} elements for its shape [${column.shape.join(', ')}], rows first`,
        value: column.data.length,
      });
    }
    if (length !== undefined) return listColumn(name, column, length);
    const field = tensorField(name, column);
    return [field, tensorData(column, field)];
  }
  if ('values' in column) {
    const type = (known?.type as DataType | undefined) ?? typeOfValues(name, column.values);
    return [known ?? new Field(name, type, true), dataOfValues(name, type, column.values)];
  }
  const vector = column.arrow;
  if (!(vector instanceof Vector)) throw new MaskflowError({ option: name, rule: 'must hold an Arrow vector in `arrow`', value: vector });
  const origin = fieldsOfVectors.get(vector);
  const field = new Field(name, vector.type as DataType, origin?.nullable ?? true, origin?.metadata ?? new Map());
  const [only] = vector.data;
  return [field, only !== undefined && vector.data.length === 1 ? only : dataOfValues(name, vector.type as DataType, [...vector])];
}

function listColumn(name: string, column: Column, length: Column | Carried | null): [Field, ArrowData] {
  const [rows = 0, ...rest] = column.shape;
  const width = sizeOf(rest);
  const flat = { data: column.data, shape: [column.data.length] };
  const item = tensorField('item', flat);
  const valueOffsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    const own = length === null ? width : Number('data' in length ? length.data[row] : carriedAt(length, row));
    if (!Number.isInteger(own) || own < 0 || own > width) {
      throw new MaskflowError({
        option: 'length',
        rule: `must be an integer from 0 to the ${width} cells of ${name}`,
        value: own,
        where: `row ${row} of the batch`,
      });
    }
    valueOffsets[row + 1] = (valueOffsets[row] as number) + own;
  }
  const total = valueOffsets[rows] as number;
  let data: Data = column.data;
  if (total !== data.length) {
    data = new (column.data.constructor as new (n: number) => Data)(total);
    for (let row = 0; row < rows; row++) {
      const start = valueOffsets[row] as number;
      data.set(column.data.subarray(row * width, row * width + (valueOffsets[row + 1] as number) - start), start);
    }
  }
  const type = new List(item);
  return [
    new Field(name, type, false),
    makeData({ type, length: rows, nullCount: 0, valueOffsets, child: tensorData({ data, shape: [total] }, item) as never }) as ArrowData,
  ];
}

function checkSchema(expected: Schema, made: Schema): void {
  const hint = 'Arrow files and streams have one schema: pad to one length, write ragged tensors with { lists: [name] }, or write a file for each shape.';
  const names = (schema: Schema): string => schema.fields.map(({ name }) => name).join(', ');
  if (names(expected) !== names(made)) {
    throw new MaskflowError({ option: 'columns', rule: `must be those of the first batch: ${names(expected)}`, value: names(made), hint });
  }
  expected.fields.forEach((field, index) => {
    const other = made.fields[index] as Field;
    const shape = ({ metadata }: Field): string => [...metadata].join();
    if (!util.compareTypes(field.type, other.type) || shape(field) !== shape(other)) {
      throw new MaskflowError({ option: field.name, rule: `was ${describe(field)} in the first batch and must stay so`, value: describe(other), hint });
    }
  });
  const grids = [expected.metadata.get(gridKey), made.metadata.get(gridKey)];
  if (grids[0] !== grids[1])
    throw new MaskflowError({ option: 'grid', rule: `was ${grids[0] ?? 'not set'} in the first batch and must stay so`, value: grids[1] ?? 'none', hint });
}

function describe(field: Field): string {
  return [String(field.type), ...[...field.metadata.values()].filter((text) => text.startsWith('{'))].join(' ');
}
