// The gradient of an embedding: many rows added into few of many places. Segment sums are slow where there are thousands of
// segments (one-hot products grow with them, scatters go element by element, and GPUs need atomic additions that come in no
// order). Which rows meet is known on the host, so it plans a tree of gathers and sums of FAN rows: every backend does both
// fast, and adds in the same order every time. Sizes depend on the numbers of rows and segments alone, never on the ids:
// one compiled shape for all batches. About 5 rows are read for each row that is summed.
import { MaskflowError } from '../core/errors.js';

/** Rows that one sum of the tree takes in. */
export const FAN = 4;

export interface SumPlan {
  /**
   * int32, the levels one behind the other, level l with `sumSizes(…)[l] · FAN` entries: rows of the level below (of the data,
   * at first) counted from 1, 0 where nothing is added.
   */
  readonly sources: Int32Array<ArrayBuffer>;
  /** int32 [segments]: where the sum of each segment lies among the sums of all levels, counted from 1; 0 for an empty one. */
  readonly places: Int32Array<ArrayBuffer>;
}

/**
 * Sums in each level of the tree: as many as the ids could ever need. A segment of c rows is whole in the first level l with
 * c ≤ FAN^l; level l holds ⌈c / FAN^l⌉ sums of each that is not whole below it.
 *
 * @example
 * sumSizes(4096, 30_000); // [4096, 819, 240, 63, 15, 3]
 */
export function sumSizes(rows: number, segments: number): number[] {
  const sizes: number[] = [];
  for (let below = 0, reach = FAN; ; below = reach, reach *= FAN) {
    // Most sums are needed by as many segments as can be open, each with one row more than is whole below; a second sum in one
    // of them takes `reach − below` rows more, which is never the cheaper way to a sum.
    const open = Math.min(segments, Math.floor(rows / (below + 1)));
    if (open === 0) return sizes;
    sizes.push(open + Math.floor((rows - open * (below + 1)) / (reach - below)));
  }
}

/**
 * The tree that adds row i to segment `ids[i]`.
 *
 * @throws MaskflowError for an id that is no integer below `segments`.
 * @example
 * sumPlan(Int32Array.of(2, 0, 2), 4).places; // [1, 0, 2, 0]: rows 0 and 2 meet in sum 2
 */
export function sumPlan(ids: Int32Array, segments: number): SumPlan {
  // 1. Rows in order of their segment: a counting sort.
  const counts = new Int32Array(segments + 1);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if (!(id >= 0 && id < segments))
      throw new MaskflowError({ stage: 'sumPlan', option: 'ids', rule: `must be integers from 0 to ${segments - 1}`, value: id });
    counts[id + 1] = (counts[id + 1] as number) + 1;
  }
  const present: number[] = [];
  for (let id = 0; id < segments; id++) {
    if (counts[id + 1] !== 0) present.push(id);
    counts[id + 1] = (counts[id + 1] as number) + (counts[id] as number);
  }
  const starts = counts.slice(0, segments);
  const sorted = new Int32Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    sorted[starts[id] as number] = i + 1;
    starts[id] = (starts[id] as number) + 1;
  }

  // 2. Level by level: each open segment's rows of the level below, FAN to a sum.
  const sizes = sumSizes(ids.length, segments);
  const sources = new Int32Array(FAN * sizes.reduce((sum, size) => sum + size, 0));
  const places = new Int32Array(segments);
  let open = present.map((id) => ({ id, from: counts[id] as number, count: (counts[id + 1] as number) - (counts[id] as number) }));
  let begin = 0;
  let base = 0;
  for (const [level, size] of sizes.entries()) {
    let sum = 0;
    const next: typeof open = [];
    for (const { id, from, count } of open) {
      const first = sum;
      for (let i = 0; i < count; i += FAN, sum++) {
        for (let j = i; j < Math.min(count, i + FAN); j++) sources[begin + sum * FAN + j - i] = level === 0 ? (sorted[from + j] as number) : from + j + 1;
      }
      if (count > FAN) next.push({ id, from: first, count: sum - first });
      else places[id] = base + first + 1;
    }
    open = next;
    begin += size * FAN;
    base += size;
  }
  return { sources, places };
}
