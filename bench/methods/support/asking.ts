// Questions: rows in which chosen tokens are hidden and asked, without corruption.
import type { AnyBatch, Column } from 'maskflow';
import { type TextRow, textBatch } from './textBatch.js';

/** A batch with `inputs`, the mask id where `hides` says so, and `labels`, the ids there. */
export function asking(
  rows: readonly TextRow[],
  width: number,
  isSpecial: (id: number) => boolean,
  maskId: number,
  hides: (row: TextRow, token: number, number: number) => boolean,
): AnyBatch {
  const batch = textBatch(rows, width, isSpecial);
  const { data, shape } = batch.columns.tokens as Column<Int32Array>;
  const [inputs, labels] = [data.slice(), new Int32Array(data.length).fill(-100)];
  rows.forEach((row, r) => {
    row.ids.forEach((id, i) => {
      if (!hides(row, i, r)) return;
      inputs[r * width + i] = maskId;
      labels[r * width + i] = id;
    });
  });
  return { ...batch, columns: { ...batch.columns, inputs: { data: inputs, shape }, labels: { data: labels, shape } } };
}
