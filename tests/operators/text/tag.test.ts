// Kinds of words reach the tokens of the row: after truncation, in pairs and packed rows, by characters where rows are text;
// and nothing is ever silently of no kind.
import fc from 'fast-check';
import { lastValueFrom, map } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Column } from '../../../src/core/batch.js';
import { recipe } from '../../../src/core/recipe.js';
import { batch } from '../../../src/operators/batch.js';
import { mask } from '../../../src/operators/mask.js';
import { linguisticEntity } from '../../../src/operators/masks/linguisticEntity.js';
import { pack, tag, tokenize } from '../../../src/operators/text/index.js';
import type { Tagged, Tagger } from '../../../src/operators/views/tagger.js';
import type { TextOrWords } from '../../../src/operators/views/tokenizer.js';
import { memory } from '../../../src/sources/memory.js';
import { failure } from '../../sources/arrowFiles.js';
import { letters, rowsOf } from './letters.js';

const words = letters();

/** The kind of a word is its first letter: e(ntity), v(erb), n(oun); b is both of entity and noun. Words are what spaces or dashes part. */
const kinds: Readonly<Record<string, number>> = { e: 1, v: 2, n: 4, b: 5 };
const kindOf = (word: string): number => kinds[word[0] ?? ''] ?? 0;
function initials({ asked = [] as TextOrWords[], stopped = [] as string[] } = {}): Tagger {
  const one = (text: TextOrWords): Tagged => {
    asked.push(text);
    if (typeof text !== 'string') return { bits: Uint8Array.from(text, kindOf) };
    const found = [...text.matchAll(/[^\s-]+/gu)];
    return {
      bits: Uint8Array.from(found, ([word]) => kindOf(word)),
      spans: Int32Array.from(found.flatMap(({ index, 0: word }) => [index, index + word.length])),
    };
  };
  return { recipe: recipe('test', 'initials'), fingerprint: 'initials', tag: async (texts) => texts.map(one), flush: async () => void stopped.push('flush') };
}

describe('tag', () => {
  it('adds the kinds of words on all their tokens, 0 on special tokens and padding', async () => {
    const result = await lastValueFrom(
      memory([{ text: 'ab nx v' }, { text: 'e' }]).pipe(batch(2), tokenize(words, { multiple: 1 }), tag(initials(), { tokenizer: words })),
    );
    expectTypeOf(result.columns.tags).toEqualTypeOf<Column<Uint8Array>>();
    expect(rowsOf(result.columns.tags)).toEqual([
      [0, 0, 0, 4, 4, 2, 0],
      [0, 1, 0, 0, 0, 0, 0],
    ]);
    expect(result.columns.tags.data).toBeInstanceOf(Uint8Array);
  });

  it('counts the words in the row after truncation, of single texts and of pairs', async () => {
    const samples = memory([{ text: 'nn ab vv', other: 'bb vc d' }]);
    const single = await lastValueFrom(samples.pipe(batch(1), tokenize(words, { length: 7 }), tag(initials(), { tokenizer: words })));
    expect(rowsOf(single.columns.tags)).toEqual([[0, 4, 4, 0, 0, 2, 0]]);
    // [CLS] nn ab [SEP] bb v [SEP]: words 0, 1 and, behind the three of the first text, 3 and 4.
    const pair = await lastValueFrom(
      samples.pipe(batch(1), tokenize(words, { length: 10, pair: 'other' }), tag(initials(), { tokenizer: words, pair: 'other' })),
    );
    expect(rowsOf(pair.columns.words)).toEqual([[-1, 0, 0, 1, 1, -1, 3, 3, 4, -1]]);
    expect(rowsOf(pair.columns.tags)).toEqual([[0, 4, 4, 0, 0, 0, 5, 5, 2, 0]]);
  });

  it('knows the documents of packed rows', async () => {
    const texts = ['nn ab v', 'e', 'vvv', 'bb a'].map((text) => ({ text, other: 'n a' }));
    const rows = await lastValueFrom(memory(texts).pipe(pack(words, { rows: 2, length: 12 }), tag(initials(), { tokenizer: words })));
    expect(rowsOf(rows.columns.documents)).toEqual([
      [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, -1, -1],
      [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1, -1],
    ]);
    expect(rowsOf(rows.columns.tags)).toEqual([
      [0, 4, 4, 0, 0, 2, 0, 0, 1, 0, 0, 0],
      [0, 2, 2, 2, 0, 0, 5, 5, 0, 0, 0, 0],
    ]);
    const pairs = await lastValueFrom(
      memory(texts.slice(1, 3)).pipe(pack(words, { rows: 1, length: 16, pair: 'other', last: 'pad' }), tag(initials(), { tokenizer: words, pair: 'other' })),
    );
    expect(rowsOf(pairs.columns.tags)).toEqual([[0, 1, 0, 4, 0, 0, 0, 2, 2, 2, 0, 4, 0, 0, 0, 0]]);
  });

  it('takes lists word by word, without a tokenizer; words without tokens count', async () => {
    const asked: TextOrWords[] = [];
    const { columns } = await lastValueFrom(
      memory([{ forms: ['ab', '', 'nx', 'v'] }]).pipe(
        batch(1),
        tokenize(words, { column: 'forms', multiple: 1 }),
        tag(initials({ asked }), { column: 'forms' }),
      ),
    );
    expect(rowsOf(columns.tags)).toEqual([[0, 0, 0, 4, 4, 2, 0]]);
    expect(asked).toEqual([['ab', '', 'nx', 'v']]);
  });

  it('special tokens that are written in a text are words of no kind', async () => {
    const { columns } = await lastValueFrom(
      memory([{ text: 'n [MASK] v' }]).pipe(
        batch(1),
        tokenize(words, { multiple: 1 }),
        tag(initials(), { tokenizer: { ...words, decode: (ids) => Array.from(ids, (id) => (id === 4 ? '[MASK]' : words.decode([id]))).join('') } }),
      ),
    );
    expect(rowsOf(columns.tags)).toEqual([[0, 4, 0, 2, 0]]);
  });

  it('says the same of a row whatever is in its batch, cut anywhere, single or packed', async () => {
    const word = fc.string({ unit: fc.constantFrom(...'abenv'), minLength: 1, maxLength: 4 });
    const text = fc.array(word, { minLength: 1, maxLength: 6 }).map((list) => list.join(' '));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), fc.integer({ min: 3, max: 20 }), async (texts, length) => {
        const tagged = memory(texts.map((own) => ({ text: own }))).pipe(
          batch(texts.length),
          tokenize(words, { length, multiple: 1 }),
          tag(initials(), { tokenizer: words }),
        );
        const { columns } = await lastValueFrom(tagged);
        const [tags, index] = [rowsOf(columns.tags), rowsOf(columns.words)];
        texts.forEach((own, row) => {
          const list = own.split(' ').map(kindOf);
          expect(tags[row]).toEqual(index[row]?.map((place) => (place < 0 ? 0 : list[place])));
        });
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  it('feeds linguisticEntity: the card’s first vector', async () => {
    // Jack walk s to wards the road, by letters: j ww tt h r; entity j → e, verb → v.
    const sample = { text: 'e vv aa a a' };
    const rows = memory(Array.from({ length: 400 }, () => sample)).pipe(
      batch(400),
      tokenize(words),
      tag(initials(), { tokenizer: words }),
      mask(linguisticEntity({ nouns: 0 })),
    );
    const { columns } = await lastValueFrom(rows);
    const chosen = rowsOf(columns.mask).map((row) => row.indexOf(1));
    expect(new Set(chosen)).toEqual(new Set([1, 2, 3]));
    // P(1) = 1/2 of 400: six standard deviations are 60, a false alarm in 10⁹.
    expect(Math.abs(chosen.filter((at) => at === 1).length - 200)).toBeLessThan(60);
  });

  it('flushes the tagger where the stream ends', async () => {
    const stopped: string[] = [];
    await lastValueFrom(memory([{ text: 'a' }]).pipe(batch(1), tokenize(words), tag(initials({ stopped }), { tokenizer: words })));
    await new Promise((resolve) => setTimeout(resolve));
    expect(stopped).toEqual(['flush']);
  });
});

describe('what does not fit is said', () => {
  const rows = memory([{ text: 'ab nx' }, { text: 'v' }]).pipe(batch(2), tokenize(words));
  const fails = async (tagger: Tagger, options: object, source: typeof rows = rows): Promise<string> =>
    (await failure(source.pipe(tag(tagger, options)))).message;
  const answering = (answer: () => Tagged): Tagger => ({ ...initials(), tag: async (texts) => texts.map(answer) });

  it('options', () => {
    expect(() => tag(undefined as never)).toThrow('tag.tagger: must be a tagger; got undefined. winkTagger, compromiseTagger, onnxTagger, goldTags make one.');
    expect(() => tag(initials(), { tokeniser: words } as never)).toThrow('tag.tokeniser: there is no such option. Did you mean tokenizer?');
    expect(() => tag(initials(), { tokenizer: 'words' } as never)).toThrow('tag.tokenizer: must be a tokenizer');
    expect(() => tag(initials(), { concurrency: 0 })).toThrow('tag.concurrency: must be an integer of at least 1');
  });

  it('columns and answers', async () => {
    expect(await fails(initials(), {})).toContain('tag.tokenizer: must be given, for column "text" holds text');
    expect(await fails(initials(), { tokenizer: words, column: 'txt' })).toContain(
      'tag.column: there is no column "txt"; got ["text","tokens","length","special","words"]',
    );
    expect(await fails(initials(), { tokenizer: words, column: 'tokens' })).toContain('column "tokens" must hold text or lists; got "numbers"');
    expect(await fails({ ...initials(), tag: async () => [] }, { tokenizer: words })).toContain('tag.tagger: must answer every text: 2; got 0');
    expect(
      await fails(
        answering(() => ({ bits: Uint8Array.of(1) })),
        { tokenizer: words },
      ),
    ).toContain('tag.tagger: must answer a span for each of 1 entries: twice as many numbers; got undefined (sample 0');
    expect((await failure(memory([{ text: 'a' }]).pipe(batch(1), tag(initials() as never) as never))).message).toContain('there is no column of word indices');
    const twice = rows.pipe(tag(initials(), { tokenizer: words }), tag(initials(), { tokenizer: words, name: 'again' }));
    expect((await failure(twice)).message).toContain('again.tags: there is a column "tags" already');
  });

  it('rows of another text or tokenizer', async () => {
    const message = 'the row’s tokens are not those of this text (sample 0';
    const other = rows.pipe(map((made) => ({ ...made, columns: { ...made.columns, text: { rows: 2, values: ['ab ny', 'v'] } } })));
    expect(
      await fails(
        initials(),
        { tokenizer: words },
        rows.pipe(map((made) => ({ ...made, columns: { ...made.columns, text: { rows: 2, values: ['xb nx', 'v'] } } }))),
      ),
    ).toContain(message);
    expect(
      await fails(
        initials(),
        { tokenizer: words },
        rows.pipe(map((made) => ({ ...made, columns: { ...made.columns, text: { rows: 2, values: ['ab', 'v'] } } }))),
      ),
    ).toContain(message);
    // What differs behind a word's first token is not looked at; the words are.
    await lastValueFrom(other.pipe(tag(initials(), { tokenizer: words })));
    const lost: typeof words = { ...words, decode: () => 'q' };
    expect(await fails(initials(), { tokenizer: lost })).toContain('tag.words: must follow the text; at character 0 it goes on with "ab nx", not with "q"');
    // A pair whose second text is left out.
    const pairs = memory([{ text: 'a', other: 'b' }]).pipe(batch(1), tokenize(words, { pair: 'other' }));
    expect(await fails(initials(), { tokenizer: words }, pairs as never)).toContain(message);
  });
});
