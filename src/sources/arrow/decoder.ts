// Messages in, record batches out: Arrow JS's stream reader, fed block by block, so that any record batch of a file can
// be decoded from one read of its bytes, over which all its columns are views. Dictionaries are decoded once and stay.
import { type RecordBatch, RecordBatchReader, type RecordBatchStreamReader } from 'apache-arrow';
import { MaskflowError } from '../../core/errors.js';
import { damaged } from './damaged.js';

export class Decoder {
  readonly #schema: Uint8Array;
  #reader: RecordBatchStreamReader | undefined;
  #queue: Uint8Array[] = [];
  #idle = 0;

  constructor(schema: Uint8Array) {
    this.#schema = schema;
  }

  /** Forgets all dictionaries. */
  reset(): void {
    this.#reader = undefined;
  }

  /** Decodes one record batch: its message, in front of it the dictionary messages that it needs and that were not given before. */
  decode(messages: readonly Uint8Array[], what: string): RecordBatch {
    this.#queue.push(...messages);
    this.#idle = 0;
    try {
      this.#reader ??= this.#open();
      const { done, value } = this.#reader.next();
      if (done) throw new Error('no record batch');
      return value as RecordBatch;
    } catch (error) {
      this.#reader = undefined;
      this.#queue = [];
      throw error instanceof MaskflowError ? error : damaged(what, error);
    }
  }

  #open(): RecordBatchStreamReader {
    this.#queue.unshift(this.#schema);
    return RecordBatchReader.from(this.#bytes()).open() as unknown as RecordBatchStreamReader;
  }

  /** Arrow's byte stream asks ahead once after each message that it used up, and gets nothing then; asking on means that bytes are missing. */
  *#bytes(): Generator<Uint8Array> {
    for (;;) {
      const next = this.#queue.shift();
      if (next === undefined && ++this.#idle > 8) throw new Error('it ends too early');
      yield next ?? new Uint8Array(0);
    }
  }
}
