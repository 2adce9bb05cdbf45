// Files with random access: a table of contents for each, a few open handles, and decoded record batches in a cache of
// limited size, so that files larger than memory are read block by block.
import { open, stat } from 'node:fs/promises';
import type { Field, RecordBatch } from 'apache-arrow';
import type { Indexed } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import type { BadSamples } from './badSamples.js';
import { Handles, readExactly } from '../handles.js';
import { Decoder } from './decoder.js';
import { type Fields, checkSameSchema, chosen, rowsOf, signature } from './rows.js';
import { fingerprint } from './fingerprint.js';
import { located } from './damaged.js';
import { type BatchBlock, type Contents, type ReadAt, scan } from './scan.js';

export interface ShardOptions {
  readonly columns?: readonly string[] | undefined;
  readonly nullable: ReadonlySet<string>;
  readonly cacheBytes: number;
}

class Shard {
  readonly file: string;
  readonly contents: Contents;
  readonly fields: readonly Field[];
  readonly #decoder: Decoder;
  /** Dictionary messages that the decoder has seen. */
  #given = 0;

  constructor(file: string, contents: Contents, fields: readonly Field[]) {
    this.file = file;
    this.contents = contents;
    this.fields = fields;
    this.#decoder = new Decoder(contents.schemaBytes);
  }

  async decode(read: ReadAt, index: number): Promise<RecordBatch> {
    const block = this.contents.batches[index] as BatchBlock;
    if (this.#given > block.dictionaries) {
      this.#decoder.reset();
      this.#given = 0;
    }
    const messages: Uint8Array[] = [];
    for (const { offset, length } of [...this.contents.dictionaries.slice(this.#given, block.dictionaries), block]) messages.push(await read(offset, length));
    this.#given = 0;
    const recordBatch = this.#decoder.decode(messages, `record batch ${index}`);
    this.#given = block.dictionaries;
    return recordBatch;
  }
}

/** A record batch among all of a source: which file, which batch, its first row in the file and in the source. */
interface Part {
  readonly shard: Shard;
  readonly index: number;
  readonly inFile: number;
  readonly from: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Index of the part that holds row `id`. */
function partOf(starts: Float64Array, id: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= id) low = middle;
    else high = middle;
  }
  return low;
}

/** Opens these regular files as one indexed source; the row of the whole is the sample's id. */
export async function openShards<F>(files: readonly string[], options: ShardOptions, bad: BadSamples): Promise<Indexed<F>> {
  const { columns, nullable, cacheBytes } = options;
  const handles = new Handles();
  const reading = (file: string): ReadAt => handles.reading(file);
  const parts: Part[] = [];
  const sized: { read: ReadAt; size: number }[] = [];
  let print: string;
  let length = 0;
  let first: { file: string; schema: Map<string, string> } | undefined;
  try {
    for (const file of files) {
      try {
        const found = await stat(file);
        if (!found.isFile()) {
          throw new MaskflowError({
            rule: 'is a pipe or device, which can only be read alone, not as one of several files',
            hint: 'Write it to a file first, and name that.',
          });
        }
        const contents = await scan(reading(file), found.size);
        sized.push({ read: reading(file), size: found.size });
        const fields = chosen(contents.schema, columns);
        first ??= { file, schema: signature(fields) };
        checkSameSchema(first, fields);
        const shard = new Shard(file, contents, fields);
        let inFile = 0;
        contents.batches.forEach(({ rows, length: bytes }, index) => {
          parts.push({ shard, index, inFile, from: length, rows, bytes });
          inFile += rows;
          length += rows;
        });
      } catch (error) {
        throw located(error, file);
      }
    }
    if (length === 0)
      throw new MaskflowError({
        rule: 'the data set has no rows',
        where: files.join(', '),
        hint: 'Check the path and how the files were written.',
      });
    print = await fingerprint(sized);
  } catch (error) {
    await handles.close();
    throw error;
  }

  const starts = Float64Array.from(parts, ({ from }) => from);
  const cache = new Map<number, Fields<F>>();
  let held = 0;
  let current = -1;
  let fields: Fields<F> | undefined;
  const load = async (number: number): Promise<Fields<F>> => {
    const part = parts[number] as Part;
    // Room is made first, so that two blocks are in memory only if both fit (or there is just the one).
    for (const [old] of cache) {
      if (held + part.bytes <= cacheBytes) break;
      cache.delete(old);
      held -= (parts[old] as Part).bytes;
    }
    current = -1;
    fields = undefined;
    try {
      const recordBatch = await part.shard.decode(reading(part.shard.file), part.index);
      const loaded = rowsOf<F>(recordBatch, part.shard.fields, nullable, part.inFile);
      cache.set(number, loaded);
      held += part.bytes;
      return loaded;
    } catch (error) {
      throw located(error, `${part.shard.file}, record batch ${part.index}`);
    }
  };
  const row = (id: number, number: number, from: Fields<F>): F | undefined => {
    const part = parts[number] as Part;
    try {
      return from(id - part.from);
    } catch (error) {
      const problem = error instanceof MaskflowError ? error.problem : { rule: (error as Error).message, cause: error };
      bad.report(id, new MaskflowError({ ...problem, where: `${part.shard.file}${'where' in problem ? `, ${problem.where}` : ''}` }));
      return undefined;
    }
  };
  return {
    length,
    fingerprint: print,
    at(id) {
      const number = partOf(starts, id);
      if (number === current) return row(id, number, fields as Fields<F>);
      const cached = cache.get(number);
      const use = (loaded: Fields<F>): F | undefined => {
        current = number;
        fields = loaded;
        return row(id, number, loaded);
      };
      if (cached === undefined) return load(number).then(use);
      cache.delete(number);
      cache.set(number, cached);
      return use(cached);
    },
    close: async () => {
      bad.end();
      cache.clear();
      await handles.close();
    },
  };
}

/** The record batches of one regular file in the order stored, one in memory at a time. */
export async function* fileBatches(file: string): AsyncGenerator<RecordBatch, void> {
  const handle = await open(file, 'r');
  try {
    const read: ReadAt = (position, length) => readExactly(handle, position, length);
    const contents = await scan(read, (await handle.stat()).size);
    const shard = new Shard(file, contents, []);
    for (let index = 0; index < contents.batches.length; index++) yield await shard.decode(read, index);
  } catch (error) {
    throw located(error, file);
  } finally {
    await handle.close();
  }
}
