// Where a document goes in a batch of packed rows: the first row that has room for it. Earlier rows are filled up by later,
// shorter documents, and a batch ends at the first document that fits nowhere: so batches end in the order of arrival,
// and a resumed run, which begins with the first document that no finished batch had, packs the very same rows.

/** Index of the first row with room for `need` tokens, a new one (`used.length`) while there are fewer than `rows`, else −1. */
export function firstFit(used: readonly number[], rows: number, length: number, need: number): number {
  for (let row = 0; row < used.length; row++) if ((used[row] as number) + need <= length) return row;
  return used.length < rows && need <= length ? used.length : -1;
}
