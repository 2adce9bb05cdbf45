// The seam between text and the kinds of its words: what `tag` needs of a tagger. Operators know this type alone; taggers that
// stand on a library are in maskflow/sources (winkTagger, compromiseTagger, onnxTagger), `goldTags` reads tags from the data.
import type { Recipe } from '../../core/recipe.js';
import type { TextOrWords } from './tokenizer.js';

/** Kinds of one text's words. A word may have several: the bits of `tagBits` added up, 1 = entity, 2 = verb, 4 = noun. */
export interface Tagged {
  /** Of a list: one entry a word. Of a text: one entry a span; what no span covers is of no kind. */
  readonly bits: Uint8Array;
  /** Of a text: where each word begins and ends, [2 · spans], UTF-16 units, the end not included. A span is one word: a name of two words is two spans. */
  readonly spans?: Int32Array;
}

/** A column that a tagger reads beside the text: of a row's only or first text, and of its second. */
export interface TaggerColumn {
  readonly column: string;
  readonly pair?: string | undefined;
}

/** Texts to kinds of words. */
export interface Tagger {
  readonly recipe: Recipe;
  /** What its answers depend on: the library and its version, the model's digest. Caches go by it. */
  readonly fingerprint: string;
  /** Columns that it reads beside the text. Default: none. */
  readonly reads?: readonly TaggerColumn[];
  /** One answer a text, in order; `columns[i][n]` is the value of `reads[i]` at text n. A text that cannot be tagged is an error, never an empty answer. */
  tag(texts: readonly TextOrWords[], columns: readonly (readonly unknown[])[]): Promise<readonly Tagged[]>;
  /** Writes what it keeps for later runs; called where a stream ends. */
  flush?(): Promise<void>;
}
