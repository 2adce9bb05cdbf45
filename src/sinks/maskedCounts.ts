// What became of a mask's ratio, as two counts that add up over batches: a mean of rows' shares would count short rows like long ones.
import type { AnyBatch, Column } from '../core/batch.js';
import { sizeOf, isColumn } from '../core/batch.js';
import { eligibleCount } from '../operators/masks/eligibleCount.js';

export interface MaskedCounts {
  /** Hidden tokens. */
  readonly hidden: number;
  /** Tokens that the rule might hide. */
  readonly eligible: number;
}

/**
 * Counts of a batch behind `mask(rule, { share: true })`, from its columns `mask` and `maskedShare`; undefined where it has no such
 * columns. Rows that only fill up a batch (weight 0, the sample of the row before) are left out. Of a row that hides nothing
 * what exists and is not special counts as eligible.
 *
 * @example
 * const { hidden, eligible } = maskedCounts(batch) ?? { hidden: 0, eligible: 0 };
 */
export function maskedCounts({ rows, columns, origins }: AnyBatch): MaskedCounts | undefined {
  const column = (name: string): Column | undefined => (isColumn(columns[name]) ? (columns[name] as Column) : undefined);
  const [mask, share, lengths, special, weight] = ['mask', 'maskedShare', 'length', 'special', 'weight'].map(column);
  if (mask === undefined || share === undefined) return undefined;
  const cells = sizeOf(mask.shape.slice(1));
  const each = weight === undefined ? 1 : weight.data.length / rows;
  let [hidden, eligible] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const weighs = weight === undefined || weight.data.subarray(row * each, (row + 1) * each).some((x) => x !== 0);
    if (!weighs && row > 0 && origins[row] === origins[row - 1]) continue;
    const [from, to] = [row * cells, (row + 1) * cells];
    let here = 0;
    for (let i = from; i < to; i++) here += mask.data[i] as number;
    hidden += here;
    // A share is hidden over eligible in float32: below 2²⁴ tokens rounding finds the number again.
    if (here > 0) eligible += Math.round(here / (share.data[row] as number));
    else eligible += eligibleCount({ length: lengths?.data[row] ?? cells, ...(special && { special: special.data.subarray(from, to) as Uint8Array }) });
  }
  return { hidden, eligible };
}
