import type { Column } from '../core/batch.js';

/**
 * Place of each token in its part of the row: int32 [rows, L], counted from 0 again where the number of the part changes, and 0
 * where it is negative. `parts` int32 [rows, L]: documents of a packed row (−1 on padding), segments of a pair.
 *
 * @example
 * placesWithin({ data: Int32Array.of(0, 0, 0, 1, 1), shape: [1, 5] }).data; // 0 1 2 0 1
 */
export function placesWithin({ data, shape }: Column): Column<Int32Array> {
  const tokens = shape[1] as number;
  const places = new Int32Array(data.length);
  for (let i = 1; i < data.length; i++) {
    if (i % tokens > 0 && (data[i] as number) >= 0 && data[i] === data[i - 1]) places[i] = (places[i - 1] as number) + 1;
  }
  return { data: places, shape };
}
