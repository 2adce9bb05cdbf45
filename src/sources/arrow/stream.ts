// Data that passes by once: standard input, a named pipe. Messages are read one after the other, never more than one
// record batch ahead.
import type { Readable } from 'node:stream';
import type { RecordBatch } from 'apache-arrow';
import { MaskflowError } from '../../core/errors.js';
import { Decoder } from './decoder.js';
import { damaged, located } from './damaged.js';
import { headerOf, notArrow, prefixOf } from './scan.js';

/** Exact numbers of bytes from a stream of chunks of any size. */
class Bytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #ahead: Uint8Array[] = [];
  #length = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The next `count` bytes in memory of their own; fewer only at the end. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#length < count) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      this.#ahead.push(value);
      this.#length += value.byteLength;
    }
    const result = new Uint8Array(Math.min(count, this.#length));
    let filled = 0;
    while (filled < result.byteLength) {
      const chunk = this.#ahead[0] as Uint8Array;
      const part = chunk.subarray(0, result.byteLength - filled);
      result.set(part, filled);
      filled += part.byteLength;
      if (part.byteLength === chunk.byteLength) this.#ahead.shift();
      else this.#ahead[0] = chunk.subarray(part.byteLength);
    }
    this.#length -= filled;
    return result;
  }

  async return(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Record batches of an IPC stream (or of an IPC file that is piped), in order; `name` is what errors call it. */
export async function* recordBatches(stream: Readable, name: string): AsyncGenerator<RecordBatch, void> {
  const bytes = new Bytes(stream as AsyncIterable<Uint8Array>);
  try {
    yield* messages(bytes);
  } catch (error) {
    throw located(error, name);
  } finally {
    await bytes.return();
    stream.destroy();
  }
}

async function* messages(bytes: Bytes): AsyncGenerator<RecordBatch, void> {
  let head = await bytes.take(8);
  const isFile = new TextDecoder('latin1').decode(head.subarray(0, 6)) === 'ARROW1';
  if (head.byteLength === 0)
    throw new MaskflowError({ rule: 'nothing came in (0 bytes)', hint: 'Does the command in front of the pipe write an Arrow stream to standard output?' });
  if (isFile) head = await bytes.take(8);
  let decoder: Decoder | undefined;
  let schema: Parameters<typeof headerOf>[2];
  let waiting: Uint8Array[] = [];
  for (let index = 0; head.byteLength > 0; head = await bytes.take(8)) {
    const what = schema === undefined ? 'the schema' : `record batch ${index}`;
    const start = prefixOf(head);
    if (start === undefined) throw schema === undefined ? notArrow(head) : cut(what);
    const { prefix, length } = start;
    if (length === 0) break;
    if (length < 8 || length > 256 * 2 ** 20)
      throw schema === undefined ? notArrow(head) : damaged(what, new Error(`its metadata would be ${length} bytes long`));
    const metadata = join(head.subarray(prefix), await bytes.take(length - (8 - prefix)));
    if (metadata.byteLength < length) throw schema === undefined ? notArrow(head) : cut(what);
    const header = headerOf(metadata, what, schema, isFile);
    const body = await bytes.take(header.bodyLength);
    if (body.byteLength < header.bodyLength) throw cut(what);
    // The body stays in memory of its own, so that its columns are aligned views of it.
    const message = [join(head.subarray(0, prefix), metadata), body];
    if (header.kind === 'schema') {
      schema = header.schema;
      decoder = new Decoder(message[0] as Uint8Array);
    } else if (header.kind === 'dictionary') {
      waiting.push(...message);
    } else {
      const recordBatch = (decoder as Decoder).decode([...waiting, ...message], what);
      waiting = [];
      index++;
      yield recordBatch;
    }
  }
  if (schema === undefined) throw notArrow(head);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.byteLength;
  }
  return result;
}

function cut(what: string): MaskflowError {
  return new MaskflowError({
    rule: `${what} is cut short: the stream ended inside of it`,
    hint: 'The command in front of the pipe probably failed; look at its error output.',
  });
}
