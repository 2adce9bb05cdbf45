// Words of one text, numbered from 0 without gaps, from what a library tells of each token.
import type { Encoded } from '../../operators/views/tokenizer.js';
import type { TokenizerFile } from './tokenizerFile.js';

/** A text's tokens and the piece of the pre-tokenizer that each came from (any numbers: a change is a new word). */
export interface Pieces {
  readonly ids: ArrayLike<number>;
  readonly pieces: ArrayLike<number | null | undefined>;
}

/** The words of a text: by pieces, or by the tokens that start words. An added token is a word of its own. */
export function counted({ ids, pieces }: Pieces, { wordStarts, added }: Pick<TokenizerFile, 'wordStarts' | 'added'>): Encoded {
  const words = new Int32Array(ids.length);
  let word = -1;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    const starts = wordStarts === undefined ? pieces[i] !== pieces[i - 1] : wordStarts[id] === 1 || added.has(id) || added.has(ids[i - 1] as number);
    if (i === 0 || starts) word++;
    words[i] = word;
  }
  return { ids, words, wordCount: word + 1 };
}
