// Samples from Arrow IPC data: files, streams, shards, patterns, standard input. Anything on disk has random access (a
// stream too: one walk over its message headers finds the record batches), so order and resume reach it exactly; only
// what cannot be sought (stdin, a named pipe) is served as it comes.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { RecordBatch } from 'apache-arrow';
import { type Observable, map } from 'rxjs';
import { fromRecordBatch } from '../core/arrow/index.js';
import type { Batch, Carried, Column, Sample } from '../core/batch.js';
import { type Streamed, source } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { type BadSampleOptions, BadSamples } from './arrow/badSamples.js';
import { filesOf } from './arrow/glob.js';
import { chosen, rowsOf } from './arrow/rows.js';
import { located } from './arrow/damaged.js';
import { fileBatches, openShards } from './arrow/shards.js';
import { recordBatches } from './arrow/stream.js';

export interface ArrowOptions extends BadSampleOptions {
  /** Columns to read, in this order. Default: all. Columns that are not read cost nothing but their bytes. */
  readonly columns?: readonly string[];
  /** Columns in which null is a value (the field is null). In all others a null makes the sample a bad one. Default none. */
  readonly nullable?: readonly string[];
  /**
   * Bytes of record batches kept in memory, least recently used first out. Default 256 MiB. A shuffled order over more
   * than this reads a record batch for nearly every sample: raise it, or write smaller record batches.
   */
  readonly cacheBytes?: number;
}

const stdin = '-';

/**
 * Samples from Arrow IPC data. `path` is a file, a pattern (`*`, `?`, `**`), a list of both, or `-` for standard input.
 * File and stream format are told apart by content. Files on disk are indexed sources (length, random access, exact
 * resume); record batches are read when they are needed. What cannot be sought is served as it comes, once.
 *
 * Fields by Arrow type: numbers → number (64-bit integers: number where exact, else bigint), bool → boolean, dates and
 * times → the stored number, text → string, bytes → Uint8Array, fixed-size lists of numbers and `arrow.fixed_shape_tensor`
 * → tensor column {data, shape} (float32, int32 and uint8 as they are; booleans as uint8, other integers as int32,
 * float16/64 as float32), lists of numbers → typed array, other lists → array, struct → object, dictionary → its value.
 * Bytes, typed arrays and tensors are views of the file's buffers: never write into them.
 *
 * @throws MaskflowError (through the stream) for a file that is missing, damaged, cut short, compressed or no Arrow; a
 * column that is missing, of a type that is not read, or not the same in all files; no rows at all; samples that cannot
 * be used (null, text that is no UTF-8, offsets outside of the data), naming file, row and column.
 *
 * @example
 * arrow<{ image: Column<Uint8Array>; label: number }>('digits/*.arrow', { columns: ['image', 'label'] }).pipe(epochs(3), shuffle(), batch(256));
 */
export function arrow<F = Readonly<Record<string, unknown>>>(path: string | readonly string[], options: ArrowOptions = {}): Observable<Sample<F>> {
  checkOptions('arrow', options, ['columns', 'nullable', 'cacheBytes', 'onBadSample', 'maxBad', 'onSkip']);
  const { columns, nullable = [], cacheBytes = 256 * 2 ** 20, onBadSample = 'throw', maxBad = 100, onSkip } = options;
  const paths = checkPaths('arrow', path);
  check(columns === undefined || columns.length > 0, 'arrow', 'columns', 'must name at least one column', columns);
  check(onBadSample === 'throw' || onBadSample === 'skip', 'arrow', 'onBadSample', "must be 'throw' or 'skip'", onBadSample);
  checkInteger('arrow', 'maxBad', maxBad, 0);
  checkInteger('arrow', 'cacheBytes', cacheBytes, 0);
  for (const name of nullable) {
    check(columns === undefined || columns.includes(name), 'arrow', 'nullable', `must name columns that are read: ${columns?.join(', ')}`, name);
  }
  const made = recipe('maskflow/sources', 'arrow', {
    path: paths.length === 1 ? paths[0] : paths,
    ...(columns && { columns }),
    nullable,
    cacheBytes,
    onBadSample,
    maxBad,
  });
  return source<F>(made, async () => {
    const bad = new BadSamples({ onBadSample, maxBad, ...(onSkip && { onSkip }) });
    const files = paths[0] === stdin ? [stdin] : await filesOf(paths);
    const [first] = files;
    const nulls = new Set(nullable);
    if (first !== undefined && files.length === 1 && (first === stdin || !(await stat(first)).isFile())) return streamed<F>(first, columns, nulls, bad);
    return openShards<F>(files, { columns, nullable: nulls, cacheBytes }, bad);
  });
}

function checkPaths(stage: string, path: string | readonly string[]): readonly string[] {
  const paths = typeof path === 'string' ? [path] : path;
  check(
    paths.length > 0 && paths.every((one) => typeof one === 'string' && one !== ''),
    stage,
    'path',
    "must name at least one file; '-' is standard input",
    path,
  );
  check(paths.length === 1 || !paths.includes(stdin), stage, 'path', "must be '-' alone or names of files", path);
  return paths;
}

function opened(file: string): { stream: Readable; name: string } {
  return file === stdin ? { stream: process.stdin, name: 'standard input' } : { stream: createReadStream(file), name: file };
}

async function batchesOf(file: string): Promise<AsyncGenerator<RecordBatch, void>> {
  if (file !== stdin && (await stat(file)).isFile()) return fileBatches(file);
  const { stream, name } = opened(file);
  return recordBatches(stream, name);
}

function streamed<F>(file: string, columns: readonly string[] | undefined, nullable: ReadonlySet<string>, bad: BadSamples): Streamed<F> {
  const { stream, name } = opened(file);
  async function* rows(epoch: number): AsyncGenerator<F | undefined, void> {
    if (epoch > 0) {
      throw new MaskflowError({
        rule: `${name} can be read only once, and a second epoch was asked for`,
        hint: 'Write it to a file first (… > data.arrows) and name that file, or use epochs(1).',
      });
    }
    let id = 0;
    for await (const recordBatch of recordBatches(stream, name)) {
      const first = id;
      const fields = rowsOf<F>(recordBatch, chosen(recordBatch.schema, columns), nullable, first);
      for (let row = 0; row < recordBatch.numRows; row++, id++) {
        let value: F | undefined;
        try {
          value = fields(row);
        } catch (error) {
          const { problem } = located(error, '');
          bad.report(id, new MaskflowError({ ...problem, where: [name, problem.where].filter(Boolean).join(', ') }));
        }
        yield value;
      }
    }
    if (id === 0) throw new MaskflowError({ rule: 'the data set has no rows', where: name, hint: 'Check the command that writes it.' });
  }
  return {
    rows,
    close: () => {
      bad.end();
      stream.destroy();
    },
  };
}

/**
 * Batches just as they are stored, one a record batch, every column kept as it is: what a command that adds a column to
 * a file or pipe needs. Origins come from the column `origin`, else ids count the rows. For training use `arrow`, which
 * knows order and resume.
 *
 * @throws MaskflowError (through the stream) as `arrow` does.
 *
 * @example
 * arrowBatches('in.arrow').pipe(arrowStream('-'));
 */
export function arrowBatches(path: string | readonly string[]): Observable<Batch<Readonly<Record<string, Column | Carried>>>> {
  type Whole = Batch<Readonly<Record<string, Column | Carried>>>;
  const paths = checkPaths('arrowBatches', path);
  async function* batches(): AsyncGenerator<Whole, void> {
    let firstId = 0;
    for (const file of paths[0] === stdin ? [stdin] : await filesOf(paths)) {
      for await (const recordBatch of await batchesOf(file)) {
        if (recordBatch.numRows === 0) continue;
        yield fromRecordBatch(recordBatch, { firstId });
        firstId += recordBatch.numRows;
      }
    }
    if (firstId === 0) throw new MaskflowError({ rule: 'the data has no rows', where: paths.join(', ') });
  }
  // `source` ends the generator at the end of the subscription, and with it the file that is open.
  const open = (): Streamed<Whole> => ({ rows: batches, close: () => {} });
  return source<Whole>(recipe('maskflow/sources', 'arrowBatches', { path: paths }), open).pipe(map(({ fields }) => fields));
}
