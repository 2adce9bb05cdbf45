// Where a loss asks a language model: the head over the vocabulary is by far the widest layer, and 85 of 100 positions are
// asked nothing (BERT, Devlin et al. 2019, hides 15 %). The positions are listed on the host; their number is rounded up, so
// that random masks lead to few compiled shapes.
import type { Column } from '../core/batch.js';

export interface AskedPlan {
  /** int32 [slots]: flat position (row · L + token) of each label, −1 in slots that pad. Not one a row. */
  readonly asked: Column<Int32Array>;
  /** int32 [rows, L]: slot of each position, −1 where nothing is asked. */
  readonly askedSlots: Column<Int32Array>;
}

/** Slots come in multiples of this: a sixteenth of all positions as a power of two, at least 8. */
export const askedUnit = (positions: number): number => Math.max(8, 2 ** Math.ceil(Math.log2(Math.max(1, positions / 16))));

/**
 * The positions of `labels` [rows, L] that are not negative, in their order. At least one unit of slots, so that no shape is
 * empty, and never more than all positions rounded up.
 *
 * @example
 * askedPlan({ data: Int32Array.of(-100, 7, 3, -100), shape: [2, 2] }).asked; // [1, 2, −1, −1, −1, −1, −1, −1]
 */
export function askedPlan({ data, shape }: Column, unit = askedUnit(data.length)): AskedPlan {
  const slot = new Int32Array(data.length).fill(-1);
  let count = 0;
  for (let i = 0; i < data.length; i++) if ((data[i] as number) >= 0) slot[i] = count++;
  const slots = Math.max(1, Math.ceil(count / unit)) * unit;
  const asked = new Int32Array(slots).fill(-1);
  for (let i = 0; i < slot.length; i++) if (slot[i] !== -1) asked[slot[i] as number] = i;
  return { asked: { data: asked, shape: [slots] }, askedSlots: { data: slot, shape } };
}
