// Batches of text become rows of ids: shapes, special tokens, words, pairs, cutting and padding; order and demand hold.
import fc from 'fast-check';
import { lastValueFrom, tap, toArray } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Column } from '../../../src/core/batch.js';
import { Gate, within } from '../../../src/core/demand/index.js';
import { bounded } from '../../../src/core/demand/index.js';
import { recipe } from '../../../src/core/recipe.js';
import { batch } from '../../../src/operators/batch.js';
import { type TokenizeOptions, tokenize } from '../../../src/operators/text/index.js';
import { keptOf } from '../../../src/operators/text/truncation.js';
import { memory } from '../../../src/sources/memory.js';
import { failure } from '../../sources/arrowFiles.js';
import { letters, rowsOf } from './letters.js';

const words = letters();
const made = async (texts: readonly string[], options: TokenizeOptions = {}) =>
  lastValueFrom(memory(texts.map((text, id) => ({ text, id }))).pipe(batch(texts.length), tokenize(words, options)));

describe('tokenize', () => {
  it('adds ids, lengths, special tokens and words; keeps the text', async () => {
    const result = await made(['ab c', 'd'], { multiple: 1 });
    expectTypeOf(result.columns.tokens).toEqualTypeOf<Column<Int32Array>>();
    expectTypeOf(result.columns.special).toEqualTypeOf<Column<Uint8Array>>();
    expect(result.grid).toEqual([5]);
    const { tokens, length, special, words: index, text, id } = result.columns;
    expect(tokens).toEqual({ data: Int32Array.of(2, 5, 6, 7, 3, 2, 8, 3, 0, 0), shape: [2, 5] });
    expect(length).toEqual({ data: Int32Array.of(5, 3), shape: [2] });
    expect(special).toEqual({ data: Uint8Array.of(1, 0, 0, 0, 1, 1, 0, 1, 1, 1), shape: [2, 5] });
    expect(index).toEqual({ data: Int32Array.of(-1, 0, 0, 1, -1, -1, 0, -1, -1, -1), shape: [2, 5] });
    expect(text).toEqual({ rows: 2, values: ['ab c', 'd'] });
    expect(id.data).toEqual(Float32Array.of(0, 1));
    expect(Object.keys(result.columns)).not.toContain('segments');
  });

  it('pads to the longest, to a multiple below `length`, or to `length`', async () => {
    const side = async (options: TokenizeOptions): Promise<number> => (await made(['abcdefghij', 'a'], options)).grid![0] as number;
    expect(await side({ multiple: 1 })).toBe(12);
    expect(await side({})).toBe(16);
    expect(await side({ length: 14 })).toBe(14);
    expect(await side({ length: 10 })).toBe(10);
    expect(await side({ length: 32 })).toBe(16);
    expect(await side({ length: 32, pad: 'length' })).toBe(32);
    expect((await made([''], { special: false, multiple: 1 })).columns.tokens.shape).toEqual([1, 1]);
  });

  it('cuts at the end and keeps the special tokens; or cuts nothing', async () => {
    const { columns } = await made(['abcdef'], { length: 4 });
    expect(rowsOf(columns.tokens)).toEqual([[2, 5, 6, 3]]);
    expect(rowsOf((await made(['abcdef'], { special: false, length: 4 })).columns.tokens)).toEqual([[5, 6, 7, 8]]);
    const error = await failure(memory([{ text: 'abcdef' }]).pipe(batch(1), tokenize(words, { length: 4, truncate: false })));
    expect(error.message).toBe(
      "tokenize.truncate: a row holds 4 tokens, and this one would need 8 (6 of text, 2 special); got false (sample 0). Raise length, or cut what is too long: truncate: 'longestFirst'.",
    );
    expect((await failure(memory([{ text: 'a' }]).pipe(batch(1), tokenize(words, { length: 1 })))).message).toContain('Raise length to more than 2.');
  });

  it('puts pairs into one row, with segments, the second text’s words behind the first one’s', async () => {
    const pairs = memory([{ en: 'ab c', de: 'x yz' }]).pipe(batch(1), tokenize(words, { column: 'en', pair: 'de', multiple: 1 }));
    const { columns } = await lastValueFrom(pairs);
    expectTypeOf(columns.segments).toEqualTypeOf<Column<Int32Array>>();
    expect(rowsOf(columns.tokens)).toEqual([[2, 5, 6, 7, 3, 28, 29, 30, 3]]);
    expect(rowsOf(columns.segments)).toEqual([[0, 0, 0, 0, 0, 1, 1, 1, 1]]);
    expect(rowsOf(columns.words)).toEqual([[-1, 0, 0, 1, -1, 2, 3, 3, -1]]);
  });

  it('counts positions anew in the second text where asked', async () => {
    const pairs = memory([{ en: 'ab c', de: 'x yz' }]).pipe(batch(1), tokenize(words, { column: 'en', pair: 'de', positions: true, multiple: 1 }));
    const { columns } = await lastValueFrom(pairs);
    expectTypeOf(columns.positions).toEqualTypeOf<Column<Int32Array>>();
    expect(rowsOf(columns.positions)).toEqual([[0, 1, 2, 3, 4, 0, 1, 2, 3]]);
    const short = memory([{ en: 'a', de: '' }]).pipe(batch(1), tokenize(words, { column: 'en', pair: 'de', positions: true, multiple: 1 }));
    const result = (await lastValueFrom(short)).columns;
    // The card's vector: two texts of three and of two tokens, special ones counted.
    expect([rowsOf(result.segments), rowsOf(result.positions)]).toEqual([[[0, 0, 0, 1]], [[0, 1, 2, 0]]]);
    expect(() => tokenize(words, { positions: true })).toThrow('are those in each text of a pair');
  });

  it('takes gold words by their number, and special tokens in a text for what they are', async () => {
    const gold = memory([{ forms: ['ab', '', 'c'] }]).pipe(batch(1), tokenize(words, { column: 'forms', multiple: 1 }));
    expect(rowsOf((await lastValueFrom(gold)).columns.words)).toEqual([[-1, 0, 0, 2, -1]]);
    const { columns } = await made(['a [MASK] b'], { multiple: 1 });
    expect([rowsOf(columns.special), rowsOf(columns.words)]).toEqual([[[1, 0, 1, 0, 1]], [[-1, 0, -1, 2, -1]]]);
  });

  it('gives a row that does not depend on its batch, but for padding', async () => {
    const text = fc.array(fc.string({ unit: fc.constantFrom(...'abcde'), minLength: 1, maxLength: 6 }), { maxLength: 6 }).map((list) => list.join(' '));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 6 }), fc.integer({ min: 2, max: 20 }), async (texts, length) => {
        const together = await made(texts, { length });
        for (const [row, text] of texts.entries()) {
          const alone = await made([text], { length });
          const count = alone.columns.length.data[0] as number;
          expect(together.columns.length.data[row]).toBe(count);
          for (const name of ['tokens', 'words', 'special'] as const) {
            const [a, b] = [rowsOf(together.columns[name])[row] as number[], rowsOf(alone.columns[name])[0] as number[]];
            expect(a.slice(0, count)).toEqual(b.slice(0, count));
            const padding = { tokens: 0, words: -1, special: 1 }[name];
            expect(a.slice(count).every((value) => value === padding)).toBe(true);
          }
        }
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('keeps order and demand: tokenizes ahead, but never more batches than the run lets in', async () => {
    const gate = new Gate({ prefetch: 3 });
    let entered = 0;
    let ahead = 0;
    let finished = 0;
    const slow = bounded<{ columns: object }, unknown>(recipe('test', 'slow'), { name: 'slow', per: 'batch' }, () => ({
      work: async (item) => {
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
        ahead = Math.max(ahead, entered - 2 * finished++);
        return item;
      },
    }));
    const samples = memory(Array.from({ length: 40 }, (_, i) => ({ text: 'a'.repeat(1 + (i % 5)) }))).pipe(tap(() => entered++));
    const chain = samples.pipe(batch(2), tokenize(letters({ delay: 1 }), { concurrency: 2 }), slow, toArray());
    const results = (await within({ gate }, () => lastValueFrom(chain))) as { origins: readonly { id: number }[] }[];
    expect(results.map(({ origins }) => origins[0]?.id)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * i));
    expect(gate.mostBatches).toBeLessThanOrEqual(3);
    expect(gate.mostBatches).toBeGreaterThanOrEqual(2);
    expect(ahead).toBeLessThanOrEqual(2 * 3 + 2);
  });

  it('says which column and which sample is wrong', async () => {
    const texts = memory([{ text: 'a', label: 1, other: null as unknown as string }]).pipe(batch(1));
    expect((await failure(texts.pipe(tokenize(words, { column: 'txt' } as never)))).message).toContain(
      'tokenize.column: there is no column "txt"; got ["text","label","other"] (batch of samples 0, epoch 0). Did you mean "text"?',
    );
    expect((await failure(texts.pipe(tokenize(words, { column: 'label' } as never)))).message).toContain(
      'column "label" must hold text, or lists of words; got "numbers"',
    );
    expect((await failure(texts.pipe(tokenize(words, { column: 'other' } as never)))).message).toContain(
      'must hold text, or lists of words; got null (sample 0)',
    );
    const taken = memory([{ text: 'a', tokens: ['a'] }]).pipe(batch(1));
    expect((await failure(taken.pipe(tokenize(words)))).message).toContain(
      'tokenize.tokens: there is a column "tokens" already, and no stage replaces a column that is not its own',
    );
    const broken = { ...letters(), encode: () => Promise.reject(new Error('out of order')) };
    expect((await failure(texts.pipe(tokenize(broken)))).message).toContain('tokenize: out of order');
  });

  it('refuses options that are none', () => {
    expect(() => tokenize(undefined as never)).toThrow(
      "tokenize.tokenizer: must be a tokenizer; got undefined. Write const words = await tokenizer('tokenizer.json'); … tokenize(words).",
    );
    expect(() => tokenize(words, { lenght: 3 } as never)).toThrow('Did you mean length?');
    expect(() => tokenize(words, { pad: 'length' })).toThrow("tokenize.length: must be given with pad: 'length'");
    expect(() => tokenize(words, { truncate: true } as never)).toThrow(
      "tokenize.truncate: must be 'longestFirst', 'onlyFirst', 'onlySecond' or false; got true",
    );
    expect(() => tokenize(words, { multiple: 0 })).toThrow('tokenize.multiple: must be an integer of at least 1; got 0');
  });
});

describe('keptOf', () => {
  it('shares a row out as Hugging Face’s tokenizers do', () => {
    // Recorded from tokenizers 0.22.1 (Python), longest_first.
    for (const [first, second, most, kept] of [
      [5, 5, 5, [2, 3]],
      [6, 5, 5, [3, 2]],
      [5, 6, 5, [2, 3]],
      [9, 6, 5, [3, 2]],
      [7, 7, 1, [0, 1]],
      [5, 3, 5, [3, 2]],
      [3, 9, 7, [3, 4]],
      [9, 3, 7, [4, 3]],
      [2, 5, 5, [2, 3]],
    ] as const) {
      expect(keptOf(first, second, most, 'longestFirst')).toEqual(kept);
    }
    expect(keptOf(4, 6, 7, 'onlyFirst')).toEqual([1, 6]);
    expect(keptOf(4, 6, 7, 'onlySecond')).toEqual([4, 3]);
    expect(keptOf(4, 8, 7, 'onlyFirst')).toBeUndefined();
    expect(keptOf(4, 6, 7, false)).toBeUndefined();
  });

  it('never keeps more than there is or than fits, and uses the whole row', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), fc.nat(30), (first, second, most) => {
        const [a, b] = keptOf(first, second, most, 'longestFirst')!;
        expect(a).toBeLessThanOrEqual(first);
        expect(b).toBeLessThanOrEqual(second);
        expect(a + b).toBe(Math.min(most, first + second));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
