// Arrow data as the commands read it: the schema first, then record batch after record batch, one in memory at a time. A
// file on disk is read through its table of contents; what cannot be sought (standard input, a named pipe) is read as it
// comes, and only its schema is looked at ahead, so that even a stream without rows is known by its columns.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { RecordBatch, Schema } from 'apache-arrow';
import { MaskflowError, inStage } from '../core/errors.js';
import { Decoder } from '../sources/arrow/decoder.js';
import { headerOf, prefixOf, scan } from '../sources/arrow/scan.js';
import { recordBatches } from '../sources/arrow/stream.js';

export interface OpenArrow {
  /** What errors call it. */
  readonly name: string;
  readonly schema: Schema;
  /** The record batches, once. Ending the loop early closes the file. */
  readonly batches: AsyncGenerator<RecordBatch, void>;
  /** Closes what is open, from any state; a read under way fails. */
  close(): Promise<void>;
}

/**
 * Opens an Arrow IPC file or stream, told apart by content; `-` is `stdin`.
 *
 * @throws MaskflowError for a path that is not there, and for data that is damaged, cut short, compressed or no Arrow
 *
 * @example
 * const { schema, batches } = await openArrow('digits.arrow', process.stdin);
 */
export async function openArrow(path: string, stdin: Readable): Promise<OpenArrow> {
  if (path === '-') return streamed(stdin, 'standard input');
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'in',
      rule: found === undefined ? 'there is no such file' : 'this is a folder, not a file',
      value: path,
      hint: "Name an Arrow file, or '-' for standard input.",
    });
  }
  return found.isFile() ? onDisk(path, found.size) : streamed(createReadStream(path), path);
}

async function onDisk(path: string, size: number): Promise<OpenArrow> {
  const handle = await open(path, 'r').catch((error: Error) => {
    throw new MaskflowError({ stage: 'arrow', rule: `cannot be read: ${error.message}`, where: path, cause: error });
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= handle.close();
    return closing;
  };
  const read = async (position: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      // One read call takes at most 2^31 − 1 bytes.
      const { bytesRead } = await handle.read(bytes, done, Math.min(2 ** 30, length - done), position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  };
  try {
    const contents = await scan(read, size);
    const batches = async function* (): AsyncGenerator<RecordBatch, void> {
      const decoder = new Decoder(contents.schemaBytes);
      let given = 0;
      try {
        for (const [index, block] of contents.batches.entries()) {
          const messages: Uint8Array[] = [];
          for (const { offset, length } of [...contents.dictionaries.slice(given, block.dictionaries), block]) messages.push(await read(offset, length));
          given = block.dictionaries;
          yield decoder.decode(messages, `record batch ${index}`);
        }
      } catch (error) {
        throw inStage('arrow', error, path);
      } finally {
        await close();
      }
    };
    return { name: path, schema: contents.schema, batches: batches(), close };
  } catch (error) {
    await close();
    throw inStage('arrow', error, path);
  }
}

async function streamed(stream: Readable, name: string): Promise<OpenArrow> {
  const chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const close = async (): Promise<void> => {
    stream.destroy();
  };
  // 1. Its beginning, as far as the schema reaches.
  let head = new Uint8Array(0);
  const reaches = async (length: number): Promise<boolean> => {
    while (head.byteLength < length) {
      const { done, value } = await chunks.next();
      if (done) return false;
      const longer = new Uint8Array(head.byteLength + value.byteLength);
      longer.set(head);
      longer.set(value, head.byteLength);
      head = longer;
    }
    return true;
  };
  let schema: Schema | undefined;
  try {
    schema = await schemaAhead(reaches, () => head);
  } catch (error) {
    await close();
    throw inStage('arrow', error, name);
  }
  // 2. The same bytes again, and the rest. What is wrong with them is told by the one reader that knows.
  const again = Readable.from(
    (async function* () {
      try {
        if (head.byteLength > 0) yield head;
        head = new Uint8Array(0);
        for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
      } finally {
        stream.destroy();
      }
    })(),
  );
  const batches = recordBatches(again, name);
  if (schema !== undefined) return { name, schema, batches, close };
  await batches.next();
  throw new MaskflowError({ stage: 'arrow', rule: 'the schema is missing', where: name });
}

/** The schema at the beginning of a stream, or undefined where there is none that can be read. */
async function schemaAhead(reaches: (length: number) => Promise<boolean>, head: () => Uint8Array): Promise<Schema | undefined> {
  if (!(await reaches(8))) return undefined;
  const from = new TextDecoder('latin1').decode(head().subarray(0, 6)) === 'ARROW1' ? 8 : 0;
  if (!(await reaches(from + 8))) return undefined;
  const start = prefixOf(head().subarray(from, from + 8));
  // A schema of more than 16 MiB is no schema: do not read a whole pipe in search of it.
  if (start === undefined || start.length < 8 || start.length > 2 ** 24) return undefined;
  const body = from + start.prefix;
  if (!(await reaches(body + start.length))) return undefined;
  try {
    return headerOf(head().subarray(body, body + start.length), 'the schema', undefined, from > 0).schema;
  } catch {
    return undefined;
  }
}
