// Files that other libraries wrote: Hugging Face `datasets` (streams of CIFAR-10) and pyarrow (UD English EWT).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { take } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { arrow } from '../../src/sources/arrow.js';
import { all, failure } from './arrowFiles.js';

const data = process.env.MASKFLOW_TEST_DATA ?? '';
const present = data !== '' && existsSync(join(data, 'cifar10'));
if (!present) console.log('tests/sources/arrowReal skipped: MASKFLOW_TEST_DATA is not set or holds no cifar10');

describe.skipIf(!present)('real files', () => {
  type Picture = { image: { bytes: Uint8Array; path: string | null }; label: number };

  test('CIFAR-10 as datasets saved it: four stream shards are one data set with random access', async () => {
    const train = await all(arrow<Picture>(join(data, 'cifar10/train/*.arrow')));
    expect(train).toHaveLength(50_000);
    const counts = new Array<number>(10).fill(0);
    for (const { fields } of train) {
      counts[fields.label] = (counts[fields.label] as number) + 1;
      // Every picture is a whole JPEG: start and end of image.
      const { bytes } = fields.image;
      if (bytes[0] !== 0xff || bytes[1] !== 0xd8 || bytes.at(-2) !== 0xff || bytes.at(-1) !== 0xd9) throw new Error('no JPEG');
    }
    expect(counts).toEqual(new Array(10).fill(5000));
    const shuffled = await all(arrow<Picture>(join(data, 'cifar10/train/*.arrow')).pipe(epochs(1), shuffle(), take(200)));
    for (const { fields, origin } of shuffled) {
      expect(fields.label).toBe(train[origin.id]?.fields.label);
      expect(Buffer.compare(fields.image.bytes, train[origin.id]?.fields.image.bytes as Uint8Array)).toBe(0);
    }
  });

  test('UD English EWT: text, lists of text and of dictionary-encoded text, as in the CoNLL-U file', async () => {
    type Sentence = { text: string; tokens: string[]; upos: string[] };
    for (const part of ['dev', 'test']) {
      const sentences = await all(arrow<Sentence>(join(data, `ud-english-ewt/${part}.arrows`)));
      const gold = readFileSync(join(data, `ud-english-ewt/en_ewt-ud-${part}.conllu`), 'utf8')
        .split('\n\n')
        .filter((block) => block.trim() !== '')
        .map((block) => {
          const words = block
            .split('\n')
            .filter((line) => /^\d+\t/u.test(line))
            .map((line) => line.split('\t'));
          return { text: /^# text = (.*)$/mu.exec(block)?.[1], tokens: words.map(([, form]) => form), upos: words.map((cells) => cells[3]) };
        });
      expect(sentences.map(({ fields }) => fields)).toEqual(gold);
    }
  });

  test('the same with zstd buffers says what is missing; a Parquet file and a folder say what they are', async () => {
    expect((await failure(arrow(join(data, 'ud-english-ewt/dev-zstd.arrow')))).message).toContain('compressed with zstd, and no codec for that is registered');
    expect((await failure(arrow(join(data, 'cifar10-test-2k.parquet')))).message).toContain('It looks like Parquet');
    expect((await failure(arrow(join(data, 'cifar10/train')))).message).toContain('this is a folder');
  });
});
