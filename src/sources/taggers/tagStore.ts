// The files behind `cachedTagger`: a folder of Arrow files, each written whole beside and linked to its name, so that a kill leaves
// complete files alone and two runs may write at once. Answers stay in the files' own bytes, up to a bound; what was dropped is read
// again when it is asked for.
import { createHash, randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Data as ArrowData,
  Field,
  Int32,
  List,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Uint8,
  Utf8,
  makeData,
  tableFromIPC,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import { MaskflowError } from '../../core/errors.js';
import type { Tagged } from '../../operators/views/tagger.js';
import type { TextOrWords } from '../../operators/views/tokenizer.js';

/** Key in the schema's metadata: whose answers these are. */
export const taggerKey = 'maskflow.tagger';

const list = <T extends Utf8 | Uint8 | Int32>(type: T): List<T> => new List(new Field('item', type, false));
const fields = [
  new Field('text', new Utf8(), true),
  new Field('words', list(new Utf8()), true),
  new Field('bits', list(new Uint8()), false),
  new Field('spans', list(new Int32()), true),
];

export interface Answer {
  readonly text: TextOrWords;
  readonly tagged: Tagged;
}

/** 128 bits that tell texts apart, lists of words from texts as well. */
export function keyOf(text: TextOrWords): string {
  return createHash('sha256')
    .update(typeof text === 'string' ? `text ${text}` : `words ${JSON.stringify(text)}`)
    .digest('base64')
    .slice(0, 22);
}

function encoded(answers: readonly Answer[], fingerprint: string): Uint8Array {
  const columns: readonly (readonly unknown[])[] = [
    answers.map(({ text }) => (typeof text === 'string' ? text : null)),
    answers.map(({ text }) => (typeof text === 'string' ? null : text)),
    answers.map(({ tagged }) => [...tagged.bits]),
    answers.map(({ tagged }) => (tagged.spans ? [...tagged.spans] : null)),
  ];
  const schema = new Schema(fields, new Map([[taggerKey, fingerprint]]));
  const children = fields.map(({ type }, i) => vectorFromArray(columns[i] as unknown[], type).data[0] as ArrowData);
  const data = makeData({ type: new Struct(fields), length: answers.length, nullCount: 0, children });
  return tableToIPC(new Table(schema, [new RecordBatch(schema, data)]), 'file');
}

type Column = NonNullable<ReturnType<Table['getChild']>>;

/** One file's answers, over its bytes. */
interface Shard {
  readonly bytes: number;
  readonly count: number;
  text(row: number): TextOrWords;
  tagged(row: number): Tagged;
}

function opened(file: string, bytes: Uint8Array, fingerprint: string): Shard {
  let table: Table;
  try {
    table = tableFromIPC(bytes);
    if (fields.some(({ name, type }) => String(table.getChild(name)?.type) !== String(type))) throw new Error('it has other columns');
    if (table.batches.length !== 1) throw new Error('it has several record batches');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MaskflowError({
      stage: 'cachedTagger',
      where: file,
      rule: `is no file of a tagger's cache, or damaged: ${reason}`,
      cause,
      hint: 'Delete it; its sentences are tagged again.',
    });
  }
  const other = table.schema.metadata.get(taggerKey);
  if (other !== fingerprint) {
    throw new MaskflowError({
      stage: 'cachedTagger',
      option: 'folder',
      where: file,
      rule: `holds answers of another tagger (${other ?? 'none named'}), not of ${fingerprint}`,
      hint: 'Name another folder, or delete this one.',
    });
  }
  const [text, words, bits, spans] = fields.map(({ name }) => table.getChild(name)) as [Column, Column, Column, Column];
  const numbers = (column: Column, row: number): ArrayLike<number> => (column.get(row) as { toArray(): ArrayLike<number> }).toArray();
  return {
    bytes: bytes.byteLength,
    count: table.numRows,
    text: (row) => (text.get(row) as string | null) ?? [...(words.get(row) as Iterable<string>)],
    tagged: (row) => ({
      bits: Uint8Array.from(numbers(bits, row)),
      ...(spans.isValid(row) && { spans: Int32Array.from(numbers(spans, row)) }),
    }),
  };
}

/** Answers on disk, found by `keyOf`. */
export class TagStore {
  readonly #folder: string;
  readonly #fingerprint: string;
  readonly #memory: number;
  readonly #files: string[] = [];
  /** key → file and row. */
  readonly #places = new Map<string, readonly [file: number, row: number]>();
  /** Open files, the one used last at the end. */
  readonly #open = new Map<number, Shard>();
  #bytes = 0;

  private constructor(folder: string, fingerprint: string, memory: number) {
    this.#folder = folder;
    this.#fingerprint = fingerprint;
    this.#memory = memory;
  }

  static async open(folder: string, fingerprint: string, memory: number): Promise<TagStore> {
    const store = new TagStore(folder, fingerprint, memory);
    await mkdir(folder, { recursive: true });
    for (const name of (await readdir(folder)).filter((name) => /^part-\d{6,}\.arrow$/u.test(name)).sort()) {
      const index = store.#files.push(join(folder, name)) - 1;
      const shard = await store.#shard(index);
      for (let row = 0; row < shard.count; row++) store.#places.set(keyOf(shard.text(row)), [index, row]);
    }
    return store;
  }

  /** Sentences that it has. */
  get size(): number {
    return this.#places.size;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  async get(key: string): Promise<Tagged> {
    const [file, row] = this.#places.get(key) as readonly [number, number];
    return (await this.#shard(file)).tagged(row);
  }

  /** Writes a further file. */
  async add(answers: ReadonlyMap<string, Answer>): Promise<void> {
    const bytes = encoded([...answers.values()], this.#fingerprint);
    // A name that nobody else takes, in this process or another; no result depends on it.
    const partial = join(this.#folder, `.partial-${randomUUID()}`);
    try {
      const handle = await open(partial, 'wx');
      await handle.writeFile(bytes);
      await handle.sync();
      await handle.close();
      const file = await this.#linked(partial);
      const index = this.#files.push(file) - 1;
      let row = 0;
      for (const key of answers.keys()) this.#places.set(key, [index, row++]);
      this.#keep(index, opened(file, bytes, this.#fingerprint));
    } finally {
      await rm(partial, { force: true });
    }
  }

  /** Gives a file the next free name; a name that another run took meanwhile is left to it. */
  async #linked(partial: string): Promise<string> {
    for (let number = this.#files.length; ; number++) {
      const file = join(this.#folder, `part-${String(number).padStart(6, '0')}.arrow`);
      try {
        await link(partial, file);
        return file;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  async #shard(index: number): Promise<Shard> {
    const known = this.#open.get(index);
    if (known !== undefined) {
      this.#open.delete(index);
      this.#open.set(index, known);
      return known;
    }
    const file = this.#files[index] as string;
    const shard = opened(file, await readFile(file), this.#fingerprint);
    this.#keep(index, shard);
    return shard;
  }

  /** Keeps a file open, and closes those used longest ago where all are more than the bound. */
  #keep(index: number, shard: Shard): void {
    this.#open.set(index, shard);
    this.#bytes += shard.bytes;
    for (const [oldest, { bytes }] of this.#open) {
      if (this.#bytes <= this.#memory || oldest === index) return;
      this.#open.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}
