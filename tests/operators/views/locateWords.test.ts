// Words are found in their text by consuming its characters: whatever a tokenizer does to case, accents and spaces.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locateWords } from '../../../src/operators/views/locateWords.js';

const found = (words: readonly (string | undefined)[], text: string): string[] => {
  const spans = locateWords(words, text);
  return words.map((_, i) => text.slice(spans[2 * i], spans[2 * i + 1]));
};

describe('locateWords', () => {
  it('takes words one behind the other, with white space between', () => {
    expect([...locateWords(['Jack', 'walks', '.'], ' Jack  walks. ')]).toEqual([1, 5, 7, 12, 12, 13]);
    expect(found([], '  ')).toEqual([]);
    expect(found([' the', '▁road'], 'the\u00a0road\u2003')).toEqual(['the', 'road']);
  });

  it('does not mind case, accents, compatibility forms and what cleaning leaves out', () => {
    expect(found(['cafe', 'fin', '...', 'σας'], 'CAFÉ ﬁn…ΣΑΣ')).toEqual(['CAFÉ', 'ﬁn', '…', 'ΣΑΣ']);
    expect(found(['café', 'x'], 'cafe\u0301 \u0000x\u200d')).toEqual(['cafe\u0301', 'x']);
    expect(found(['i', 'ss'], 'İ ss')).toEqual(['İ', 'ss']);
    // Marks that one side keeps as words of their own are found; what is a control alone leaves an empty span.
    expect(found(['ක', 'ා', 'ය'], 'කාය')).toEqual(['ක', 'ා', 'ය']);
    expect(found(['a', '\u200b', 'b'], 'a\u200bb').join('|')).toBe('a|\u200b|b');
    expect(found(['a', '\u200b', 'b'], 'ab')).toEqual(['a', '', 'b']);
    expect(found(['😀', 'b'], '😀b')).toEqual(['😀', 'b']);
  });

  it('gives unknown words what stands before the words behind them', () => {
    expect(found(['a', undefined, 'b'], 'a ☃☃ b')).toEqual(['a', '☃☃', 'b']);
    // A later place, where all that follows fits: the first b is a part of the unknown word.
    expect(found([undefined, 'b', 'c'], 'Жb b c')).toEqual(['Жb', 'b', 'c']);
    // The last words end where the text ends.
    expect(found([undefined, 'b'], 'ЖbЖ b')).toEqual(['ЖbЖ', 'b']);
    expect(found(['a', undefined], 'a ЖЖ ')).toEqual(['a', 'ЖЖ']);
    // Several side by side: by white space, else by runs of letters, else each has all.
    expect(found([undefined, undefined], 'ЖЖ Д')).toEqual(['ЖЖ', 'Д']);
    expect(found([undefined, undefined, undefined], 'ЖЖ,Д')).toEqual(['ЖЖ', ',', 'Д']);
    expect(found([undefined, undefined, 'x'], 'ЖДx')).toEqual(['ЖД', 'ЖД', 'x']);
    // One that left no character.
    expect(found([undefined, 'x'], '\nx')).toEqual(['', 'x']);
  });

  it('refuses words that do not follow the text, and text that the words leave over', () => {
    expect(() => locateWords(['the', 'road'], 'the street')).toThrow(
      'words: must follow the text; at character 4 it goes on with "street", not with "road"; got "the street".',
    );
    expect(() => locateWords(['the'], 'the street')).toThrow('at character 4 it goes on with "street", not with its end');
    expect(() => locateWords(['the', 'x'], 'the')).toThrow('at character 3 it goes on with "", not with "x"');
    expect(() => locateWords([undefined, 'y'], 'ab c')).toThrow('not with "y"');
  });

  it('finds any words that were written with any white space', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
      .map((text) => text.replaceAll(/[\s\p{Z}▁]/gu, ''))
      .filter((text) => text !== '');
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.constantFrom('', ' ', '\n\t', '\u00a0')), { maxLength: 8 }), fc.boolean(), (parts, isLower) => {
        const text = parts.map(([own, space]) => own + space).join('');
        const spans = locateWords(
          parts.map(([own]) => (isLower ? own.toLowerCase() : own)),
          text,
        );
        // In order, without overlap, within the text; a word of letters is found as it was written.
        let before = 0;
        parts.forEach(([own], i) => {
          const [start, end] = [spans[2 * i] as number, spans[2 * i + 1] as number];
          expect(start).toBeGreaterThanOrEqual(before);
          expect(end).toBeLessThanOrEqual(text.length);
          before = end;
          if (/^[a-zа-я]+$/iu.test(own)) expect(text.slice(start, end)).toBe(own);
        });
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});
