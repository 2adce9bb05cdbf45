// Text files as records: a record is a line, or a block of lines between empty ones. One splitter serves files that are
// read once from the front and blocks of files that are read wherever the order asks.

/** One record: its bytes (without line end; of a block, with those inside) and the number of its first line, from 1. */
export interface TextRecord {
  readonly bytes: Uint8Array;
  readonly line: number;
}

/** What a record is. `lines`: every line; `filled`: every line that is not empty; `blocks`: lines up to an empty one. */
export type Unit = 'lines' | 'filled' | 'blocks';

const newline = 10;
const carriage = 13;
const isBlank = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (bytes[i] !== 32 && bytes[i] !== 9 && bytes[i] !== carriage) return false;
  return true;
};

/**
 * Where records begin and end in bytes that come piece by piece; `found` gets start, end (of the content) and first line of
 * each, as soon as its end is seen. Positions count from the first byte given.
 */
export class Splitter {
  readonly #unit: Unit;
  readonly #found: (start: number, end: number, line: number) => void;
  /** Bytes of the piece before that belong to the line that is not finished. */
  #lineStart: number;
  #line: number;
  #at: number;
  /** Is the unfinished line blank so far, and what is its last byte? */
  #blank = true;
  #last = 0;
  #blockStart = -1;
  #blockEnd = 0;
  #blockLine = 0;

  constructor(unit: Unit, found: (start: number, end: number, line: number) => void, position = 0, line = 1) {
    this.#unit = unit;
    this.#found = found;
    this.#lineStart = position;
    this.#at = position;
    this.#line = line;
  }

  /** Start of the record that is not finished, and its first line. */
  get pending(): { readonly start: number; readonly line: number } {
    return this.#blockStart >= 0 ? { start: this.#blockStart, line: this.#blockLine } : { start: this.#lineStart, line: this.#line };
  }

  push(bytes: Uint8Array): void {
    let from = 0;
    for (;;) {
      const to = bytes.indexOf(newline, from);
      if (to < 0) break;
      this.#blank &&= isBlank(bytes, from, to);
      const before = to > from ? (bytes[to - 1] as number) : this.#last;
      const end = this.#at + to;
      this.#endLine(end > this.#lineStart && before === carriage ? end - 1 : end);
      this.#lineStart = end + 1;
      this.#line++;
      this.#blank = true;
      this.#last = 0;
      from = to + 1;
    }
    if (from < bytes.length) {
      this.#blank &&= isBlank(bytes, from, bytes.length);
      this.#last = bytes[bytes.length - 1] as number;
    }
    this.#at += bytes.length;
  }

  /** The last line may end without a newline. */
  end(): void {
    if (this.#at > this.#lineStart) {
      this.#endLine(this.#last === carriage ? this.#at - 1 : this.#at);
      this.#lineStart = this.#at;
      this.#line++;
    }
    this.#endBlock();
  }

  #endLine(end: number): void {
    if (this.#unit === 'lines' || (this.#unit === 'filled' && !this.#blank)) {
      this.#found(this.#lineStart, end, this.#line);
      return;
    }
    if (this.#unit === 'filled') return;
    if (this.#blank) {
      this.#endBlock();
      return;
    }
    if (this.#blockStart < 0) {
      this.#blockStart = this.#lineStart;
      this.#blockLine = this.#line;
    }
    this.#blockEnd = end;
  }

  #endBlock(): void {
    if (this.#blockStart < 0) return;
    const [start, end, line] = [this.#blockStart, this.#blockEnd, this.#blockLine];
    this.#blockStart = -1;
    this.#found(start, end, line);
  }
}

/** The records of a stream of bytes, each as soon as it is whole; never more than one record and one piece are held. */
export async function* recordsOf(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  unit: Unit,
  most: number,
  tooLong: (line: number) => Error,
): AsyncGenerator<TextRecord, void> {
  let held: Uint8Array = new Uint8Array(0);
  let base = 0;
  let ready: TextRecord[] = [];
  const splitter = new Splitter(unit, (start, end, line) => ready.push({ bytes: held.subarray(start - base, end - base), line }));
  for await (const bytes of pieces) {
    held = joined(held, bytes);
    splitter.push(bytes);
    yield* ready;
    ready = [];
    const { start, line } = splitter.pending;
    held = held.subarray(start - base);
    base = start;
    if (held.length > most) throw tooLong(line);
  }
  splitter.end();
  yield* ready;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
