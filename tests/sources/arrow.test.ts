import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  Binary,
  Bool,
  CompressionType,
  DataType,
  DateDay,
  DateMillisecond,
  Dictionary,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  IntervalYearMonth,
  LargeBinary,
  LargeUtf8,
  List,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  Struct,
  TimestampMillisecond,
  Uint32,
  Utf8,
  Utf8View,
  type Vector,
  compressionRegistry,
  makeData,
  makeVector,
  tableFromIPC,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { concatMap, delay, map, of, take, tap } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { toRecordBatch } from '../../src/core/arrow/index.js';
import type { Column, Sample } from '../../src/core/batch.js';
import { MaskflowError } from '../../src/core/errors.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { fits } from '../../src/sources/arrow/glob.js';
import { half } from '../../src/sources/arrow/columns.js';
import { FileWriter } from '../../src/sinks/arrow/writers.js';
import { arrow, arrowBatches } from '../../src/sources/arrow.js';
import { all, failure, ipc, openHandles, temporaryFolder, until, write } from './arrowFiles.js';

const folder = temporaryFolder();
const numbers = (from: number, to: number) =>
  vectorFromArray(
    Array.from({ length: to - from }, (_, i) => from + i),
    new Int32(),
  );
const ids = (samples: readonly Sample<unknown>[]): number[] => samples.map(({ origin }) => origin.id);
const values = <T>(samples: readonly Sample<Record<string, unknown>>[], name: string): T[] => samples.map(({ fields }) => fields[name] as T);

describe('formats', () => {
  const path = {
    file: write(folder, 'a.data', ipc({ n: numbers(0, 10) }, 'file', 4)),
    stream: write(folder, 'b.data', ipc({ n: numbers(0, 10) }, 'stream', 3)),
  };

  test.each(['file', 'stream'] as const)('an IPC %s is recognised by content and has random access', async (format) => {
    const samples = await all(arrow<{ n: number }>(path[format]).pipe(epochs(2), shuffle()));
    expect(samples).toHaveLength(20);
    for (const { fields, origin } of samples) expect(fields.n).toBe(origin.id);
    expect(ids(samples.slice(0, 10)).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ids(samples.slice(0, 10))).not.toEqual(ids(samples.slice(10)));
    const stored = await all(arrow(path[format]));
    expect(ids(stored)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('several files of both formats are one data set, in the order named', async () => {
    const samples = await all(arrow<{ n: number }>([path.stream, path.file, path.stream]));
    expect(values(samples, 'n')).toEqual([...Array(3)].flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(ids(samples)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  test('any order, any cache size, any record batches: the row of the id comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(0, 300, 2 ** 20),
        fc.constantFrom('file', 'stream'),
        async (sizes, rows, cacheBytes, format) => {
          let from = 0;
          const files = sizes.map((size, shard) => {
            const file = write(
              folder,
              `p${shard}.arrow`,
              ipc(
                {
                  n: numbers(from, from + size),
                  s: vectorFromArray(
                    Array.from({ length: size }, (_, i) => `row ${from + i}`),
                    new Utf8(),
                  ),
                },
                format as 'file',
                rows,
              ),
            );
            from += size;
            return file;
          });
          const samples = await all(arrow<{ n: number; s: string }>(files, { cacheBytes }).pipe(epochs(2), shuffle()));
          expect(samples).toHaveLength(2 * from);
          for (const { fields, origin } of samples) expect(fields).toEqual({ n: origin.id, s: `row ${origin.id}` });
        },
      ),
      { numRuns: 25, seed: 9 },
    );
  });

  test('a stream whose dictionaries are replaced and extended is read in any order', async () => {
    const type = new Dictionary(new Utf8(), new Int32(), 1);
    const dictionaryBatch = (words: string[], indices: number[], previous?: Vector<Utf8>) => {
      const dictionary = previous === undefined ? vectorFromArray(words, new Utf8()) : previous.concat(vectorFromArray(words, new Utf8()));
      const data = makeData({ type, length: indices.length, nullCount: 0, data: Int32Array.from(indices), dictionary: dictionary as never });
      return { batch: new RecordBatch({ word: data as never }), dictionary };
    };
    const first = dictionaryBatch(['a', 'b'], [0, 1, 1]);
    const replaced = dictionaryBatch(['c', 'd'], [0, 1]);
    const extended = dictionaryBatch(['e'], [2, 0], replaced.dictionary);
    const writer = new RecordBatchStreamWriter();
    for (const { batch } of [first, replaced, extended]) writer.write(batch);
    writer.finish();
    const file = write(folder, 'dictionaries.arrows', writer.toUint8Array(true));
    const expected = ['a', 'b', 'b', 'c', 'd', 'e', 'c'];
    expect(values(await all(arrow(file)), 'word')).toEqual(expected);
    const shuffled = await all(arrow<{ word: string }>(file, { cacheBytes: 0 }).pipe(epochs(5), shuffle()));
    for (const { fields, origin } of shuffled) expect(fields.word).toBe(expected[origin.id]);
  });
});

describe('what columns become', () => {
  const read = async (column: Vector, options = {}): Promise<unknown[]> => {
    const path = write(folder, 'column.arrow', ipc({ x: column as never }, 'file', DataType.isUtf8View(column.type) ? 9 : 2));
    return values(await all(arrow(path, options)), 'x');
  };
  test.each<[string, unknown[], DataType | undefined, unknown[]]>([
    ['int16', [1, -2, 3], new Int16(), [1, -2, 3]],
    ['uint32', [1, 4294967295, 3], new Uint32(), [1, 4294967295, 3]],
    ['int64: numbers where exact, else bigint', [1n, 2n ** 53n - 1n, 2n ** 53n], new Int64(), [1, 2 ** 53 - 1, 2n ** 53n]],
    ['float16', [0.5, -2, 65504], new Float16(), [0.5, -2, 65504]],
    ['float32', [0.5, -2, 1.25], new Float32(), [0.5, -2, 1.25]],
    ['float64', [0.1, -2, 1e300], new Float64(), [0.1, -2, 1e300]],
    ['bool', [true, false, true], new Bool(), [true, false, true]],
    ['utf8', ['a', '', 'gré 日本'], new Utf8(), ['a', '', 'gré 日本']],
    ['large utf8', ['a', '', 'gré 日本'], new LargeUtf8(), ['a', '', 'gré 日本']],
    ['utf8 view', ['a', '', 'a text of more than twelve bytes'], new Utf8View(), ['a', '', 'a text of more than twelve bytes']],
    ['binary', [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)], new Binary(), [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]],
    ['large binary', [Uint8Array.of(1), Uint8Array.of(2, 3)], new LargeBinary(), [Uint8Array.of(1), Uint8Array.of(2, 3)]],
    ['date', [new Date(864e5 * 3)], new DateDay(), [3]],
    ['date in ms', [new Date(864e5)], new DateMillisecond(), [864e5]],
    ['timestamp', [12345], new TimestampMillisecond(), [12345]],
    ['dictionary', ['x', 'y', 'x'], new Dictionary(new Utf8(), new Int32()), ['x', 'y', 'x']],
    ['list of text', [['a', 'b'], [], ['c']], new List(new Field('item', new Utf8(), true)), [['a', 'b'], [], ['c']]],
    ['list of numbers', [[1, 2], [], [3]], new List(new Field('item', new Float32(), true)), [Float32Array.of(1, 2), new Float32Array(0), Float32Array.of(3)]],
    ['list of int64', [[1n, 2n], []], new List(new Field('item', new Int64(), true)), [[1, 2], []]],
    ['list with nulls inside', [[1, null], []], new List(new Field('item', new Float32(), true)), [[1, null], []]],
    [
      'fixed-size list of text',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      new FixedSizeList(2, new Field('item', new Utf8(), true)),
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'fixed-size list of int16',
      [
        [1, 2],
        [3, 4],
      ],
      new FixedSizeList(2, new Field('item', new Int16(), true)),
      [
        { data: Int32Array.of(1, 2), shape: [2] },
        { data: Int32Array.of(3, 4), shape: [2] },
      ],
    ],
    [
      'fixed-size list of float64',
      [
        [1, 2],
        [3, 4],
      ],
      new FixedSizeList(2, new Field('item', new Float64(), true)),
      [
        { data: Float32Array.of(1, 2), shape: [2] },
        { data: Float32Array.of(3, 4), shape: [2] },
      ],
    ],
    [
      'fixed-size list of bool',
      [
        [true, false, true],
        [false, true, true],
      ],
      new FixedSizeList(3, new Field('item', new Bool(), true)),
      [
        { data: Uint8Array.of(1, 0, 1), shape: [3] },
        { data: Uint8Array.of(0, 1, 1), shape: [3] },
      ],
    ],
    [
      'nested fixed-size lists',
      [
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      ],
      new FixedSizeList(3, new Field('item', new FixedSizeList(2, new Field('item', new Int32(), true)), true)),
      [{ data: Int32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] }],
    ],
    [
      'struct, null inside it included',
      [
        { bytes: Uint8Array.of(1), path: 'p' },
        { bytes: Uint8Array.of(2), path: null },
      ],
      new Struct([new Field('bytes', new Binary(), true), new Field('path', new Utf8(), true)]),
      [
        { bytes: Uint8Array.of(1), path: 'p' },
        { bytes: Uint8Array.of(2), path: null },
      ],
    ],
  ])('%s', async (_, given, type, expected) => {
    const got = await read(vectorFromArray(given as never, type as never) as never);
    expect(got).toEqual(expected);
  });

  test('all 65,536 half floats are what Math says', () => {
    const bits = new Uint16Array(1);
    for (let i = 0; i < 65536; i++) {
      bits[0] = i;
      const [sign, exponent, fraction] = [i >> 15 ? -1 : 1, (i >> 10) & 31, i & 1023];
      const expected =
        exponent === 31
          ? fraction
            ? Number.NaN
            : sign * Number.POSITIVE_INFINITY
          : exponent
            ? sign * 2 ** (exponent - 25) * (1024 + fraction)
            : sign * fraction * 2 ** -24;
      if (!Object.is(half(i), expected)) throw new Error(`${i}: ${half(i)}, not ${expected}`);
    }
  });

  test('our tensors come back as views with their shape; bytes of one record batch share one buffer', async () => {
    const tokens = { data: Float32Array.from({ length: 24 }, (_, i) => i), shape: [4, 2, 3] };
    const raw = { rows: 4, values: [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3), Uint8Array.of(4)] };
    const writer = new RecordBatchFileWriter();
    writer.write(toRecordBatch({ rows: 4, columns: { tokens, raw }, origins: [], program: undefined }));
    writer.finish();
    const samples = await all(arrow<{ tokens: Column; raw: Uint8Array }>(write(folder, 't.arrow', writer.toUint8Array(true))));
    expect(samples[2]?.fields.tokens).toEqual({ data: tokens.data.subarray(12, 18), shape: [2, 3] });
    const buffers = new Set(samples.flatMap(({ fields }) => [fields.tokens.data.buffer, fields.raw.buffer]));
    expect(buffers.size).toBe(1);
  });

  test('columns are read by name, in the order named', async () => {
    const path = write(folder, 'named.arrow', ipc({ a: numbers(0, 2), b: numbers(5, 7), c: numbers(8, 10) }));
    const [first] = await all(arrow(path, { columns: ['c', 'a'] }));
    expect(Object.entries(first?.fields ?? {})).toEqual([
      ['c', 8],
      ['a', 0],
    ]);
  });
});

describe('bad samples', () => {
  const holes = write(folder, 'holes.arrow', ipc({ x: vectorFromArray(['a', null, 'c', null, 'e', 'f'], new Utf8()), n: numbers(0, 6) }, 'file', 2));

  test('a null is an error that names file, row and column', async () => {
    const error = await failure(arrow(holes));
    expect(error).toBeInstanceOf(MaskflowError);
    expect(error.message).toBe(
      `arrow: a sample cannot be used: it is null (${holes}, row 1, column "x"). Correct the file, leave the row out with onBadSample: 'skip', or let it through as null with nullable: ["x"].`,
    );
  });

  test('not in a column that is not read, nor in one where null is a value', async () => {
    expect(await all(arrow(holes, { columns: ['n'] }))).toHaveLength(6);
    expect(values(await all(arrow(holes, { nullable: ['x'] })), 'x')).toEqual(['a', null, 'c', null, 'e', 'f']);
  });

  test('are skipped and counted, each row once, up to maxBad', async () => {
    const skipped: [string, number][] = [];
    const samples = await all(arrow(holes, { onBadSample: 'skip', onSkip: (problem, count) => skipped.push([problem.message, count]) }).pipe(epochs(3)));
    expect(ids(samples)).toEqual([0, 2, 4, 5, 0, 2, 4, 5, 0, 2, 4, 5]);
    expect(skipped.map(([, count]) => count)).toEqual([1, 2]);
    expect(skipped[1]?.[0]).toContain('row 3, column "x"');
    const error = await failure(arrow(holes, { onBadSample: 'skip', maxBad: 1, onSkip: () => {} }));
    expect(error.message).toBe(
      `arrow.maxBad: more than 1 samples cannot be used; the last one: a sample cannot be used: it is null (${holes}, row 3, column "x"). Look at the data set; if so many bad samples are right, raise maxBad.`,
    );
  });

  test('are warned of where nobody listens: the first one, and how many in the end', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await all(arrow(holes, { onBadSample: 'skip' }));
    await until(() => warn.mock.calls.length === 2);
    expect(warn.mock.calls.map(([text]) => String(text))).toEqual([
      expect.stringContaining('a sample is left out. arrow: a sample cannot be used: it is null'),
      'arrow: 2 samples in all could not be used and were left out',
    ]);
    warn.mockRestore();
  });

  test('text that is no UTF-8 and offsets that lead outside are bad samples, their neighbours are not', async () => {
    const text = vectorFromArray(['good', 'bad!', 'fine'], new Utf8());
    const bytes = ipc({ x: text });
    const at = Buffer.from(bytes).indexOf('bad!');
    bytes[at] = 0xff;
    const path = write(folder, 'utf8.arrow', bytes);
    expect((await failure(arrow(path))).message).toContain(`a sample cannot be used: it is not valid UTF-8 (${path}, row 1, column "x")`);
    expect(values(await all(arrow(path, { onBadSample: 'skip', onSkip: () => {} })), 'x')).toEqual(['good', 'fine']);

    const offsets = ipc({ x: text });
    const view = new DataView(offsets.buffer, offsets.byteOffset);
    const start = Buffer.from(offsets).indexOf(Buffer.from(Int32Array.of(0, 4, 8, 12).buffer));
    view.setInt32(start + 8, 900, true);
    const other = write(folder, 'offsets.arrow', offsets);
    expect((await failure(arrow(other))).message).toMatch(/its offsets 4–900 lie outside of the \d+ elements that there are/);
    expect(values(await all(arrow(other, { onBadSample: 'skip', onSkip: () => {} })), 'x')).toEqual(['good']);
  });

  test('a tensor with a null in it, and one that does not fit int32', async () => {
    const list = (type: DataType | undefined) => new FixedSizeList(2, new Field('item', type as never, true));
    const nulls = write(
      folder,
      'tensorNull.arrow',
      ipc({
        x: vectorFromArray(
          [
            [1, 2],
            [3, null],
          ],
          list(new Float32()) as never,
        ) as never,
      }),
    );
    expect((await failure(arrow(nulls))).message).toContain('a tensor cannot hold null');
    const large = write(folder, 'tensorLarge.arrow', ipc({ x: vectorFromArray([[1n, 2n ** 40n]], list(new Int64()) as never) as never }));
    expect((await failure(arrow(large))).message).toContain('a tensor of Int64 holds 1099511627776, which is no int32');
  });
});

describe('errors', () => {
  const good = ipc({ image: vectorFromArray(['x', 'y', 'z'], new Utf8()), label: numbers(0, 3) }, 'file', 1);
  const goodStream = ipc({ image: vectorFromArray(['x', 'y', 'z'], new Utf8()), label: numbers(0, 3) }, 'stream', 1);
  const file = (name: string, bytes: Uint8Array | string): string => write(folder, name, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);

  test('a column that is not there', async () => {
    const path = file('good.arrow', good);
    expect((await failure(arrow(path, { columns: ['lable'] }))).message).toBe(
      `arrow.columns: there is no such column; got "lable" (${path}). Did you mean label? Columns: image, label.`,
    );
  });

  test('a column of a type that is not read; not asked for, it does not matter', async () => {
    const interval = makeVector(makeData({ type: new IntervalYearMonth(), length: 2, data: Int32Array.of(1, 2) }));
    const path = file('interval.arrow', ipc({ gap: interval as never, label: numbers(0, 2) }));
    expect((await failure(arrow(path))).message).toMatch(
      /^arrow\.columns: column "gap" has a type that is not read: Interval<YEAR_MONTH> \(.*interval\.arrow\)\. Leave it out by naming the columns/,
    );
    expect(await all(arrow(path, { columns: ['label'] }))).toHaveLength(2);
  });

  test('no such file, with the nearest name; no such folder; a folder; a pattern that nothing fits', async () => {
    file('digits.arrow', good);
    expect((await failure(arrow(join(folder, 'digit.arrow')))).message).toBe(
      `arrow: there is no such file (${join(folder, 'digit.arrow')}). Did you mean ${join(folder, 'digits.arrow')}?`,
    );
    expect((await failure(arrow(join(folder, 'no', 'x.arrow')))).message).toContain(
      `There is no folder ${join(folder, 'no')} either; relative paths start at ${process.cwd()}.`,
    );
    expect((await failure(arrow(folder))).message).toBe(
      `arrow: this is a folder, not a file (${folder}). Name its files with a pattern: "${join(folder, '*.arrow')}".`,
    );
    expect((await failure(arrow(join(folder, '*.nothing')))).message).toContain('arrow: no file fits this pattern; got');
  });

  test('files that are no Arrow, with what they look like', async () => {
    expect((await failure(arrow(file('x.parquet', 'PAR1 and more bytes')))).message).toMatch(
      /arrow: this is neither an Arrow IPC file nor an Arrow IPC stream; got "PAR1 and" \(.*x\.parquet\)\. It looks like Parquet; in Python: /,
    );
    expect((await failure(arrow(file('x.json', '{"a": 1, "b": 2}')))).message).toContain('It looks like JSON.');
    expect((await failure(arrow(file('x.gz', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]))))).message).toContain(
      'It looks compressed as a whole: unpack it first.',
    );
    expect((await failure(arrow(file('x.txt', 'hello world, this is text')))).message).toContain(
      'Arrow files begin with ARROW1, streams with a schema message.',
    );
    expect((await failure(arrow(file('x.short', 'abc')))).message).toContain('this is neither');
    expect((await failure(arrow(file('x.empty', '')))).message).toContain('arrow: the file is empty (0 bytes)');
  });

  test('cut short anywhere: an error that says so, or whole record batches of a stream', async () => {
    for (let length = 1; length < good.byteLength; length += 17) {
      const error = await failure(arrow(file('cut.arrow', good.slice(0, length))));
      expect(error).toBeInstanceOf(MaskflowError);
      if (length >= 8) expect(error.message).toMatch(/its end is missing .*The file is incomplete/);
    }
    // A stream may end without its end mark: behind a whole message it is complete as far as anyone can tell.
    const complete: number[] = [];
    for (let length = 4; length < goodStream.byteLength; length += 4) {
      try {
        complete.push((await all(arrow(file('cut.arrows', goodStream.slice(0, length))))).length);
      } catch (error) {
        expect(error).toBeInstanceOf(MaskflowError);
        expect((error as Error).message).toMatch(/cut short|neither an Arrow|no rows/);
      }
    }
    expect(complete).toEqual([1, 2, 3]);
    const error = await failure(arrow(file('cut.arrows', goodStream.slice(0, goodStream.byteLength - 20))));
    expect(error.message).toMatch(
      /^arrow: record batch 2 is cut short: \d+ bytes should follow byte \d+, \d+ do \(.*cut\.arrows\)\. The file is incomplete: its writer may have been stopped, or still be at work\. Copy or write it again\.$/,
    );
  });

  test('bytes behind the end of a stream', async () => {
    expect((await failure(arrow(file('two.arrows', Buffer.concat([goodStream, goodStream]))))).message).toContain(
      `arrow: ${goodStream.byteLength} bytes follow the end of the stream`,
    );
  });

  test('no rows', async () => {
    const empty = ipc({ n: vectorFromArray([], new Int32()) });
    expect((await failure(arrow(file('empty.arrow', empty)))).message).toMatch(/^arrow: the data set has no rows \(.*empty\.arrow\)\./);
    expect(await all(arrow([file('empty.arrow', empty), file('three.arrow', ipc({ n: numbers(0, 3) }))]))).toHaveLength(3);
  });

  test('shards that do not agree', async () => {
    const other = file('other.arrow', ipc({ image: numbers(0, 1), label: numbers(0, 1) }));
    const path = file('good.arrow', good);
    expect((await failure(arrow([path, other]))).message).toBe(
      `arrow.columns: column "image" is Utf8 in ${path}, and all files of a source must agree; got "Int32" (${other}). Name the columns that they share in \`columns\`, or read them as sources of their own.`,
    );
    expect(await all(arrow([path, other], { columns: ['label'] }))).toHaveLength(4);
    expect((await failure(arrow([path, file('less.arrow', ipc({ label: numbers(0, 1) }))]))).message).toContain('got "no such column"');
  });

  test('compressed buffers without a codec, and run-end-encoded columns', async () => {
    compressionRegistry.set(CompressionType.ZSTD, { encode: () => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0) });
    const writer = new RecordBatchFileWriter({ compressionType: CompressionType.ZSTD });
    writer.write(new RecordBatch({ n: numbers(0, 100).data[0] as never }));
    writer.finish();
    const message = (await failure(arrow(file('zstd.arrow', writer.toUint8Array(true))))).message;
    expect(message).toMatch(
      /^arrow: its buffers are compressed with zstd, and no codec for that is registered \(.*zstd\.arrow\)\. Write it without compression/,
    );
    // Written by pyarrow: one column of type run_end_encoded<int32, string>.
    const runs = readFileSync(new URL('./runs.arrow', import.meta.url));
    expect((await failure(arrow(file('runs.arrow', runs)))).message).toMatch(/Run-end-encoded columns must be converted first, in Python: .*run_end_decode/);
  });

  test('options that do not fit', () => {
    expect(() => arrow('x', { column: ['a'] } as never)).toThrow('arrow.column: there is no such option. Did you mean columns?');
    expect(() => arrow('x', { onBadSample: 'ignore' as never })).toThrow("arrow.onBadSample: must be 'throw' or 'skip'; got \"ignore\".");
    expect(() => arrow('x', { maxBad: -1 })).toThrow('arrow.maxBad: must be an integer of at least 0; got -1.');
    expect(() => arrow('x', { cacheBytes: 0.5 })).toThrow('arrow.cacheBytes: must be an integer of at least 0; got 0.5.');
    expect(() => arrow('x', { columns: [] })).toThrow('arrow.columns: must name at least one column; got [].');
    expect(() => arrow('x', { columns: ['a'], nullable: ['b'] })).toThrow('arrow.nullable: must name columns that are read: a; got "b".');
    expect(() => arrow([])).toThrow('arrow.path: must name at least one file');
    expect(() => arrow(['-', 'x'])).toThrow("arrow.path: must be '-' alone or names of files");
  });
});

describe('patterns', () => {
  test('*, ? and ** find files, sorted; names in dot files and folders behind links are left out', async () => {
    const root = join(folder, 'glob');
    for (const sub of ['a/b', 'c', '.hidden']) mkdirSync(join(root, sub), { recursive: true });
    const put = (name: string, from: number) => writeFileSync(join(root, name), ipc({ n: numbers(from, from + 1) }));
    for (const [index, name] of ['2.arrow', '1.arrow', '10.arrow', 'a/3.arrow', 'a/b/4.arrow', 'c/5.arrows', '.hidden/6.arrow', '.7.arrow'].entries())
      put(name, index);
    symlinkSync(root, join(root, 'c', 'loop'));
    const found = async (pattern: string) => values<number>(await all(arrow(join(root, pattern))), 'n');
    expect(await found('*.arrow')).toEqual([1, 2, 0]);
    expect(await found('?.arrow')).toEqual([1, 0]);
    expect(await found('**/*.arrow*')).toEqual([1, 2, 0, 3, 4, 5]);
    expect(await found('*/?.arrow')).toEqual([3]);
    expect(await found('a/**/*.arrow')).toEqual([3, 4]);
    put('what?.arrow', 9);
    expect(await found('what?.arrow')).toEqual([9]);
  });

  test('a part of a pattern takes its characters as they are', () => {
    expect(fits('a.b', 'aXb')).toBe(false);
    expect(fits('(a)+*', '(a)+x')).toBe(true);
    expect(fits('*', '.git')).toBe(false);
  });
});

describe('handles', () => {
  const many = Array.from({ length: 80 }, (_, i) => write(folder, `many${i}.arrow`, ipc({ n: numbers(i, i + 1) })));
  const large = write(folder, 'large.arrow', ipc({ n: numbers(0, 5000) }, 'file', 10));

  test('nothing is opened before subscription; at most 64 files are open; all are closed after the last sample', async () => {
    await until(() => openHandles(folder) === 0);
    const source = arrow<{ n: number }>(many, { cacheBytes: 0 });
    expect(openHandles(folder)).toBe(0);
    let most = 0;
    const samples = await all(source.pipe(tap(() => (most = Math.max(most, openHandles(folder))))));
    expect(values(samples, 'n')).toEqual(Array.from({ length: 80 }, (_, i) => i));
    expect(most).toBeLessThanOrEqual(64);
    await until(() => openHandles(folder) === 0);
  });

  test.each<[string, (source: ReturnType<typeof arrow>) => Promise<unknown>]>([
    ['take(n)', (source) => all(source.pipe(take(3)))],
    [
      'an error below',
      (source) =>
        failure(
          source.pipe(
            map(() => {
              throw new Error('no');
            }),
          ),
        ),
    ],
    ['an error of the source', () => failure(arrow(large, { columns: ['x'] }))],
    [
      'unsubscribing',
      (source) =>
        new Promise((resolve) => {
          const subscription = source.pipe(concatMap((x) => of(x).pipe(delay(1)))).subscribe({
            next: () => {
              subscription.unsubscribe();
              resolve(undefined);
            },
            error: resolve,
          });
        }),
    ],
  ])('%s closes the file', async (_, end) => {
    await end(arrow(large));
    await until(() => openHandles(folder) === 0);
  });
});

describe('standard input', () => {
  const withStdin = async <T>(bytes: Uint8Array, size: number, work: () => Promise<T>): Promise<T> => {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.byteLength; at += size) chunks.push(bytes.slice(at, at + size));
    const before = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor;
    Object.defineProperty(process, 'stdin', { configurable: true, value: Readable.from(chunks, { objectMode: false }) });
    try {
      return await work();
    } finally {
      Object.defineProperty(process, 'stdin', before);
    }
  };
  const words = vectorFromArray(['a', 'b', null, 'd', 'e'], new Dictionary(new Utf8(), new Int32()));
  const bytes = (format: 'file' | 'stream') => ipc({ n: numbers(0, 5), w: words as never }, format, 2);

  test.each([1, 7, 64, 100_000])('both formats, in chunks of %i bytes', async (size) => {
    const whole = new FileWriter();
    const table = tableFromIPC(bytes('stream'));
    for (const batch of table.batches) whole.write(batch);
    whole.finish();
    for (const given of [bytes('stream'), Buffer.concat(whole.parts)]) {
      const samples = await withStdin(given, size, () => all(arrow('-', { nullable: ['w'] })));
      expect(values(samples, 'n')).toEqual([0, 1, 2, 3, 4]);
      expect(values(samples, 'w')).toEqual(['a', 'b', null, 'd', 'e']);
    }
  });

  test('is read once', async () => {
    const error = await withStdin(bytes('stream'), 64, () => failure(arrow('-', { nullable: ['w'] }).pipe(epochs(2))));
    expect(error.message).toBe(
      'arrow: standard input can be read only once, and a second epoch was asked for. Write it to a file first (… > data.arrows) and name that file, or use epochs(1).',
    );
  });

  test('errors name it', async () => {
    const whole = bytes('stream');
    expect((await withStdin(whole, 64, () => failure(arrow('-')))).message).toContain('it is null (standard input, row 2, column "w")');
    expect((await withStdin(whole.slice(0, 700), 64, () => failure(arrow('-', { nullable: ['w'] })))).message).toMatch(
      /cut short: the stream ended inside of it \(standard input\)\. The command in front of the pipe probably failed/,
    );
    expect((await withStdin(bytes('file'), 64, () => failure(arrow('-')))).message).toContain(
      'this is an Arrow file that keeps its schema at its end only, so it cannot be read from a pipe (standard input). Pipe an Arrow stream instead',
    );
    expect((await withStdin(new Uint8Array(0), 64, () => failure(arrow('-')))).message).toMatch(
      /nothing came in \(0 bytes\) \(standard input\)\. Does the command in front of the pipe write/,
    );
    expect((await withStdin(Buffer.from('some text that is no arrow'), 64, () => failure(arrow('-')))).message).toContain(
      'neither an Arrow IPC file nor an Arrow IPC stream',
    );
    expect((await withStdin(ipc({ n: vectorFromArray([], new Int32()) }, 'stream'), 64, () => failure(arrow('-')))).message).toContain(
      'the data set has no rows (standard input)',
    );
  });

  test('a named pipe is read as it comes, with a shuffle buffer', async ({ skip }) => {
    const pipe = join(folder, 'pipe');
    try {
      execFileSync('mkfifo', [pipe]);
    } catch {
      skip('this system has no mkfifo');
    }
    const beside = await failure(arrow([write(folder, 'beside.arrow', ipc({ n: numbers(0, 1) })), pipe]));
    expect(beside.message).toContain(`arrow: is a pipe or device, which can only be read alone, not as one of several files (${pipe})`);
    const { writeFile } = await import('node:fs/promises');
    const writing = writeFile(pipe, ipc({ n: numbers(0, 50) }, 'stream', 7));
    const samples = await all(arrow<{ n: number }>(pipe).pipe(shuffle({ buffer: 10 })));
    await writing;
    expect(values<number>(samples, 'n').toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    for (const { fields, origin } of samples) expect(fields.n).toBe(origin.id);
  });
});

describe('arrowBatches', () => {
  test('gives record batches as they are stored, with consecutive ids over files', async () => {
    const path = write(folder, 'batches.arrows', ipc({ n: numbers(0, 5), t: vectorFromArray(['a', 'b', 'c', 'd', 'e'], new Utf8()) }, 'stream', 2));
    const batches = await all(arrowBatches([path, path]));
    expect(batches.map(({ rows }) => rows)).toEqual([2, 2, 1, 2, 2, 1]);
    expect(batches.flatMap(({ origins }) => origins.map(({ id }) => id))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(batches[1]?.columns.n).toEqual({ data: Int32Array.of(2, 3), shape: [2] });
    await all(arrowBatches(path).pipe(take(1)));
    await until(() => openHandles(folder) === 0);
    expect((await failure(arrowBatches(join(folder, 'nope')))).message).toContain('arrowBatches: there is no such file');
  });
});
