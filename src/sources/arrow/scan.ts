// The table of contents of an Arrow file, read without reading its data: where each record batch lies and how many rows
// it has. An IPC file is an IPC stream between two magic words, so both formats are walked alike, one small read a
// message; a stream on disk thus has random access too. (The footer of the file format has no row counts, so it would
// not save the walk; it gives the schema, which Arrow JS's own file writer leaves out at the beginning.)
import { MessageHeader, Message, type Schema, compressionRegistry } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { MaskflowError } from '../../core/errors.js';
import { nodesOf } from './columns.js';
import { damaged, compressed } from './damaged.js';
import { verifyFooter, verifyMessage } from './verify.js';

/** Reads `length` bytes at `position`, fewer only at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>;

export interface Block {
  readonly offset: number;
  /** Bytes of metadata (prefix included) and body. */
  readonly length: number;
}

export interface BatchBlock extends Block {
  readonly rows: number;
  /** How many of the file's dictionary messages precede it (file format: all of them count). */
  readonly dictionaries: number;
}

export interface Contents {
  readonly schema: Schema;
  readonly schemaBytes: Uint8Array;
  readonly dictionaries: readonly Block[];
  readonly batches: readonly BatchBlock[];
  readonly rows: number;
}

const decoder = new TextDecoder('latin1');
const magic = 'ARROW1';
const most = 256 * 2 ** 20;

function truncated(what: string, at: number, wanted: number, there: number): MaskflowError {
  return new MaskflowError({
    rule: `${what} is cut short: ${wanted} bytes should follow byte ${at}, ${Math.max(0, there)} do`,
    hint: 'The file is incomplete: its writer may have been stopped, or still be at work. Copy or write it again.',
  });
}

/** The start of data that is no Arrow: what it looks like. */
export function notArrow(head: Uint8Array): MaskflowError {
  const looks: readonly (readonly [hint: string, ...starts: readonly (readonly number[])[]])[] = [
    [
      'It looks like Parquet; in Python: pyarrow.feather.write_feather(pyarrow.parquet.read_table(name), out, compression="uncompressed").',
      [0x50, 0x41, 0x52, 0x31],
    ],
    ['It is Feather version 1; write version 2, which is the Arrow file format.', [0x46, 0x45, 0x41, 0x31]],
    ['It looks like JSON.', [0x7b], [0x5b]],
    ['It looks like an image or a sound.', [0x89, 0x50, 0x4e, 0x47], [0xff, 0xd8, 0xff], [0x52, 0x49, 0x46, 0x46]],
    ['It looks compressed as a whole: unpack it first.', [0x50, 0x4b, 3, 4], [0x1f, 0x8b], [0x28, 0xb5, 0x2f, 0xfd]],
  ];
  const found = looks.find(([, ...starts]) => starts.some((start) => start.every((byte, at) => head[at] === byte)));
  return new MaskflowError({
    rule: 'this is neither an Arrow IPC file nor an Arrow IPC stream',
    value: decoder.decode(head.subarray(0, 8)),
    hint: found?.[0] ?? 'Arrow files begin with ARROW1, streams with a schema message.',
  });
}

/** Length of a message's metadata and of the prefix in front of it, from its first 8 bytes; undefined where there are too few. Zero length = end of stream. */
export function prefixOf(bytes: Uint8Array): { prefix: number; length: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 4) return undefined;
  const first = view.getInt32(0, true);
  if (first !== -1) return { prefix: 4, length: first };
  return bytes.byteLength < 8 ? undefined : { prefix: 8, length: view.getInt32(4, true) };
}

/** A schema as the message that a stream begins with. */
function messageOf(schema: Schema): Uint8Array {
  const metadata = Message.encode(Message.from(schema));
  const bytes = new Uint8Array(8 + ((metadata.byteLength + 7) & ~7));
  new Int32Array(bytes.buffer, 0, 2).set([-1, bytes.byteLength - 8]);
  bytes.set(metadata, 8);
  return bytes;
}

export interface Header {
  readonly kind: 'schema' | 'dictionary' | 'batch';
  readonly bodyLength: number;
  readonly rows: number;
  readonly schema?: Schema;
}

/** Reads and checks the metadata of one message. `schema`: that of the stream, once it is known. */
export function headerOf(metadata: Uint8Array, what: string, schema: Schema | undefined, pipedFile = false): Header {
  try {
    verifyMessage(metadata);
    const message = Message.decode(metadata);
    const { bodyLength } = message;
    if (!Number.isSafeInteger(bodyLength) || bodyLength < 0) throw new Error(`a body of ${bodyLength} bytes`);
    if (message.headerType === MessageHeader.Schema) return { kind: 'schema', bodyLength, rows: 0, schema: message.header() as unknown as Schema };
    const isBatch = message.headerType === MessageHeader.RecordBatch;
    if (!isBatch && message.headerType !== MessageHeader.DictionaryBatch) throw new Error('a message that is neither schema, dictionary nor record batch');
    if (schema === undefined && pipedFile) {
      throw new MaskflowError({
        rule: 'this is an Arrow file that keeps its schema at its end only, so it cannot be read from a pipe',
        hint: 'Pipe an Arrow stream instead (arrowStream, pyarrow.ipc.new_stream), or name the file.',
      });
    }
    if (schema === undefined) throw new Error('the schema message is missing');
    type Body = {
      length: number;
      nodes: { length: number; nullCount: number }[];
      buffers: { offset: number; length: number }[];
      compression: { type: number } | null;
    };
    const header = message.header() as unknown as Body & { data: Body };
    const { length, nodes, buffers, compression } = isBatch ? header : header.data;
    if (compression !== null && compressionRegistry.get(compression.type)?.decode == null) throw compressed(compression.type);
    if (buffers.some((buffer) => buffer.offset < 0 || buffer.length < 0 || buffer.offset + buffer.length > bodyLength + 7))
      throw new Error('a buffer outside of its message');
    if (!Number.isSafeInteger(length) || length < 0 || length > 0x7fffffff) throw new Error(`${length} rows`);
    // Arrow JS fills up columns of unequal length, allocating whatever a damaged length says: refuse them here.
    if (isBatch) {
      let node = 0;
      for (const field of schema.fields) {
        if (nodes[node]?.length !== length) throw new Error(`column ${JSON.stringify(field.name)} has ${nodes[node]?.length ?? 'no'} rows of ${length}`);
        node += nodesOf(field.type);
      }
    }
    if (nodes.some((node) => node.length < 0 || node.length > 0x7fffffff || node.nullCount < 0 || node.nullCount > node.length))
      throw new Error('impossible counts of rows or nulls');
    return { kind: isBatch ? 'batch' : 'dictionary', bodyLength, rows: length };
  } catch (error) {
    throw error instanceof MaskflowError ? error : damaged(what, error);
  }
}

/** Walks all messages of a file of `size` bytes. Errors say what is wrong; the caller adds which file. */
export async function scan(read: ReadAt, size: number): Promise<Contents> {
  const head = await read(0, Math.min(size, 8));
  const isFile = decoder.decode(head.subarray(0, 6)) === magic;
  if (size === 0) throw new MaskflowError({ rule: 'the file is empty (0 bytes)', hint: 'Write it again.' });
  if (size < 8 || (!isFile && !((prefixOf(head)?.length ?? 0) > 0))) throw notArrow(head);
  let end = size;
  let schema: Schema | undefined;
  let schemaBytes: Uint8Array | undefined;
  let expected: number | undefined;
  if (isFile) {
    const tail = size < 18 ? new Uint8Array(10) : await read(size - 10, 10);
    const length = new DataView(tail.buffer, tail.byteOffset, 10).getInt32(0, true);
    if (decoder.decode(tail.subarray(4)) !== magic || length <= 0 || length > size - 18) {
      throw new MaskflowError({
        rule: 'begins as an Arrow file, but its end is missing',
        hint: 'The file is incomplete: its writer may have been stopped, or still be at work. Copy or write it again.',
      });
    }
    end = size - 10 - length;
    const bytes = await read(end, length);
    try {
      verifyFooter(bytes);
      const footer = Footer.decode(bytes);
      schema = footer.schema;
      expected = footer.numRecordBatches;
    } catch (error) {
      throw damaged('the footer', error);
    }
  }
  const dictionaries: Block[] = [];
  const batches: BatchBlock[] = [];
  let rows = 0;
  let seen = 0;
  let position = isFile ? 8 : 0;
  while (position < end) {
    const first = schemaBytes === undefined && seen === 0 && dictionaries.length === 0;
    const what = first ? 'the schema' : `record batch ${seen}`;
    const chunk = await read(position, Math.min(4096, end - position));
    const start = prefixOf(chunk);
    if (start === undefined) throw truncated(what, position, 8, chunk.byteLength);
    const { prefix, length } = start;
    if (length === 0) {
      position += prefix;
      break;
    }
    if (length < 0 || length > most) throw first && !isFile ? notArrow(head) : damaged(what, new Error(`its metadata would be ${length} bytes long`));
    // Without the mark that streams have had since Arrow 0.15, a length that does not fit is most likely none.
    if (position + prefix + length > end) throw first && prefix === 4 ? notArrow(head) : truncated(what, position + prefix, length, end - position - prefix);
    const whole = prefix + length <= chunk.byteLength ? chunk.subarray(0, prefix + length) : await read(position, prefix + length);
    const header = headerOf(whole.subarray(prefix), what, schema);
    const block = { offset: position, length: prefix + length + header.bodyLength };
    if (position + block.length > end) throw truncated(what, position + prefix + length, header.bodyLength, end - position - prefix - length);
    if (header.kind === 'schema') {
      if (!first) throw damaged('the stream', new Error('a second schema'));
      schema = header.schema as Schema;
      schemaBytes = whole.slice();
    } else if (header.kind === 'dictionary') {
      dictionaries.push(block);
    } else {
      if (header.rows > 0) batches.push({ ...block, rows: header.rows, dictionaries: dictionaries.length });
      rows += header.rows;
      seen++;
    }
    position += block.length;
  }
  if (schema === undefined) throw notArrow(head);
  if (expected !== undefined && expected !== seen)
    throw damaged('the file', new Error(`its footer tells of ${expected} record batches, and there are ${seen}`));
  if (!isFile && position < size) {
    throw new MaskflowError({
      rule: `${size - position} bytes follow the end of the stream`,
      hint: 'Several streams in one file are not read: keep each in a file of its own and name them all.',
    });
  }
  schemaBytes ??= messageOf(schema);
  return { schema, schemaBytes, dictionaries, batches: isFile ? batches.map((batch) => ({ ...batch, dictionaries: dictionaries.length })) : batches, rows };
}
