// Where records stand in text files: one pass over the bytes notes the start of a block of records about every 32 KiB, so
// that the index of a terabyte has some hundred megabytes and any record is one small read away.
import type { ReadAt } from '../arrow/scan.js';
import { Splitter, type Unit } from './records.js';

const blockBytes = 2 ** 15;
const pieceBytes = 2 ** 20;

/** Numbers that are appended one by one. */
class Growing {
  #data = new Float64Array(64);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#data.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#data);
      this.#data = larger;
    }
    this.#data[this.#length++] = value;
  }

  done(): Float64Array {
    return this.#data.slice(0, this.#length);
  }
}

/** The blocks of one file; block i has the records from `records[i]` on, its first byte is `offsets[i]`, its first line `lines[i]`. */
export interface TextIndex {
  readonly records: Float64Array;
  readonly offsets: Float64Array;
  readonly lines: Float64Array;
  readonly count: number;
  readonly size: number;
}

/** Throws through `tooLong` for a record of more than `most` bytes. */
export async function indexText(read: ReadAt, size: number, unit: Unit, most: number, tooLong: (line: number) => Error): Promise<TextIndex> {
  const [records, offsets, lines] = [new Growing(), new Growing(), new Growing()];
  let count = 0;
  let blockStart = Number.NEGATIVE_INFINITY;
  const splitter = new Splitter(unit, (start, end, line) => {
    if (end - start > most) throw tooLong(line);
    if (start >= blockStart + blockBytes) {
      blockStart = start;
      records.push(count);
      offsets.push(start);
      lines.push(line);
    }
    count++;
  });
  let at = 0;
  while (at < size) {
    const piece = await read(at, Math.min(pieceBytes, size - at));
    if (piece.length === 0) break;
    splitter.push(piece);
    at += piece.length;
  }
  splitter.end();
  return { records: records.done(), offsets: offsets.done(), lines: lines.done(), count, size: at };
}

/** The last index whose value is at most `value`, in values that rise. */
export function lastUpTo(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= value) low = middle;
    else high = middle;
  }
  return low;
}
