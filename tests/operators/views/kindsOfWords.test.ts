// A tagger's spans as kinds of other words, numbers that are no entities, and answers that do not fit.
import { describe, expect, it } from 'vitest';
import { checkTagged, joined, kindsOfWords, withoutNumber } from '../../../src/operators/views/kindsOfWords.js';

const kinds = (text: string, tagged: readonly (readonly [word: string, bits: number])[], words: readonly string[]): number[] => {
  const spansOf = (list: readonly string[]): Int32Array => {
    let at = 0;
    return Int32Array.from(
      list.flatMap((word) => {
        const start = text.indexOf(word, at);
        at = start + word.length;
        return [start, at];
      }),
    );
  };
  const bits = Uint8Array.from(tagged, ([, kind]) => kind);
  return [...kindsOfWords(text, { bits, spans: spansOf(tagged.map(([word]) => word)) }, spansOf(words))];
};

describe('kindsOfWords', () => {
  it('gives parts of a word its kind, but not its punctuation; and a word of two what either is', () => {
    expect(
      kinds(
        'Washington-based men',
        [
          ['Washington-based', 5],
          ['men', 4],
        ],
        ['Washington', '-', 'based', 'men'],
      ),
    ).toEqual([5, 0, 5, 4]);
    expect(
      kinds(
        "he can't go",
        [
          ['ca', 2],
          ["n't", 0],
          ['go', 2],
        ],
        ['he', 'can', "'t", 'go'],
      ),
    ).toEqual([0, 2, 0, 2]);
    expect(
      kinds(
        'eat road.',
        [
          ['eat', 2],
          ['road', 4],
        ],
        ['eat road.'],
      ),
    ).toEqual([6]);
    expect(
      kinds(
        '🎈 𝐀b',
        [
          ['🎈', 4],
          ['𝐀b', 4],
        ],
        ['🎈', '𝐀', 'b'],
      ),
    ).toEqual([0, 4, 4]);
  });

  it('leaves entities out that begin like a number; other kinds stay', () => {
    expect(
      kinds(
        '3rd Army',
        [
          ['3rd', 5],
          ['Army', 5],
        ],
        ['3', 'rd', 'Army'],
      ),
    ).toEqual([4, 4, 5]);
    for (const word of ['3rd', ',', ',x', '-5', '+.5', '.5', '٣']) expect(withoutNumber(7, word)).toBe(6);
    for (const word of ['A3', '.NET', '-x', 'x,', '', 'Jack']) expect(withoutNumber(7, word)).toBe(7);
  });
});

it('joins lists of words', () => {
  expect(joined(['ab', '', 'c'])).toEqual({ text: 'ab  c', spans: Int32Array.of(0, 2, 3, 3, 4, 5) });
});

it('refuses answers that do not fit their text', () => {
  const bits = Uint8Array.of(1, 2);
  expect(() => checkTagged({ bits: Uint8Array.of(8), spans: Int32Array.of(0, 1) }, 'ab')).toThrow('tagger: must answer bits of 1, 2 and 4; got 8.');
  expect(() => checkTagged({ bits }, ['a', 'b', 'c'])).toThrow('tagger: must answer one entry a word: 3 words; got 2.');
  expect(() => checkTagged({ bits }, 'ab')).toThrow('tagger: must answer a span for each of 2 entries: twice as many numbers; got undefined.');
  expect(() => checkTagged({ bits, spans: Int32Array.of(0, 1, 1, 3) }, 'ab')).toThrow('within the 2 characters of the text; got [1,3].');
  expect(() => checkTagged({ bits, spans: Int32Array.of(0, 1, 2, 1) }, 'ab')).toThrow('within the 2 characters');
  checkTagged({ bits, spans: Int32Array.of(0, 1, 1, 2) }, 'ab');
});
