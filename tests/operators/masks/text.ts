// Rows of text as a tokenizer leaves them: [CLS] words [SEP] (words [SEP])* padding, with word numbers, tags and ids; and all masks.
import fc from 'fast-check';
import {
  type Mask,
  type Tokens,
  bernoulli,
  block,
  colorNoise,
  countBased,
  linguisticEntity,
  random,
  spans,
  tlm,
  wholeWord,
} from '../../../src/operators/masks/index.js';

export interface Row extends Tokens {
  readonly special: Uint8Array;
  readonly columns: { readonly words: Int32Array; readonly tags: Uint8Array; readonly tokens: Int32Array; readonly documents: Int32Array };
}

/** A row from its parts: each part a list of words, each word [pieces, tags]; `padding` cells behind. */
export function row(parts: readonly (readonly (readonly [pieces: number, tags: number])[])[], padding = 0): Row {
  const [words, tags, special, documents]: [number[], number[], number[], number[]] = [[-1], [0], [1], [0]];
  let word = 0;
  for (const [part, list] of parts.entries()) {
    for (const [pieces, tag] of list) {
      for (let i = 0; i < pieces; i++) {
        words.push(word);
        tags.push(tag);
        special.push(0);
        documents.push(part);
      }
      word++;
    }
    words.push(-1);
    tags.push(0);
    special.push(1);
    documents.push(part);
  }
  const length = words.length;
  for (let i = 0; i < padding; i++) {
    words.push(-1);
    tags.push(0);
    special.push(1);
    documents.push(-1);
  }
  return {
    grid: [words.length],
    length,
    special: Uint8Array.from(special),
    columns: {
      words: Int32Array.from(words),
      tags: Uint8Array.from(tags),
      tokens: Int32Array.from(words, (_, i) => (special[i] === 1 ? 0 : 5 + ((i * 7) % 90))),
      documents: Int32Array.from(documents),
    },
  };
}

/** One part of one-piece words without tags. */
export const plain = (count: number, padding = 0): Row => row([Array.from({ length: count }, () => [1, 0] as const)], padding);

const anyWord = fc.tuple(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 })), fc.integer({ min: 0, max: 7 }));
export const anyRow: fc.Arbitrary<Row> = fc
  .tuple(fc.array(fc.array(anyWord, { maxLength: 30 }), { minLength: 1, maxLength: 3 }), fc.nat({ max: 20 }))
  .map(([parts, padding]) => row(parts, padding));

/** Every mask of ours for this ratio, where it has one. */
export const allMasks = (ratio: number): readonly (readonly [string, Mask])[] => [
  ['random', random({ ratio })],
  ['block', block({ ratio })],
  ['colorNoise', colorNoise({ ratio, patterns: 4, side: 16 })],
  ['bernoulli', bernoulli({ ratio })],
  ['countBased', countBased({ ratio })],
  ['wholeWord', wholeWord({ ratio })],
  ['spans', spans({ ratio })],
  ['linguisticEntity', linguisticEntity({ ratio })],
  ['linguisticEntity.strict', linguisticEntity({ ratio, entities: 0.5, nouns: 0, fill: 'strict' })],
  ['tlm', tlm({ ratio })],
  ['tlm.counts', tlm({ ratio, counts: Array.from({ length: 95 }, (_, id) => (id < 5 ? 0 : id)) })],
];

/** The hidden tokens. */
export const hiddenIn = (mask: Uint8Array): number[] => [...mask.keys()].filter((i) => mask[i] === 1);
/** Words of a row as lists of tokens, computed from its column `words`. */
export function wordsIn({ columns: { words } }: Row): number[][] {
  const lists: number[][] = [];
  for (const [i, word] of words.entries()) {
    if (word < 0) continue;
    const list = lists[word] ?? [];
    list.push(i);
    lists[word] = list;
  }
  return lists.filter((list) => list !== undefined);
}
