// CoNLL-U: the format's own kinds of lines, what is wrong by file and line, and real files where they are.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conllu } from '../../src/sources/conllu.js';
import { arrow } from '../../src/sources/arrow.js';
import { all, failure, temporaryFolder, write } from './arrowFiles.js';

const folder = temporaryFolder();
const file = (name: string, text: string): string => write(folder, name, new TextEncoder().encode(text));
const word = (id: string, form: string, upos = 'X', head = '0', misc = '_'): string =>
  [id, form, form.toLowerCase(), upos, '_', '_', head, 'dep', '_', misc].join('\t');

const sentence = [
  '# newdoc',
  '# sent_id = a-1',
  '# a = b = c',
  word('1-2', 'Au', '_', '_'),
  word('1', 'À', 'ADP', '2'),
  word('2', 'le', 'DET'),
  word('3', 'marché', 'NOUN', '2', 'SpaceAfter=No'),
  word('3.1', 'est', 'AUX', '_'),
  word('3.2', 'ouvert', 'ADJ', '_'),
  word('4', '.', 'PUNCT', '3'),
].join('\n');

describe('conllu', () => {
  it('gives words, tags, multiword tokens, empty nodes and comments', async () => {
    const [first, second] = await all(conllu(file('one.conllu', `\n${sentence}\n\n\n# text = Hi  there\n${word('1', 'Hi')}\n${word('2', 'there')}`)));
    expect(first!.fields).toMatchObject({
      id: 'a-1',
      text: 'Au marché.',
      forms: ['À', 'le', 'marché', '.'],
      lemmas: ['à', 'le', 'marché', '.'],
      upos: ['ADP', 'DET', 'NOUN', 'PUNCT'],
      xpos: ['_', '_', '_', '_'],
      heads: [2, 0, 2, 3],
      relations: ['dep', 'dep', 'dep', 'dep'],
      multiword: [{ from: 0, to: 1, form: 'Au', misc: '_' }],
      metadata: { newdoc: '', sent_id: 'a-1', a: 'b = c' },
    });
    expect(first!.fields.empty.map(({ after, index, form, upos }) => [after, index, form, upos])).toEqual([
      [3, 1, 'est', 'AUX'],
      [3, 2, 'ouvert', 'ADJ'],
    ]);
    expect(second!.fields).toMatchObject({ id: '', text: 'Hi  there', forms: ['Hi', 'there'], multiword: [], empty: [] });
    const [only] = await all(conllu(join(folder, 'one.conllu'), { columns: ['forms', 'upos'] }));
    expect(Object.keys(only!.fields)).toEqual(['forms', 'upos']);
  });

  it.each([
    ['nine columns', word('1', 'a').replace('\tdep', ''), 3, 'must have 10 columns with tabs between them; got 9'],
    ['an empty column', word('1', 'a').replace('\tdep\t', '\t\t'), 3, 'a column must not be empty'],
    ['a gap', `${word('1', 'a')}\n${word('3', 'b')}`, 4, 'here 2 is next; got "3"'],
    ['an ID', word('x', 'a'), 3, 'an ID must be a number, a range (3-4) or an empty node (8.1); got "x"'],
    ['a range', `${word('2-3', 'a')}`, 3, 'a range must begin at the next word, here 1'],
    ['ranges that overlap', `${word('1-3', 'a')}\n${word('1', 'a')}\n${word('2-3', 'b')}`, 5, 'ranges must not overlap; the one before ends at 3'],
    ['a range without its words', `${word('1-2', 'a')}\n${word('1', 'a')}`, 4, 'a range ends at word 2 of 1'],
    ['an empty node', word('2.1', 'a'), 3, 'the next empty node here is 0.1'],
    ['a head', word('1', 'a', 'X', 'root'), 3, 'a head must be the number of a word, 0 or _; got "root"'],
    ['a head outside', word('1', 'a', 'X', '7'), 3, 'the head of word 1 must be one of its 1 words; got 7'],
  ])('names the line of %s', async (_, lines, line, message) => {
    const path = file('wrong.conllu', `${word('1', 'fine')}\n\n${lines}\n\n${word('1', 'too')}\n`);
    const error = await failure(conllu(path));
    expect(error.message).toContain(message);
    expect(error.message).toContain(`wrong.conllu, line ${line}`);
    const rest = await all(conllu(path, { onBadSample: 'skip', onSkip: () => {} }));
    expect(rest.map(({ fields }) => fields.forms)).toEqual([['fine'], ['too']]);
  });

  it('a comment alone is no sentence; unknown fields are told', async () => {
    expect((await failure(conllu(file('comment.conllu', '# nothing\n\n')))).message).toContain('it has no words');
    expect(() => conllu('x', { columns: ['form'] as never })).toThrow('a sentence has no such field; got "form". Did you mean forms?');
  });
});

const data = process.env.MASKFLOW_TEST_DATA ?? '';
const present = data !== '' && existsSync(join(data, 'ud-english-ewt'));
if (!present) console.log('tests/sources/conllu: UD English EWT skipped: MASKFLOW_TEST_DATA is not set or holds none');

it.skipIf(!present)('UD English EWT is the same as from Arrow (lists of text, dictionary-encoded tags)', async () => {
  type Row = { text: string; tokens: string[]; upos: string[] };
  for (const [part, count] of [
    ['dev', 2001],
    ['test', 2077],
  ] as const) {
    const ours = await all(conllu(join(data, `ud-english-ewt/en_ewt-ud-${part}.conllu`)));
    const theirs = await all(arrow<Row>(join(data, `ud-english-ewt/${part}.arrows`)));
    expect(ours).toHaveLength(count);
    expect(ours.map(({ fields: { text, forms, upos } }) => ({ text, tokens: forms, upos }))).toEqual(theirs.map(({ fields }) => fields));
  }
});
