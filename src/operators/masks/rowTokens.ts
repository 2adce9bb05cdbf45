// From a batch to the rows that a mask's rule sees.
import { type AnyBatch, type Carried, type Column, type Data, sizeOf } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import type { Mask, Tokens } from './select.js';

/**
 * What a mask's rule may see of each row of a batch: lengths, special tokens, scores and the columns that it reads, as parts of
 * the batch's own arrays. Types and sizes of columns are checked at once, lengths row by row.
 */
export function rowTokens(batch: AnyBatch, rule: Mask, grid: readonly number[], cells: number, score: string | undefined): (row: number) => Tokens {
  const lengths = batch.columns.length === undefined ? undefined : lengthColumn(batch.columns.length, batch.rows);
  const special = batch.columns.special === undefined ? undefined : specialColumn(batch.columns.special, batch.rows * cells, cells);
  const scores = score === undefined ? undefined : scoreColumn(batch, score, cells);
  const read = readColumns(batch, rule);
  return (row) => {
    const length = lengths === undefined ? cells : (lengths[row] as number);
    if (!(Number.isInteger(length) && length >= 0 && length <= cells)) {
      throw new MaskflowError({
        option: 'length',
        rule: `must be an integer from 0 to ${cells}, the tokens of a grid of [${grid.join(', ')}]`,
        value: length,
      });
    }
    const tokens: { -readonly [K in keyof Tokens]: Tokens[K] } = { grid, length };
    if (special !== undefined) tokens.special = special.subarray(row * cells, (row + 1) * cells);
    if (scores !== undefined) tokens.score = scores.subarray(row * cells, (row + 1) * cells);
    if (read.length > 0) {
      const columns: Record<string, Data> = {};
      for (const [column, values, width] of read) columns[column] = values.subarray(row * width, (row + 1) * width);
      tokens.columns = columns;
    }
    return tokens;
  };
}

/** Where the columns come from that rules of ours read. */
const sources: Readonly<Record<string, string>> = {
  tokens: 'tokenize adds it.',
  words: 'tokenize adds it.',
  documents: 'tokenize adds it.',
  tags: 'It holds 1 = entity, 2 = verb, 4 = noun (added up) for each token, uint8: put a stage that tags words in front of mask.',
};

/** Name, numbers and numbers a row of each column that the rule reads. */
function readColumns(batch: AnyBatch, rule: Mask): (readonly [string, Data, number])[] {
  const read: (readonly [string, Data, number])[] = [];
  const names = Object.keys(batch.columns);
  for (const name of new Set([...(rule.reads ?? []), ...(rule.readsIfPresent ?? [])])) {
    const column = batch.columns[name];
    if (column === undefined) {
      if (rule.reads?.includes(name) !== true) continue;
      const near = nearest(name, names);
      const way = sources[name] ?? (near === undefined ? '' : `Did you mean ${near}? `);
      throw new MaskflowError({
        option: name,
        rule: `${rule.recipe.name} reads the column ${name}, and there is none`,
        hint: `${way}${way.endsWith('.') ? ' ' : ''}Columns: ${names.join(', ')}.`,
      });
    }
    if (!('data' in column) || column.shape[0] !== batch.rows) {
      const value = 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column';
      throw new MaskflowError({ option: name, rule: `${rule.recipe.name} reads the column ${name}, which must be a tensor of ${batch.rows} rows`, value });
    }
    read.push([name, column.data, sizeOf(column.shape.slice(1))]);
  }
  return read;
}

function lengthColumn(column: Column | Carried, rows: number): Float32Array | Int32Array {
  if ('data' in column && !(column.data instanceof Uint8Array) && column.data.length === rows) return column.data;
  throw new MaskflowError({
    option: 'length',
    rule: `the column length must hold one float32 or int32 number for each of the ${rows} rows`,
    value: 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column',
  });
}

function specialColumn(column: Column | Carried, size: number, cells: number): Uint8Array {
  if ('data' in column && column.data instanceof Uint8Array && column.data.length === size) return column.data;
  throw new MaskflowError({
    option: 'special',
    rule: `the column special must be uint8 with one number for each of the ${cells} tokens`,
    value: 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column',
  });
}

function scoreColumn(batch: AnyBatch, name: string, cells: number): Float32Array {
  const column = batch.columns[name];
  if (column === undefined) {
    throw new MaskflowError({
      option: 'score',
      rule: `there is no column ${JSON.stringify(name)}`,
      hint: `Columns: ${Object.keys(batch.columns).join(', ')}.`,
    });
  }
  if ('data' in column && column.data instanceof Float32Array && column.data.length === batch.rows * cells) return column.data;
  throw new MaskflowError({
    option: 'score',
    rule: `the column ${name} must be float32 with one number for each of the ${cells} tokens`,
    value: 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column',
  });
}
