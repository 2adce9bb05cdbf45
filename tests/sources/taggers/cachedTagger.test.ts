// The cache: a sentence is tagged once, in this run and in later ones; files are whole or not there; another tagger is refused.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { recipe } from '../../../src/core/recipe.js';
import { batch } from '../../../src/operators/batch.js';
import { goldTags, tag, tokenize } from '../../../src/operators/text/index.js';
import type { Tagged, Tagger } from '../../../src/operators/views/tagger.js';
import type { TextOrWords } from '../../../src/operators/views/tokenizer.js';
import { arrow } from '../../../src/sources/arrow.js';
import { memory } from '../../../src/sources/memory.js';
import { cachedTagger } from '../../../src/sources/taggers/cachedTagger.js';
import { letters, rowsOf } from '../../operators/text/letters.js';
import { temporaryFolder } from '../arrowFiles.js';

const root = temporaryFolder();
let made = 0;
const fresh = (): string => join(root, `cache-${made++}`);

/** Every third word is an entity; notes what it is asked. */
function counting(asked: TextOrWords[] = [], fingerprint = 'counting'): Tagger {
  const one = (text: TextOrWords): Tagged => {
    asked.push(text);
    if (typeof text !== 'string') return { bits: Uint8Array.from(text, (word) => word.length % 8) };
    const found = [...text.matchAll(/\S+/gu)];
    return {
      bits: Uint8Array.from(found, ([word]) => word.length % 8),
      spans: Int32Array.from(found.flatMap(({ index, 0: word }) => [index, index + word.length])),
    };
  };
  return { recipe: recipe('test', 'counting'), fingerprint, tag: async (texts) => texts.map(one) };
}
const plain = (answers: readonly Tagged[]): unknown[] => answers.map(({ bits, spans }) => [[...bits], spans && [...spans]]);

describe('cachedTagger', () => {
  it('asks once for each sentence, in this run and, from the files, in the next', async () => {
    const [folder, asked, later] = [fresh(), [] as TextOrWords[], [] as TextOrWords[]];
    const texts: TextOrWords[] = ['a bb', 'a bb', ['a', 'bb'], ['a bb'], '', 'Ж 😀', []];
    const expected = plain(await counting().tag(texts, []));
    const first = await cachedTagger(counting(asked), folder, { shard: 2 });
    expect(plain(await first.tag(texts, []))).toEqual(expected);
    expect(plain(await first.tag([...texts].reverse(), []))).toEqual([...expected].reverse());
    // A list and a text of the same letters are two things.
    expect(asked).toEqual(['a bb', ['a', 'bb'], ['a bb'], '', 'Ж 😀', []]);
    expect(first.size).toBe(6);
    await first.flush();
    const second = await cachedTagger(counting(later), folder);
    expect(second.size).toBe(6);
    expect(plain(await second.tag(texts, []))).toEqual(expected);
    expect(later).toEqual([]);
  });

  it('gives the tagger’s own answers whatever is asked in whatever order, with any bound on memory', async () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 6 }), fc.array(fc.string({ unit: 'grapheme', maxLength: 3 }), { maxLength: 4 }));
    const calls = fc.array(fc.array(text, { maxLength: 5 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(calls, fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 3000, 2 ** 20), async (asked, shard, memory) => {
        const folder = fresh();
        for (let run = 0; run < 2; run++) {
          const cached = await cachedTagger(counting(), folder, { shard, memory });
          const answers = await Promise.all(asked.map((texts) => cached.tag(texts, [])));
          for (const [i, texts] of asked.entries()) expect(plain(answers[i]!)).toEqual(plain(await counting().tag(texts, [])));
          await cached.flush();
        }
      }),
      { seed: 4, numRuns: 12 },
    );
  });

  it('asks once where calls overlap', async () => {
    const asked: TextOrWords[] = [];
    const cached = await cachedTagger(counting(asked), fresh());
    await Promise.all([cached.tag(['a', 'b'], []), cached.tag(['b', 'a'], []), cached.tag(['a'], [])]);
    expect(asked).toEqual(['a', 'b']);
  });

  it('goes on behind an error', async () => {
    let fails = true;
    const tagger: Tagger = { ...counting(), tag: (texts, columns) => (fails ? Promise.reject(new Error('no')) : counting().tag(texts, columns)) };
    const cached = await cachedTagger(tagger, fresh());
    await expect(cached.tag(['a'], [])).rejects.toThrow('no');
    fails = false;
    expect(plain(await cached.tag(['a'], []))).toEqual([[[1], [0, 1]]]);
  });

  it('writes Arrow that others read, the same bytes for the same sentences', async () => {
    const folders = [fresh(), fresh()];
    for (const folder of folders) {
      const cached = await cachedTagger(counting(), folder, { shard: 3 });
      await cached.tag(['a bb', ['c', 'dd'], 'e', 'f'], []);
      await cached.flush();
    }
    expect(readdirSync(folders[0]!)).toEqual(['part-000000.arrow']);
    expect(readFileSync(join(folders[0]!, 'part-000000.arrow'))).toEqual(readFileSync(join(folders[1]!, 'part-000000.arrow')));
    const table = tableFromIPC(readFileSync(join(folders[0]!, 'part-000000.arrow')));
    expect(table.schema.metadata.get('maskflow.tagger')).toBe('counting');
    const rows = await lastValueFrom(
      arrow<{ text: string | null; words: string[] | null }>(`${folders[0]}/*.arrow`, { columns: ['text', 'words'], nullable: ['text', 'words'] }).pipe(
        toArray(),
      ),
    );
    expect(rows.map(({ fields }) => fields.text ?? fields.words)).toEqual(['a bb', ['c', 'dd'], 'e', 'f']);
  });

  it('holds no more than its bound: what was closed is read again', async () => {
    const folder = fresh();
    const first = await cachedTagger(counting(), folder, { shard: 1 });
    for (const text of ['a', 'b', 'c']) await first.tag([text], []);
    expect(readdirSync(folder)).toHaveLength(3);
    const bound = await cachedTagger(counting(), folder, { memory: 0 });
    const asIs = await cachedTagger(counting(), folder);
    // Files that change behind its back show who reads them again.
    const [file, another] = ['part-000000.arrow', 'part-000002.arrow'].map((name) => join(folder, name)) as [string, string];
    writeFileSync(file, readFileSync(another));
    expect(plain(await asIs.tag(['a'], []))).toEqual([[[1], [0, 1]]]);
    writeFileSync(file, 'damaged');
    await expect(bound.tag(['a'], [])).rejects.toThrow("is no file of a tagger's cache, or damaged");
  });

  it('two at once leave each other’s files alone', async () => {
    const folder = fresh();
    const [one, two] = [await cachedTagger(counting(), folder), await cachedTagger(counting(), folder)];
    await one.tag(['a'], []);
    await two.tag(['b', 'a'], []);
    await Promise.all([one.flush(), two.flush()]);
    expect(readdirSync(folder).sort()).toEqual(['part-000000.arrow', 'part-000001.arrow']);
    const asked: TextOrWords[] = [];
    const third = await cachedTagger(counting(asked), folder);
    expect(plain(await third.tag(['a', 'b'], []))).toEqual(plain(await counting().tag(['a', 'b'], [])));
    expect([asked, third.size]).toEqual([[], 2]);
  });

  it('is complete up to the last file after a kill', async () => {
    const folder = fresh();
    // A file that was being written is left under another name; nobody reads it.
    const first = await cachedTagger(counting(), folder, { shard: 1 });
    await first.tag(['a'], []);
    writeFileSync(join(folder, '.partial-1-1'), readFileSync(join(folder, 'part-000000.arrow')).subarray(0, 100));
    const asked: TextOrWords[] = [];
    const second = await cachedTagger(counting(asked), folder);
    await second.tag(['a', 'b'], []);
    expect(asked).toEqual(['b']);
  });

  it('refuses another tagger’s folder, files that are none, taggers that read columns', async () => {
    const folder = fresh();
    const first = await cachedTagger(counting(), folder, { shard: 1 });
    await first.tag(['a'], []);
    await expect(cachedTagger(counting([], 'other@2'), folder)).rejects.toThrow(
      /^cachedTagger\.folder: holds answers of another tagger \(counting\), not of other@2 \(.*part-000000\.arrow\)\. Name another folder, or delete this one\.$/u,
    );
    writeFileSync(join(folder, 'part-000001.arrow'), 'nothing');
    await expect(cachedTagger(counting(), folder)).rejects.toThrow(
      /^cachedTagger: is no file of a tagger's cache, or damaged: .*Delete it; its sentences are tagged again\.$/u,
    );
    await expect(cachedTagger(goldTags({ column: 'upos', scheme: 'universal' }), fresh())).rejects.toThrow(
      'cachedTagger.tagger: must read the text alone; its answers are kept by the text; got [{"column":"upos"}]. Gold tags need no cache.',
    );
    await expect(cachedTagger(counting(), fresh(), { shards: 2 } as never)).rejects.toThrow(
      'cachedTagger.shards: there is no such option. Did you mean shard?',
    );
    await expect(cachedTagger(counting(), '')).rejects.toThrow('cachedTagger.folder: must name a folder');
  });

  it('the stage writes what is left where its stream ends', async () => {
    const folder = fresh();
    const cached = await cachedTagger(counting(), folder);
    const rows = memory([{ text: 'a bb' }, { text: 'ccc' }]).pipe(
      batch(1),
      tokenize(letters(), { multiple: 1 }),
      tag(cached, { tokenizer: letters() }),
      toArray(),
    );
    const batches = await lastValueFrom(rows);
    expect(batches.map(({ columns }) => rowsOf(columns.tags))).toEqual([[[0, 1, 2, 2, 0]], [[0, 3, 3, 3, 0]]]);
    await cached.flush();
    expect(existsSync(join(folder, 'part-000000.arrow'))).toBe(true);
  });
});
