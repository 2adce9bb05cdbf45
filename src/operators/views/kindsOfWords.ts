// A tagger's answer, as kinds of other words: those of a tokenizer, or of a list. Pure.
import { MaskflowError } from '../../core/errors.js';
import type { Tagged } from './tagger.js';
import type { TextOrWords } from './tokenizer.js';

const entity = 1;
const letter = /[\p{L}\p{M}\p{N}]/u;

/** What the reference of LEM takes for a number: digits at the beginning (3rd), also behind a sign or point, and a comma. No entity. */
const number = /^(?:[+-]?\.?\p{Nd}|,)/u;

/** Kinds as they count: a word that begins like a number is no entity. */
export function withoutNumber(bits: number, word: string): number {
  return (bits & entity) !== 0 && number.test(word) ? bits & ~entity : bits;
}

/** Throws unless a tagger's answer fits its text. */
export function checkTagged({ bits, spans }: Tagged, text: TextOrWords): void {
  const wrong = (rule: string, value: unknown): MaskflowError => new MaskflowError({ option: 'tagger', rule, value });
  if (bits.some((bit) => bit > 7))
    throw wrong(
      'must answer bits of 1, 2 and 4',
      bits.find((bit) => bit > 7),
    );
  if (typeof text !== 'string') {
    if (bits.length !== text.length) throw wrong(`must answer one entry a word: ${text.length} words`, bits.length);
    return;
  }
  if (spans?.length !== 2 * bits.length) throw wrong(`must answer a span for each of ${bits.length} entries: twice as many numbers`, spans?.length);
  for (let i = 0; i < spans.length; i += 2) {
    const [start, end] = [spans[i] as number, spans[i + 1] as number];
    if (!(start >= 0 && start <= end && end <= text.length)) throw wrong(`must answer spans within the ${text.length} characters of the text`, [start, end]);
  }
}

/**
 * Bits of each word of `words` (spans [2 · n] in `text`): those of the tagger's words with which it shares a letter or digit. So a
 * word that is punctuation alone is of no kind, a part of a tagger's word is what that is, and a word that holds two of them is
 * what either is.
 */
export function kindsOfWords(text: string, { bits, spans = new Int32Array(0) }: Tagged, words: Int32Array): Uint8Array {
  const kinds = new Uint8Array(words.length / 2);
  const at = new Uint8Array(text.length);
  for (let i = 0; i < bits.length; i++) {
    const [start, end] = [spans[2 * i] as number, spans[2 * i + 1] as number];
    const kind = withoutNumber(bits[i] as number, text.slice(start, end));
    if (kind === 0) continue;
    for (let place = start; place < end; ) {
      const point = text.codePointAt(place) as number;
      if (letter.test(String.fromCodePoint(point))) at[place] = (at[place] as number) | kind;
      place += point > 0xffff ? 2 : 1;
    }
  }
  for (let word = 0; word < kinds.length; word++) {
    const end = words[2 * word + 1] as number;
    let kind = 0;
    for (let place = words[2 * word] as number; place < end; place++) kind |= at[place] as number;
    kinds[word] = kind;
  }
  return kinds;
}

/** A list of words as one text, a space between each two, and the words' spans in it: for taggers that read text. */
export function joined(words: readonly string[]): { readonly text: string; readonly spans: Int32Array } {
  const spans = new Int32Array(2 * words.length);
  let at = 0;
  for (const [i, word] of words.entries()) {
    spans.set([at, at + word.length], 2 * i);
    at += word.length + 1;
  }
  return { text: words.join(' '), spans };
}
