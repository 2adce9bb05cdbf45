// What both weight stages add, and the error where a batch would be weighted twice.
import type { AnyBatch, Carried, Column } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { refuseColumns } from '../corruptions/hiddenIds.js';
import { eligibleCount } from '../masks/eligibleCount.js';

/** Columns that a weight stage has made: a batch that has one is weighted. */
const made = new WeakSet<Column | Carried>();

/**
 * The column `as`, float32 [rows]: the weight of each row, times what the column `weight` says where there is one already (0 for
 * rows that only fill up a batch). `weightOf` gets the row, its hidden tokens and those that could be hidden.
 */
export function rowWeights(
  batch: AnyBatch,
  as: string,
  mask: Uint8Array,
  cells: number,
  weightOf: (row: number, hidden: number, eligible: number) => number,
): Readonly<Record<string, Column<Float32Array>>> {
  for (const [name, column] of Object.entries(batch.columns)) {
    if (!made.has(column)) continue;
    throw new MaskflowError({
      option: name,
      rule: 'the batch is weighted already, and the cross-entropy of masked diffusion is weighted once: by time or by count',
      hint: 'Keep diffusionWeight (with absorbing) or countWeight (with absorbingCount), not both.',
    });
  }
  refuseColumns(batch, as);
  const [lengths, specials, given] = ['length', 'special', 'weight'].map((name) => numbersOf(batch, name));
  const data = Float32Array.from({ length: batch.rows }, (_, row) => {
    const special = specials?.subarray(row * cells, (row + 1) * cells) as Uint8Array | undefined;
    const eligible = eligibleCount({ length: lengths?.[row] ?? cells, ...(special === undefined ? {} : { special }) });
    let hidden = 0;
    for (let i = row * cells; i < (row + 1) * cells; i++) hidden += mask[i] as number;
    return (given?.[row] ?? 1) * weightOf(row, hidden, eligible);
  });
  const column = { data, shape: [batch.rows] };
  made.add(column);
  return { [as]: column };
}

function numbersOf(batch: AnyBatch, name: string): Float32Array | Int32Array | Uint8Array | undefined {
  const column = batch.columns[name];
  return column !== undefined && 'data' in column ? column.data : undefined;
}
