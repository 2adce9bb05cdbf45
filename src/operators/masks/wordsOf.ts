// Words as runs of tokens: what word-level masks choose among. From the column `words` that a tokenizer leaves, so a mask
// knows nothing of the marks of word-piece and sentence-piece vocabularies; without it every token is a word of its own, which
// makes the same masks work on frames and patches.
import { columnOf } from './columnOf.js';
import type { Tokens } from './select.js';

/** Word w has the tokens starts[w] … ends[w] − 1. The arrays are reused: they hold until the next call of `wordsOf`. */
export interface Words {
  readonly count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Tokens that belong to a word. */
  readonly tokens: number;
}

const words = { count: 0, starts: new Int32Array(256), ends: new Int32Array(256), tokens: 0 };

/**
 * The words of one sample, in raster order: runs of one number in the column `words` (int32, one a token; −1 belongs to no
 * word), cut at special tokens, which belong to none either.
 *
 * @example
 * const { count, starts, ends } = wordsOf({ grid: [5], length: 5, columns: { words: Int32Array.of(-1, 0, 1, 1, -1) } });
 * count; // 2: tokens 1 and 2–3
 */
export function wordsOf(tokens: Tokens): Words {
  const { length, special } = tokens;
  const index = columnOf(tokens, 'words', 'int32');
  if (words.starts.length < length) {
    words.starts = new Int32Array(2 * length);
    words.ends = new Int32Array(2 * length);
  }
  const { starts, ends } = words;
  let count = 0;
  let belonging = 0;
  let before = -1;
  for (let i = 0; i < length; i++) {
    const word = special !== undefined && special[i] !== 0 ? -1 : index === undefined ? i : (index[i] as number);
    if (word >= 0) {
      if (word !== before) starts[count++] = i;
      ends[count - 1] = i + 1;
      belonging++;
    }
    before = word;
  }
  words.count = count;
  words.tokens = belonging;
  return words;
}
