// One document on its way into a row: its texts cut to fit, and the places of its special tokens. Pure.
import { MaskflowError } from '../../core/errors.js';
import type { Encoded, Piece, Template } from '../views/tokenizer.js';
import { type Truncate, keptOf } from './truncation.js';

export interface Document {
  readonly texts: readonly Encoded[];
  /** Tokens kept of each text, from its beginning. */
  readonly kept: readonly number[];
  readonly pieces: readonly Piece[];
  /** Tokens in all, special ones included. */
  readonly length: number;
}

const bare: Template = {
  single: [{ text: 0, segment: 0 }],
  pair: [
    { text: 0, segment: 0 },
    { text: 1, segment: 1 },
  ],
};

/** One or two encoded texts as a document of at most `most` tokens; without `template` no special token is added. */
export function documentOf(texts: readonly Encoded[], template: Template | undefined, most: number, truncate: Truncate): Document {
  const pieces = (template ?? bare)[texts.length === 2 ? 'pair' : 'single'];
  const specials = pieces.reduce((sum, piece) => sum + ('id' in piece ? 1 : 0), 0);
  const [first = 0, second = 0] = texts.map(({ ids }) => ids.length);
  const kept = keptOf(first, second, most - specials, texts.length === 1 && truncate !== false ? 'onlyFirst' : truncate);
  if (kept === undefined) {
    const parts = texts.length === 2 ? `${first} and ${second}` : String(first);
    throw new MaskflowError({
      option: 'truncate',
      rule: `a row holds ${most} tokens, and this one would need ${first + second + specials} (${parts} of text, ${specials} special)`,
      value: truncate,
      hint: most - specials < 0 ? `Raise length to more than ${specials}.` : "Raise length, or cut what is too long: truncate: 'longestFirst'.",
    });
  }
  return { texts, kept, pieces, length: kept[0] + kept[1] + specials };
}
