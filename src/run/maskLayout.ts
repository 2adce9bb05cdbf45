// How the tokens of each row lie, for masks of Arrow data that no view of ours has made: from a grid that all rows share,
// or from the rows' own lengths. Decided by the schema alone, so that a stream without rows gets its column too.
import { Field, List, RecordBatch, type Schema, Uint8 } from 'apache-arrow';
import { fromRecordBatch, toRecordBatch } from '../core/arrow/index.js';
import { isColumn, sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { checkOptions } from '../core/options.js';
import { reader } from '../sources/arrow/columns.js';

export interface LayoutOptions {
  /** The layout that every row has: [49], [14, 14], [4, 7, 7]. */
  readonly grid?: readonly number[];
  /** Column with the number of tokens of each row; with a grid, those behind them are padding, without one rows are 1-D. */
  readonly length?: string;
  /** Column of one number a token (list, fixed-size list or tensor). Without grid and length it gives the layout as well. */
  readonly score?: string;
}

export interface RowLayout {
  /** Tokens of each row, where they differ from the grid's. */
  readonly lengths?: Int32Array;
  /** The scores of one row, `width` numbers, padded with 0. */
  readonly score?: (row: number, width: number, length: number) => Float32Array;
}

export interface MaskLayout {
  /** The grid that all rows have; undefined: each row has its own length. */
  readonly grid?: readonly number[];
  /** The column `mask`: a fixed-shape tensor uint8 […grid], or List<uint8> with each row's own length. */
  readonly field: Field;
  /** Reads the columns that lengths and scores come from. `first`: number of the first row, for errors. */
  read(recordBatch: RecordBatch, first: number): RowLayout;
}

const stage = 'maskflow';

/**
 * The layout of the tokens in data of this schema. Without options: the grid that the schema's metadata keeps or the
 * length of its tensor column `tokens`, and the column `length`, as the operator `mask` has it.
 *
 * @throws MaskflowError where a named column is missing or of another type, and where nothing tells the layout
 *
 * @example
 * maskLayout(schema, { grid: [14, 14] }).field; // mask: fixed-shape tensor uint8 [14, 14]
 */
export function maskLayout(schema: Schema, options: LayoutOptions = {}): MaskLayout {
  checkOptions('maskLayout', options, ['grid', 'length', 'score']);
  const none = fromRecordBatch(new RecordBatch(schema, undefined));
  const scoreField = options.score === undefined ? undefined : fieldOf(schema, 'score', options.score);
  const scoreShape = options.score === undefined ? undefined : shapeIn(none.columns[options.score]);
  const { tokens } = none.columns;
  let { grid, length } = options;
  const count = shapeIn(tokens)?.[0];
  if (grid !== undefined && count !== undefined && sizeOf(grid) !== count) {
    throw new MaskflowError({ stage, option: 'grid', rule: `must have ${count} cells, as many as the column tokens has tokens in a row`, value: grid });
  }
  if (grid === undefined && length === undefined) {
    if (scoreField !== undefined) {
      grid = scoreShape;
    } else {
      grid = none.grid ?? (count === undefined ? undefined : [count]);
      if (grid === undefined) {
        throw new MaskflowError({
          stage,
          option: 'grid',
          rule: 'nothing tells how many tokens a row has and how they lie',
          hint: `Give --grid 14x14, or --length COLUMN or --score COLUMN. Columns: ${schema.fields.map(({ name }) => name).join(', ')}.`,
        });
      }
      if (schema.fields.some(({ name }) => name === 'length')) length = 'length';
    }
  }
  const lengthField = length === undefined ? undefined : fieldOf(schema, 'length', length);
  return {
    ...(grid === undefined ? {} : { grid }),
    field: maskField(grid),
    read(recordBatch, first) {
      const lists = scoreField === undefined ? undefined : scoresOf(recordBatch, scoreField, first);
      const cells = grid === undefined ? undefined : sizeOf(grid);
      let lengths = lengthField === undefined ? undefined : lengthsOf(recordBatch, lengthField, first, cells);
      if (lengths === undefined && cells === undefined) lengths = Int32Array.from({ length: recordBatch.numRows }, (_, row) => lists?.(row).length ?? 0);
      return { ...(lengths === undefined ? {} : { lengths }), ...(lists === undefined ? {} : { score: padded(lists, scoreField as Field, first) }) };
    },
  };
}

function maskField(grid: readonly number[] | undefined): Field {
  if (grid === undefined) return new Field('mask', new List(new Field('item', new Uint8(), false)), false);
  const columns = { mask: { data: new Uint8Array(0), shape: [0, ...grid] } };
  return toRecordBatch({ rows: 0, columns, origins: [], program: undefined }).schema.fields[0] as Field;
}

/** Shape of one row of a tensor column with at least one axis. */
function shapeIn(column: unknown): readonly number[] | undefined {
  return isColumn(column) && column.shape.length > 1 ? column.shape.slice(1) : undefined;
}

function fieldOf(schema: Schema, option: string, name: string): Field {
  const field = schema.fields.find((one) => one.name === name);
  if (field !== undefined) return field;
  const names = schema.fields.map((one) => one.name);
  const near = nearest(name, names);
  throw new MaskflowError({
    stage,
    option,
    rule: 'there is no such column',
    value: name,
    hint: `${near ? `Did you mean ${near}? ` : ''}Columns: ${names.join(', ')}.`,
  });
}

function readerOf(recordBatch: RecordBatch, field: Field): (row: number) => unknown {
  const index = recordBatch.schema.fields.findIndex(({ name }) => name === field.name);
  return reader(field, recordBatch.data.children[index] as (typeof recordBatch.data.children)[number]);
}

// What is wrong with a row is no wrong use of the command: these errors name another stage, and the exit code is 1.
function lengthsOf(recordBatch: RecordBatch, field: Field, first: number, cells = 0x7fffffff): Int32Array {
  const read = readerOf(recordBatch, field);
  return Int32Array.from({ length: recordBatch.numRows }, (_, row) => {
    const value = read(row);
    if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= cells) return value as number;
    const most = cells === 0x7fffffff ? '' : ` to ${cells}, the cells of the grid`;
    throw new MaskflowError({
      stage: 'mask',
      option: 'length',
      rule: `the column ${field.name} must hold a whole number from 0${most}`,
      value,
      where: `row ${first + row}`,
    });
  });
}

type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array;

function scoresOf(recordBatch: RecordBatch, field: Field, first: number): (row: number) => Numbers {
  const read = readerOf(recordBatch, field);
  return (row) => {
    const value = read(row);
    const numbers = isColumn(value) ? value.data : value;
    if (ArrayBuffer.isView(numbers) && !(numbers instanceof BigInt64Array || numbers instanceof BigUint64Array || numbers instanceof DataView))
      return numbers as Numbers;
    throw new MaskflowError({
      stage: 'mask',
      option: 'score',
      rule: `the column ${field.name} must hold a list of numbers in every row, one a token and none of them null`,
      value,
      where: `row ${first + row}`,
    });
  };
}

function padded(lists: (row: number) => Numbers, field: Field, first: number): NonNullable<RowLayout['score']> {
  return (row, width, length) => {
    const list = lists(row);
    if (list.length !== width && list.length !== length) {
      throw new MaskflowError({
        stage: 'mask',
        option: 'score',
        rule: `the column ${field.name} must hold one number for each of the ${length} tokens${width === length ? '' : ` (or of the ${width} cells)`}`,
        value: list.length,
        where: `row ${first + row}`,
      });
    }
    const score = new Float32Array(width);
    score.set(list);
    return score;
  };
}
