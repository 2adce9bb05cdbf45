// A pass-through stage that writes each batch before it hands it on, so that demand holds and nothing piles up.
import { Message, RecordBatchFileWriter, RecordBatchStreamWriter, type Schema } from 'apache-arrow';
import type { Observable } from 'rxjs';
import { type ToRecordBatchOptions, toRecordBatch } from '../../core/arrow/index.js';
import type { Batch } from '../../core/batch.js';
import { bounded, nothing } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Target } from './target.js';

export interface ArrowSinkOptions extends Pick<ToRecordBatchOptions, 'origins' | 'lists'> {
  /** Stage name; default that of the sink. */
  readonly name?: string;
}

/** Passes batches through unchanged. Batches that carry a program (behind model and loss) are refused. */
export type ArrowSink = <C>(source: Observable<Batch<C>>) => Observable<Batch<C>>;

type Bytes = ArrayBufferView | ArrayBufferLike;

/** Arrow's writers with their byte queue replaced by a list that is emptied after each batch: its parts are views of the columns. */
export class FileWriter extends RecordBatchFileWriter {
  parts: Uint8Array[] = [];
  /** Arrow's writer leaves the schema out at the beginning, where the format wants it and readers of pipes need it. */
  protected override _writeSchema(schema: Schema): this {
    super._writeSchema(schema);
    return this._writeMessage(Message.from(schema));
  }
  protected override _write(chunk: Bytes): this {
    return keep(this, chunk, this._started, (count) => {
      this._position += count;
    });
  }
}
class StreamWriter extends RecordBatchStreamWriter {
  parts: Uint8Array[] = [];
  protected override _write(chunk: Bytes): this {
    return keep(this, chunk, this._started, (count) => {
      this._position += count;
    });
  }
}

function keep<W extends { parts: Uint8Array[] }>(writer: W, chunk: Bytes, started: boolean, advance: (count: number) => void): W {
  const bytes = ArrayBuffer.isView(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(chunk);
  if (started && bytes.byteLength > 0) {
    writer.parts.push(bytes);
    advance(bytes.byteLength);
  }
  return writer;
}

/** The stage behind `arrowFile` and `arrowStream`. */
export function writing(sink: string, path: string, format: 'file' | 'stream', options: ArrowSinkOptions, open: () => Promise<Target>): ArrowSink {
  checkOptions(sink, options, ['origins', 'lists', 'name']);
  check(typeof path === 'string' && path !== '', sink, 'path', 'must name a file', path);
  const { origins = false, lists = [], name = sink } = options;
  const made = recipe('maskflow/sinks', sink, { path, origins, lists });
  return <C>(source: Observable<Batch<C>>) =>
    source.pipe(
      bounded<Batch<C>, Batch<C>>(made, { name, per: 'batch' }, () => {
        const writer = format === 'file' ? new FileWriter() : new StreamWriter();
        let target: Target | undefined;
        let schema: Schema | undefined;
        let finished = false;
        const write = async (): Promise<void> => {
          const { parts } = writer;
          writer.parts = [];
          await (target as Target).write(parts);
        };
        return {
          async work(batch) {
            const recordBatch = toRecordBatch(batch, { origins, lists, ...(schema && { schema }) });
            schema ??= recordBatch.schema;
            target ??= await open();
            try {
              writer.write(recordBatch);
            } catch (error) {
              if (!/replacement dictionaries/u.test((error as Error).message)) throw error;
              throw new MaskflowError({
                rule: 'a column of dictionary type has another dictionary than in the first batch, which the file format cannot hold',
                cause: error,
                hint: "Write a stream (arrowStream, or a name ending in '.arrows'), or decode the column first.",
              });
            }
            await write();
            return batch;
          },
          async flush(): Promise<typeof nothing> {
            if (target === undefined) {
              throw new MaskflowError({ rule: 'no batch arrived, so there is nothing to write', where: path, hint: 'Did a filter let nothing through?' });
            }
            writer.finish();
            await write();
            await target.finish();
            finished = true;
            return nothing;
          },
          async stop() {
            if (!finished) await target?.abort();
          },
        };
      }),
    );
}
