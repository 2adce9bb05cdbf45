// Columns that a mask looks at, from record batches: under the names that chains give them, as lists or tensors of one number
// a token, or one number a row. Rows that are shorter than the grid are padded.
import { DataType, type Field, type RecordBatch, type Schema } from 'apache-arrow';
import { type Data, isColumn } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import type { Mask } from '../operators/masks/index.js';
import { reader } from '../sources/arrow/columns.js';

/** The numbers of one row, `width` of them (1 for a column of single numbers), by the name of the column. */
export type RowColumns = (row: number, width: number, length: number) => Readonly<Record<string, Data>>;

export interface MaskColumns {
  /** Reads the columns of a record batch. `first`: number of the first row, for errors. */
  read(recordBatch: RecordBatch, first: number): RowColumns;
}

type DType = 'int32' | 'uint8' | 'float32';
/** Types and padding of the columns that tokenize and taggers write; others keep the type that they have. */
const known: Readonly<Record<string, { readonly dtype: DType; readonly pad: number }>> = {
  special: { dtype: 'uint8', pad: 1 },
  tags: { dtype: 'uint8', pad: 0 },
  tokens: { dtype: 'int32', pad: 0 },
  words: { dtype: 'int32', pad: -1 },
  documents: { dtype: 'int32', pad: -1 },
};
const arrays = { int32: Int32Array, uint8: Uint8Array, float32: Float32Array } as const;

/**
 * The columns of this schema that the rule sees: `special`, where it holds a number or a truth value a token, and those that
 * the rule reads.
 *
 * @throws MaskflowError for a column that the rule needs and the data does not have
 */
export function maskColumns(schema: Schema, rule: Mask): MaskColumns {
  const has = (name: string): boolean => schema.fields.some((field) => field.name === name);
  for (const name of rule.reads ?? []) {
    if (has(name)) continue;
    const hint = `Columns: ${schema.fields.map((field) => field.name).join(', ')}.`;
    throw new MaskflowError({ stage: 'maskflow', option: 'in', rule: `${rule.recipe.name} reads the column ${name}, and the data has none`, hint });
  }
  const wanted = new Set([...(rule.reads ?? []), ...(rule.readsIfPresent ?? [])]);
  // A column of that name that is no list of numbers is the user's own: no tokenizer has written it.
  const fields = schema.fields.filter(
    ({ name, type }) =>
      wanted.has(name) || (name === 'special' && type.children?.length === 1 && (DataType.isBool(innermost(type)) || DataType.isInt(innermost(type)))),
  );
  return {
    read(recordBatch, first) {
      const readers = fields.map((field) => rowReader(recordBatch, field, first));
      return (row, width, length) => Object.fromEntries(fields.map(({ name }, i) => [name, (readers[i] as Reader)(row, width, length)]));
    },
  };
}

type Reader = (row: number, width: number, length: number) => Data;

function rowReader(recordBatch: RecordBatch, field: Field, first: number): Reader {
  const index = recordBatch.schema.fields.findIndex(({ name }) => name === field.name);
  const read = reader(field, recordBatch.data.children[index] as (typeof recordBatch.data.children)[number]);
  const inner = innermost(field.type);
  const own: DType = DataType.isFloat(inner) ? 'float32' : DataType.isInt(inner) && (inner as { bitWidth?: number }).bitWidth !== 8 ? 'int32' : 'uint8';
  const { dtype, pad } = known[field.name] ?? { dtype: own, pad: 0 };
  return (row, width, length) => {
    const value = read(row);
    const numbers = isColumn(value) ? value.data : value;
    if (typeof numbers === 'number') return arrays[dtype].of(numbers);
    if (!(ArrayBuffer.isView(numbers) || Array.isArray(numbers))) {
      throw wrong(field, first + row, 'must hold a number or a list of numbers in every row, none of them null', value);
    }
    const list = numbers as unknown as ArrayLike<number | bigint | boolean>;
    if (list.length !== width && list.length !== length) {
      const cells = width === length ? '' : ` (or of the ${width} cells)`;
      throw wrong(field, first + row, `must hold one number for each of the ${length} tokens${cells}`, list.length);
    }
    const data = new arrays[dtype](width).fill(pad);
    for (let i = 0; i < list.length; i++) data[i] = Number(list[i]);
    return data;
  };
}

function wrong({ name }: Field, row: number, rule: string, value: unknown): MaskflowError {
  return new MaskflowError({ stage: 'mask', option: name, rule: `the column ${name} ${rule}`, value, where: `row ${row}` });
}

function innermost(type: DataType): DataType {
  const child = type.children?.[0] as Field | undefined;
  return child === undefined || DataType.isDictionary(type) ? type : innermost(child.type);
}
