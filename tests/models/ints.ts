import type { Column } from '../../src/core/batch.js';

/** An int32 column of these rows. */
export function ints(rows: readonly (readonly number[])[]): Column<Int32Array> {
  return { data: Int32Array.from(rows.flat()), shape: [rows.length, rows[0]?.length ?? 0] };
}
