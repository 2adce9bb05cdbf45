// The columns that `tokenize` and `pack` add, filled document by document. Pure: arrays in, arrays out.
import type { Bytes, Integers } from '../stages.js';
import type { Encoded, Tokenizer } from '../views/tokenizer.js';
import type { Document } from './document.js';

export interface TokenColumns {
  /** Ids, int32 [rows, L]. */
  readonly tokens: Integers;
  /** Tokens that exist, special ones included, int32 [rows]. */
  readonly length: Integers;
  /** 1 on special tokens and padding, uint8 [rows, L]. */
  readonly special: Bytes;
  /** Index of the word in its row, −1 on special tokens and padding, int32 [rows, L]. */
  readonly words: Integers;
}

/** Length of the rows: the longest one, up to the next multiple, never above `most`, at least 1. */
export function paddedLength(longest: number, multiple: number, most: number): number {
  return Math.max(1, Math.min(Math.ceil(longest / multiple) * multiple, Math.max(most, longest)));
}

/** The id that stands on padding: the tokenizer's own, else its end of text, else 0; `special` and `length` tell it from text. */
export function padId({ ids }: Tokenizer): number {
  return ids.pad ?? ids.eos ?? 0;
}

export class TokenRows {
  readonly #rows: number;
  readonly #side: number;
  readonly #special: Uint8Array;
  readonly #tokens: Int32Array;
  readonly #length: Int32Array;
  readonly #specials: Uint8Array;
  readonly #words: Int32Array;
  readonly #segments: Int32Array;
  readonly #documents: Int32Array;
  /** Words and documents that each row has so far. */
  readonly #wordCount: Int32Array;
  readonly #documentCount: Int32Array;

  constructor(rows: number, side: number, tokenizer: Tokenizer) {
    this.#rows = rows;
    this.#side = side;
    this.#special = tokenizer.special;
    this.#tokens = new Int32Array(rows * side).fill(padId(tokenizer));
    this.#length = new Int32Array(rows);
    this.#specials = new Uint8Array(rows * side).fill(1);
    this.#words = new Int32Array(rows * side).fill(-1);
    this.#segments = new Int32Array(rows * side);
    this.#documents = new Int32Array(rows * side).fill(-1);
    this.#wordCount = new Int32Array(rows);
    this.#documentCount = new Int32Array(rows);
  }

  /** Appends a document to a row; there must be room for it. */
  add(row: number, { texts, kept, pieces, length }: Document): void {
    const start = row * this.#side + (this.#length[row] as number);
    const bases = [this.#wordCount[row] as number, (this.#wordCount[row] as number) + (texts[0]?.wordCount ?? 0)];
    let at = start;
    for (const piece of pieces) {
      const from = at;
      if ('id' in piece) this.#tokens[at++] = piece.id;
      else at = this.#copy(texts[piece.text] as Encoded, kept[piece.text] as number, bases[piece.text] as number, at);
      this.#segments.fill(piece.segment, from, at);
    }
    const document = this.#documentCount[row] as number;
    this.#documents.fill(document, start, at);
    this.#documentCount[row] = document + 1;
    this.#length[row] = (this.#length[row] as number) + length;
    this.#wordCount[row] = texts.reduce((sum, { wordCount }) => sum + wordCount, this.#wordCount[row] as number);
  }

  #copy({ ids, words }: Encoded, count: number, base: number, from: number): number {
    for (let i = 0, at = from; i < count; i++, at++) {
      const id = ids[i] as number;
      this.#tokens[at] = id;
      const special = this.#special[id] as number;
      this.#specials[at] = special;
      if (special === 0) this.#words[at] = base + (words[i] as number);
    }
    return from + count;
  }

  columns(): TokenColumns & { readonly segments: Integers; readonly documents: Integers } {
    const wide = <A extends Int32Array | Uint8Array>(data: A): { readonly data: A; readonly shape: readonly number[] } => ({
      data,
      shape: [this.#rows, this.#side],
    });
    return {
      tokens: wide(this.#tokens),
      length: { data: this.#length, shape: [this.#rows] },
      special: wide(this.#specials),
      words: wide(this.#words),
      segments: wide(this.#segments),
      documents: wide(this.#documents),
    };
  }
}
