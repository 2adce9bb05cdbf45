// What corruptions read of a batch, and the errors where it is not there.
import { type AnyBatch, type Carried, type Column, sizeOf } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import type { Bytes, Integers } from '../stages.js';

/** Codes of the column `outcome`: what becomes of a token. */
export const outcomeCodes = { visible: 0, mask: 1, random: 2, keep: 3 } as const;

/** Refuses a batch that has one of these columns: a stage never replaces what it does not own. */
export function refuseColumns(batch: AnyBatch, ...names: readonly string[]): void {
  for (const name of names) {
    if (batch.columns[name] === undefined) continue;
    throw new MaskflowError({
      option: name,
      rule: `the batch has a column ${name} already, and a stage never replaces what it does not own`,
      hint: 'Corrupt it once, or give the new column another name with as where the stage has it.',
    });
  }
}

/** The column `mask`, and how many tokens a row has. */
export function hiddenOf(batch: AnyBatch): { readonly mask: Uint8Array; readonly cells: number } {
  const column = columnOf(batch, 'mask', 'Put mask(countBased()) in front.') as Bytes;
  const cells = sizeOf(column.shape.slice(1));
  if (column.data instanceof Uint8Array && column.shape[0] === batch.rows) return { mask: column.data, cells };
  throw new MaskflowError({ option: 'mask', rule: `must be uint8 [${batch.rows}, …grid]`, value: told(column) });
}

/** The int32 column `name` with one id for each token of the mask. */
export function idsOf(batch: AnyBatch, name: string, cells: number): Integers {
  const column = columnOf(batch, name, 'Put tokenize(…) in front.');
  if ('data' in column && column.data instanceof Int32Array && column.data.length === batch.rows * cells) return column as Integers;
  const hint = 'data' in column && column.data instanceof Float32Array ? 'For tokens that are no ids take replaceWithValue.' : undefined;
  throw new MaskflowError({
    option: name,
    rule: `the column ${name} must be int32 ids, one for each of the ${cells} tokens of a row`,
    value: told(column),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Which tokens a part of the corruption replaces: those whose outcome is `code`, or all hidden ones where no outcome was drawn. */
export function chosenOf(batch: AnyBatch, code: number): { readonly chosen: Uint8Array; readonly code: number; readonly cells: number } {
  const { mask, cells } = hiddenOf(batch);
  const { outcome } = batch.columns;
  if (outcome === undefined) return { chosen: mask, code: 1, cells };
  if ('data' in outcome && outcome.data instanceof Uint8Array && outcome.data.length === mask.length) return { chosen: outcome.data, code, cells };
  throw new MaskflowError({ option: 'outcome', rule: 'the column outcome must be uint8, one number for each token', value: told(outcome) });
}

/** The column of this name, or an error that says what there is. */
export function columnOf(batch: AnyBatch, name: string, hint: string): Column | Carried {
  const column = batch.columns[name];
  if (column !== undefined) return column;
  const names = Object.keys(batch.columns);
  const near = nearest(name, names);
  throw new MaskflowError({
    option: name,
    rule: `there is no column ${name}`,
    value: names,
    hint: near === undefined ? hint : `Did you mean ${near}? ${hint}`,
  });
}

/** A column in words, for errors. */
export function told(column: Column | Carried): string {
  return 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column (text, bytes or lists)';
}
