// Where a tokenizer's words stand in their text. Pure.
import type { Encoded, Tokenizer } from './tokenizer.js';
import { locateWords } from './locateWords.js';

/** Words that are written out once and kept. */
const most = 2 ** 16;

/**
 * Spans of a tokenizer's words in a text, [2 · wordCount]: each word's tokens are written out and its characters found in the
 * text by `locateWords`; a word with an unknown token is one of unknown characters.
 *
 * @throws (the function that it returns) MaskflowError where the words do not follow the text: a normalizer that replaces
 * characters by others
 */
export function tokenSpans(tokenizer: Tokenizer): (text: string, encoded: Encoded) => Int32Array {
  const written = new Map<string, string>();
  const { unk } = tokenizer.ids;
  return (text, { ids, words, wordCount }) => {
    const texts = new Array<string | undefined>(wordCount).fill('');
    for (let from = 0, to = 0; from < ids.length; from = to) {
      const word = words[from] as number;
      const own: number[] = [];
      while (to < ids.length && words[to] === word) own.push(ids[to++] as number);
      if (unk !== undefined && own.includes(unk)) {
        texts[word] = undefined;
        continue;
      }
      const key = own.join();
      let out = written.get(key);
      if (out === undefined) {
        if (written.size >= most) written.clear();
        out = tokenizer.decode(own, { special: true });
        written.set(key, out);
      }
      texts[word] = out;
    }
    return locateWords(texts, text);
  };
}
