// Which two tokens stand around each hidden one, for SpanBERT's boundary objective: runs of hidden tokens, found on the host.
// Spans that touch are one run, so the tokens around it are never hidden.
import type { Column } from '../core/batch.js';
import { sumPlan } from './sumPlan.js';

export interface SpanBoundaryPlan {
  /** int32 [2 · slots]: flat position (row · L + token) of the token before the span of each slot, then of those behind; 0 where there is none. */
  readonly boundarySides: Column<Int32Array>;
  /** int32 [slots]: how far the slot's token stands behind the first one of its span, 0 … targets − 1; −1 where nothing is asked of the boundary. */
  readonly boundaryOffsets: Column<Int32Array>;
  /** The tree (`sumPlan`) that adds the gradients of sides to those of positions. */
  readonly boundarySources: Column<Int32Array>;
  readonly boundaryPlaces: Column<Int32Array>;
}

/** What is known of the tokens, each [rows, L] but `length` [rows]. */
export interface SpanTokens {
  /** Above 0 where a token is hidden. */
  readonly hidden: Column;
  /** 1 where a token is special or padding. */
  readonly special?: Column | undefined;
  readonly length?: Column | undefined;
  /** Index of the document in its row, −1 on padding: no span reaches over the end of one. */
  readonly documents?: Column | undefined;
}

/**
 * Boundaries for the slots of `asked` (flat positions, −1 in slots that pad; `askedPlan`). A span has boundaries where a
 * token of text that is not hidden stands on both sides of it in the same document, so those at the first or last token of text
 * have none; only its first `targets` tokens are asked.
 *
 * @example
 * // one row of five tokens, the two in the middle hidden
 * const hidden = { data: Uint8Array.of(0, 1, 1, 0, 0), shape: [1, 5] };
 * spanBoundaryPlan({ data: Int32Array.of(1, 2), shape: [2] }, { hidden }, 15).boundarySides; // [0, 0, 3, 3]
 */
export function spanBoundaryPlan(asked: Column, { hidden, special, length, documents }: SpanTokens, targets: number): SpanBoundaryPlan {
  const [rows, tokens] = hidden.shape as [number, number];
  const isHidden = (i: number): boolean => (hidden.data[i] as number) > 0;
  const together = (i: number, j: number): boolean => documents === undefined || documents.data[i] === documents.data[j];
  const starts = new Int32Array(rows * tokens).fill(-1);
  const ends = new Int32Array(rows * tokens);
  for (let row = 0; row < rows; row++) {
    const begin = row * tokens;
    const end = begin + Math.min(tokens, (length?.data[row] as number | undefined) ?? tokens);
    const isText = (i: number): boolean => i >= begin && i < end && (special === undefined || special.data[i] === 0);
    for (let first = begin; first < begin + tokens; first++) {
      if (!isHidden(first)) continue;
      let last = first;
      while (last + 1 < begin + tokens && isHidden(last + 1) && together(last + 1, first)) last++;
      const [before, behind] = [first - 1, last + 1];
      const bounded = [before, behind].every((side) => isText(side) && !isHidden(side) && together(side, first));
      if (bounded) {
        starts.fill(first, first, last + 1);
        ends.fill(last, first, last + 1);
      }
      first = last;
    }
  }
  const slots = asked.data.length;
  const sides = new Int32Array(2 * slots);
  const offsets = new Int32Array(slots).fill(-1);
  for (let slot = 0; slot < slots; slot++) {
    const position = asked.data[slot] as number;
    const start = position < 0 ? -1 : (starts[position] as number);
    if (start < 0 || position - start >= targets) continue;
    sides[slot] = start - 1;
    sides[slots + slot] = (ends[position] as number) + 1;
    offsets[slot] = position - start;
  }
  const { sources, places } = sumPlan(sides, rows * tokens);
  return {
    boundarySides: { data: sides, shape: [2 * slots] },
    boundaryOffsets: { data: offsets, shape: [slots] },
    boundarySources: { data: sources, shape: [sources.length] },
    boundaryPlaces: { data: places, shape: [places.length] },
  };
}
