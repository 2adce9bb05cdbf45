// A pass-through stage that writes each batch before it hands it on, so that demand holds and nothing piles up.
import type { Schema } from 'apache-arrow';
import type { Observable } from 'rxjs';
import { type ToRecordBatchOptions, toRecordBatch } from '../../core/arrow/index.js';
import type { Batch } from '../../core/batch.js';
import { bounded, nothing } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Target } from './target.js';
import { FileWriter, StreamWriter } from './writers.js';

export interface ArrowSinkOptions extends Pick<ToRecordBatchOptions, 'origins' | 'lists'> {
  /** Stage name; default that of the sink. */
  readonly name?: string;
}

/** Passes batches through unchanged. Batches that carry a program (behind model and loss) are refused. */
export type ArrowSink = <C>(source: Observable<Batch<C>>) => Observable<Batch<C>>;

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
