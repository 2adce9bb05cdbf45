// Tags of the data: lists, dictionary-encoded or not, of words or of words found in a text; two columns as one tagger.
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { batch } from '../../../src/operators/batch.js';
import { type GoldTagsOptions, goldTags, pack, tag, taggers, tokenize } from '../../../src/operators/text/index.js';
import { memory } from '../../../src/sources/memory.js';
import { failure } from '../../sources/arrowFiles.js';
import { letters, rowsOf } from './letters.js';

const words = letters();
const sentence = { forms: ['jack', 'eats', 'a', 'pie'], text: 'jack  eats a pie', upos: ['PROPN', 'VERB', 'DET', 'NOUN'], ner: ['B-PER', 'O', 'O', 'O'] };
const other = { ...sentence, forms: ['go'], text: 'go', upos: ['VERB'], ner: ['O'] };
const options: GoldTagsOptions = { column: 'upos', scheme: 'universal' };
/** Kinds of the words of the first row, one a word. */
async function made(tagger = goldTags(options), column: 'forms' | 'text' = 'forms'): Promise<number[]> {
  const { columns } = await lastValueFrom(memory([sentence, other]).pipe(batch(2), tokenize(words, { column }), tag(tagger, { column, tokenizer: words })));
  const [tags, index] = [rowsOf(columns.tags)[0]!, rowsOf(columns.words)[0]!];
  return [0, 1, 2, 3].map((word) => tags[index.indexOf(word)] as number);
}

describe('goldTags', () => {
  it('reads tags of the words, by a scheme, by patterns, or by a scheme with a part of its own', async () => {
    expect(await made()).toEqual([5, 2, 0, 4]);
    expect(await made(goldTags({ column: 'upos', nouns: ['N*'], verbs: ['VERB'] }))).toEqual([0, 2, 0, 4]);
    expect(await made(goldTags({ ...options, entities: [], nouns: ['NOUN'] }))).toEqual([0, 2, 0, 4]);
    expect(await made(goldTags({ column: 'ner', scheme: 'bio' }))).toEqual([1, 0, 0, 0]);
  });

  it('finds the words of a text where the rows are text', async () => {
    expect(await made(goldTags({ ...options, words: 'forms' }), 'text')).toEqual([5, 2, 0, 4]);
  });

  it('takes verbs and nouns from one column and entities from another', async () => {
    const both = taggers({ pos: goldTags(options), entities: goldTags({ column: 'ner', scheme: 'bio' }) });
    expect(await made(both)).toEqual([5, 2, 0, 4]);
    expect(await made(taggers({ pos: goldTags({ column: 'ner', scheme: 'bio' }), entities: goldTags(options) }))).toEqual([1, 0, 0, 0]);
    const inText = taggers({ pos: goldTags({ ...options, words: 'forms' }), entities: goldTags({ column: 'ner', scheme: 'bio', words: 'forms' }) });
    expect(await made(inText, 'text')).toEqual([5, 2, 0, 4]);
  });

  it('knows pairs and packed rows', async () => {
    const both = memory([{ ...sentence, forms2: ['x', 'y'], upos2: ['NOUN', 'X'] }]);
    const tagger = goldTags({ ...options, pair: 'upos2' });
    const { columns } = await lastValueFrom(
      both.pipe(batch(1), tokenize(words, { column: 'forms', pair: 'forms2', multiple: 1 }), tag(tagger, { column: 'forms', pair: 'forms2' })),
    );
    expect(rowsOf(columns.tags)[0]?.slice(-4)).toEqual([0, 4, 0, 0]);
    const packed = await lastValueFrom(
      memory([other, sentence]).pipe(pack(words, { rows: 1, length: 20, column: 'forms' }), tag(goldTags(options), { column: 'forms' })),
    );
    expect(rowsOf(packed.columns.tags)[0]).toEqual([0, 2, 2, 0, 0, 5, 5, 5, 5, 2, 2, 2, 2, 0, 4, 4, 4, 0, 0, 0]);
  });

  it('does not take a missing tag for none', async () => {
    const fails = async (upos: unknown, column: 'forms' | 'text' = 'forms', tagger = goldTags(options)): Promise<string> =>
      (await failure(memory([{ ...sentence, upos }]).pipe(batch(1), tokenize(words, { column }), tag(tagger, { column, tokenizer: words })))).message;
    for (const open of ['_', '', null]) expect(await fails(['PROPN', 'VERB', open, 'NOUN'])).toContain('tag.column: word 2 ("a") has no tag; got');
    expect(await fails(['PROPN', 'VERB', 3, 'NOUN'])).toContain('the tag of word 2 must be text; got 3');
    expect(await fails(['PROPN'])).toContain('column "upos" must have one tag a word: 4 words; got 1');
    expect(await fails(null)).toContain('column "upos" must hold lists of tags; got null');
    expect(await fails(sentence.upos, 'text')).toContain(
      'tag.words: must name the words that the tags belong to, for the tokenizer took text; got "jack  eats a pie"',
    );
    expect(await fails(sentence.upos, 'text', goldTags({ ...options, words: 'text' }))).toContain(
      'column "text" must hold lists of words; got "jack  eats a pie"',
    );
    expect(await fails(sentence.upos, 'forms', goldTags({ ...options, column: 'pos' }))).toContain('there is no column "pos"');
    const pair = memory([sentence]).pipe(
      batch(1),
      tokenize(words, { column: 'forms', pair: 'text' }),
      tag(goldTags(options), { column: 'forms', pair: 'text' }),
    );
    expect((await failure(pair)).message).toContain('tag.pair: the tagger reads column "upos" for the first text, and no column for the second; got "text"');
  });

  it('refuses options that say nothing', () => {
    expect(() => goldTags({ column: 'upos' })).toThrow(
      "goldTags.scheme: or patterns must be given: no tag would count; got undefined. Try scheme: 'universal', or { verbs: ['VB*'], nouns: ['NN*'] }.",
    );
    expect(() => goldTags({ scheme: 'penn' } as never)).toThrow('goldTags.column: must name the column of the tags; got undefined.');
    expect(() => goldTags({ ...options, verb: ['VERB'] } as never)).toThrow('goldTags.verb: there is no such option. Did you mean verbs?');
    expect(() => taggers({ pos: goldTags(options) } as never)).toThrow('taggers.entities: must be a tagger; got undefined.');
  });
});
