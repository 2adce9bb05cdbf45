// Regular text files as an indexed source: records are read in blocks, the blocks are kept in a cache of limited size.
import { stat } from 'node:fs/promises';
import type { Indexed } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import type { BadSamples } from '../arrow/badSamples.js';
import { fingerprint } from '../arrow/fingerprint.js';
import { Handles } from '../handles.js';
import { Splitter, type TextRecord } from './records.js';
import { type TextFileOptions, type TextFormat, fieldsOf, longest, noRows, tooLong } from './textFormat.js';
import { type TextIndex, indexText, lastUpTo } from './textIndex.js';

/** Opens these files; the record's number in the whole is the sample's id. */
export async function indexedText<F>(
  files: readonly string[],
  format: TextFormat<F>,
  { cacheBytes = 2 ** 26 }: TextFileOptions,
  bad: BadSamples,
): Promise<Indexed<F>> {
  const handles = new Handles();
  const indexes: TextIndex[] = [];
  const firsts = new Float64Array(files.length);
  let length = 0;
  let print: string;
  try {
    const sized = await Promise.all(files.map(async (file) => ({ read: handles.reading(file), size: (await stat(file)).size })));
    for (const [i, { read, size }] of sized.entries()) {
      const index = await indexText(read, size, format.unit, longest, tooLong(files[i] as string));
      firsts[i] = length;
      length += index.count;
      indexes.push(index);
    }
    if (length === 0) throw noRows(files);
    print = await fingerprint(sized);
  } catch (error) {
    await handles.close();
    throw error;
  }

  type Block = readonly TextRecord[];
  const cache = new Map<string, { readonly block: Block; readonly size: number }>();
  let held = 0;
  const load = async (key: string, file: number, number: number): Promise<Block> => {
    const { offsets, lines, size, records, count } = indexes[file] as TextIndex;
    const from = offsets[number] as number;
    const bytes = await handles.reading(files[file] as string)(from, (offsets[number + 1] ?? size) - from);
    const block: TextRecord[] = [];
    const splitter = new Splitter(
      format.unit,
      (start, end, line) => block.push({ bytes: bytes.subarray(start - from, end - from), line }),
      from,
      lines[number],
    );
    splitter.push(bytes);
    splitter.end();
    if (block.length !== (records[number + 1] ?? count) - (records[number] as number)) {
      throw new MaskflowError({ rule: 'the file has changed since it was opened', where: files[file] as string, hint: 'Write new data to a new file.' });
    }
    for (const [old, { size }] of cache) {
      if (held + bytes.length <= cacheBytes) break;
      cache.delete(old);
      held -= size;
    }
    if (!cache.has(key)) held += bytes.length;
    cache.set(key, { block, size: bytes.length });
    return block;
  };
  return {
    length,
    fingerprint: print,
    at(id) {
      const file = lastUpTo(firsts, id);
      const { records } = indexes[file] as TextIndex;
      const own = id - (firsts[file] as number);
      const number = lastUpTo(records, own);
      const use = (block: Block): F | undefined => fieldsOf(block[own - (records[number] as number)] as TextRecord, id, files[file] as string, format, bad);
      const key = `${file}:${number}`;
      const cached = cache.get(key);
      if (cached === undefined) return load(key, file, number).then(use);
      cache.delete(key);
      cache.set(key, cached);
      return use(cached.block);
    },
    close: async () => {
      bad.end();
      cache.clear();
      await handles.close();
    },
  };
}
