// One decoded record batch as rows of fields, and what happens to a row that cannot be used.
import type { Field, RecordBatch, Schema } from 'apache-arrow';
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import { BadValue, type Read, checkType, reader } from './columns.js';

/** Fields of one row; throws an error that names row and column. */
export type Fields<F> = (row: number) => F;

/** The columns to read, found in a schema: all, or those named, in the order named. */
export function chosen(schema: Schema, columns: readonly string[] | undefined): Field[] {
  const names = schema.fields.map(({ name }) => name);
  const fields = (columns ?? names).map((name) => {
    const found = schema.fields.filter((field) => field.name === name);
    if (found.length === 1) return found[0] as Field;
    const near = nearest(name, names);
    throw new MaskflowError({
      option: 'columns',
      rule: found.length === 0 ? 'there is no such column' : `${found.length} columns have this name`,
      value: name,
      hint: found.length === 0 ? `${near ? `Did you mean ${near}? ` : ''}Columns: ${names.join(', ')}.` : 'Rename them.',
    });
  });
  for (const field of fields) checkType(field.name, field.type);
  return fields;
}

/** How the chosen columns read, as text: equal in all shards of a data set. Dictionary ids and nullability do not matter. */
export function signature(fields: readonly Field[]): Map<string, string> {
  return new Map(fields.map((field) => [field.name, [String(field.type), field.metadata.get('ARROW:extension:metadata')].filter(Boolean).join(' ')]));
}

/** Throws unless a further shard reads like the first one. */
export function checkSameSchema(first: { file: string; schema: Map<string, string> }, fields: readonly Field[]): void {
  const other = signature(fields);
  for (const name of new Set([...first.schema.keys(), ...other.keys()])) {
    const [expected, got] = [first.schema.get(name), other.get(name)];
    if (expected === got) continue;
    throw new MaskflowError({
      option: 'columns',
      rule: `column ${JSON.stringify(name)} is ${expected ?? 'not there'} in ${first.file}, and all files of a source must agree`,
      value: got ?? 'no such column',
      hint: 'Name the columns that they share in `columns`, or read them as sources of their own.',
    });
  }
}

/** Reads rows of a record batch. `first` is the number of its first row in the file; columns of `nullable` may be null. */
export function rowsOf<F>(recordBatch: RecordBatch, fields: readonly Field[], nullable: ReadonlySet<string>, first: number): Fields<F> {
  const reads = fields.map((field): readonly [string, Read, boolean] => {
    const index = recordBatch.schema.fields.findIndex(({ name }) => name === field.name);
    return [field.name, reader(field, recordBatch.data.children[index] as (typeof recordBatch.data.children)[number]), nullable.has(field.name)];
  });
  return (row) => {
    const result: Record<string, unknown> = {};
    for (const [name, read, mayBeNull] of reads) {
      let value: unknown;
      try {
        value = read(row);
        if (value === null && !mayBeNull) throw new BadValue('it is null');
      } catch (error) {
        if (!(error instanceof BadValue)) throw error;
        throw new MaskflowError({
          rule: `a sample cannot be used: ${error.message}`,
          where: `row ${first + row}, column ${JSON.stringify(name)}`,
          cause: error,
          hint: `Correct the file, leave the row out with onBadSample: 'skip'${value === null ? `, or let it through as null with nullable: [${JSON.stringify(name)}]` : ''}.`,
        });
      }
      result[name] = value;
    }
    return result as F;
  };
}
