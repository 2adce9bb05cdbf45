// The seam between text and ids: what `tokenize`, corruptions and models need of a tokenizer. Operators know this type
// alone, so that they never meet a file or a native library; `tokenizer` of maskflow/sources makes one.
import type { Recipe } from '../../core/recipe.js';

/** Ids of the special tokens that a tokenizer has; undefined = it has none of that kind. */
export interface SpecialIds {
  readonly pad?: number | undefined;
  readonly mask?: number | undefined;
  readonly cls?: number | undefined;
  readonly sep?: number | undefined;
  readonly unk?: number | undefined;
  readonly bos?: number | undefined;
  readonly eos?: number | undefined;
}

/** A text, or its words where somebody has split it already (gold tokens): then word n is the n-th of the list. */
export type TextOrWords = string | readonly string[];

/** A text as ids, without the special tokens around it. */
export interface Encoded {
  readonly ids: ArrayLike<number>;
  /** Index of the word that each token belongs to, from 0, never falling. */
  readonly words: ArrayLike<number>;
  /** Words of the text; of a list all count, those that gave no token too. */
  readonly wordCount: number;
}

/** One place of a template: a special token, or the first (0) or second (1) text; with the segment that it gets. */
export type Piece = { readonly id: number; readonly segment: number } | { readonly text: 0 | 1; readonly segment: number };

/** Where special tokens stand around one text and around two. */
export interface Template {
  readonly single: readonly Piece[];
  readonly pair: readonly Piece[];
}

/** Text to ids and back. The same for every library that does the work: `fingerprint` names what it depends on. */
export interface Tokenizer {
  /** Ids are below this number: rows of an embedding table. */
  readonly vocabulary: number;
  readonly ids: SpecialIds;
  /** `ids.mask`; reading it is an error where the tokenizer has no mask token. */
  readonly maskId: number;
  /** 1 for ids that are never text: all special tokens but the unknown one. [vocabulary]. */
  readonly special: Uint8Array;
  readonly template: Template;
  /** Digest of the tokenizer's file. */
  readonly fingerprint: string;
  readonly recipe: Recipe;
  /** Ids of texts, without special tokens around them; a special token that is written in a text is that token. */
  encode(texts: readonly TextOrWords[]): Promise<readonly Encoded[]>;
  /** Text of ids; special tokens are left out unless `special` is true. */
  decode(ids: ArrayLike<number>, options?: { readonly special?: boolean }): string;
  /** How an id is written in the vocabulary, or undefined where there is none. */
  token(id: number): string | undefined;
}
