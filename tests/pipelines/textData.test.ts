// The text of the pipelines: the Brown corpus and the compiler's messages, as Arrow, in two parts.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BrownSentence, brownLines, brownSentences } from '../../pipelines/data/brown.js';
import { type Message, messageTexts, parallelMessages } from '../../pipelines/data/parallelMessages.js';
import { arrow } from '../../src/sources/arrow.js';
import { all, temporaryFolder } from '../sources/arrowFiles.js';

const root = temporaryFolder();

describe('brownSentences', () => {
  it('are 57,340 sentences and 1.16 million words, one tag a word, by whole documents', async () => {
    const parts: BrownSentence[][] = [];
    for (const split of ['train', 'test'] as const) {
      const file = join(root, `brown-${split}.arrow`);
      await brownSentences(split)(file);
      parts.push((await all(arrow<BrownSentence>(file))).map(({ fields }) => fields));
    }
    const [train, test] = parts as [BrownSentence[], BrownSentence[]];
    expect(train.length + test.length).toBe(57_340);
    expect(test.length / 57_340).toBeGreaterThan(0.08);
    expect(test.length / 57_340).toBeLessThan(0.12);
    let words = 0;
    for (const sentence of [...train, ...test]) {
      if (sentence.words.length !== sentence.tags.length || sentence.words.some((word) => word === '') || sentence.tags.some((tag) => tag === ''))
        throw new Error(sentence.text);
      words += sentence.words.length;
    }
    expect(words).toBe(1_161_192);
    expect(train[0]).toEqual({
      text: "The Fulton County Grand Jury said Friday an investigation of Atlanta's recent primary election produced `` no evidence '' that any irregularities took place .",
      words:
        "The Fulton County Grand Jury said Friday an investigation of Atlanta's recent primary election produced `` no evidence '' that any irregularities took place .".split(
          ' ',
        ),
      tags: "at np-tl nn-tl jj-tl nn-tl vbd nr at nn in np$ jj nn nn vbd `` at nn '' cs dti nns vbd nn .".split(' '),
      genre: 'news',
    });
    expect(new Set(train.map(({ genre }) => genre)).size).toBe(15);
    expect(new Set(test.map(({ genre }) => genre)).size).toBe(15);
  }, 60_000);

  it('split at the last slash', () => {
    expect(brownLines('\n\t1/2/cd and//nil a/at\n\n')).toEqual([{ words: ['1/2', 'and/', 'a'], tags: ['cd', 'nil', 'at'] }]);
  });
});

it('parallelMessages are 2,122 messages in three languages', async () => {
  const parts: Message[][] = [];
  for (const split of ['train', 'test'] as const) {
    const file = join(root, `messages-${split}.arrow`);
    await parallelMessages(split)(file);
    parts.push((await all(arrow<Message>(file))).map(({ fields }) => fields));
  }
  const messages = parts.flat();
  expect(messages).toHaveLength(2122);
  expect(parts[1]).toHaveLength(212);
  expect(new Set(messages.map(({ key }) => key)).size).toBe(2122);
  expect(messages.find(({ key }) => key === 'A_JSDoc_template_tag_may_not_follow_a_typedef_callback_or_overload_tag_8039')).toMatchObject({
    en: "A JSDoc '@template' tag may not follow a '@typedef', '@callback', or '@overload' tag",
    de: 'Ein JSDoc-Tag "@template" darf nicht auf ein "@typedef", "@callback" oder "@overload" folgen.',
  });
});

it('messageTexts are the texts of one split, language by language', async () => {
  const texts: string[] = [];
  for await (const text of messageTexts('test', ['de', 'fr'])) texts.push(text);
  expect(texts).toHaveLength(2 * 212);
  const file = join(root, 'messages.arrow');
  await parallelMessages('test')(file);
  const [first] = await all(arrow<Message>(file));
  expect(texts.slice(0, 2)).toEqual([first?.fields.de, first?.fields.fr]);
});
