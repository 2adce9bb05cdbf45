import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { Dictionary, Int32, Utf8, tableFromIPC, vectorFromArray } from 'apache-arrow';
import { type Observable, concatMap, delay, map, of, take, tap, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { fromRecordBatch } from '../../src/core/arrow/index.js';
import type { Batch, Column } from '../../src/core/batch.js';
import { Gate, source, within } from '../../src/core/demand/index.js';
import type { Program } from '../../src/core/program.js';
import { batch } from '../../src/operators/batch.js';
import { streamTarget } from '../../src/sinks/arrow/target.js';
import { writing } from '../../src/sinks/arrow/writing.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { arrowStream } from '../../src/sinks/arrowStream.js';
import { arrow, arrowBatches, memory } from '../../src/sources/index.js';
import { recipe } from '../../src/core/recipe.js';
import { all, failure, ipc, openHandles, temporaryFolder, until, write } from '../sources/arrowFiles.js';

const folder = temporaryFolder();
const rows = (n: number) =>
  Array.from({ length: n }, (_, i) => ({ x: { data: Float32Array.of(i, i + 0.5), shape: [2] } as Column<Float32Array>, label: i, text: `row ${i}` }));
const batches = (n = 10, size = 4) => memory(rows(n)).pipe(batch(size));
type Sink = typeof arrowFile;

describe.each<[string, Sink]>([
  ['arrowFile', arrowFile],
  ['arrowStream', arrowStream],
])('%s', (name, sink) => {
  const path = join(folder, `deep/er/${name}.arrow`);

  test('writes every batch, passes it on as it is, and the sources read it back', async () => {
    const given: Batch<unknown>[] = [];
    const passed = await all(
      batches().pipe(
        tap((one) => given.push(one)),
        sink(path, { origins: true }),
      ),
    );
    expect(passed).toHaveLength(3);
    passed.forEach((one, i) => expect(one).toBe(given[i]));
    const back = await all(arrow<{ x: Column; label: number; text: string }>(path, { columns: ['x', 'label', 'text'] }));
    expect(back.map(({ fields }) => fields)).toEqual(rows(10));
    const stored = await all(arrowBatches(path));
    expect(stored.map((one) => one.rows)).toEqual([4, 4, 2]);
    expect(stored[1]?.columns.x).toEqual(passed[1]?.columns.x);
    expect(stored.flatMap(({ origins }) => origins)).toEqual(passed.flatMap(({ origins }) => origins));
    // Arrow JS's own reader agrees.
    const table = tableFromIPC(readFileSync(path));
    expect(table.numRows).toBe(10);
    expect(fromRecordBatch(table.batches[2] as never).columns.label).toEqual({ data: Float32Array.of(8, 9), shape: [2] });
    expect(readdirSync(join(folder, 'deep/er')).filter((file) => file.endsWith('.partial'))).toEqual([]);
    await until(() => openHandles(folder) === 0);
  });

  test.each<[string, (source: Observable<Batch<unknown>>) => Promise<unknown>]>([
    [
      'an error above',
      () =>
        failure(
          batches().pipe(
            concatMap((one, i) => (i === 2 ? throwError(() => new Error('above')) : of(one))),
            sink(path),
          ),
        ),
    ],
    [
      'an error below',
      (source) =>
        failure(
          source.pipe(
            map((_, i) => {
              if (i === 1) throw new Error('below');
            }),
          ),
        ),
    ],
    ['take(n)', (source) => all(source.pipe(take(1)))],
    [
      'unsubscribing',
      (source) =>
        new Promise((resolve) => {
          const subscription = source.pipe(concatMap((x) => of(x).pipe(delay(1)))).subscribe(() => {
            subscription.unsubscribe();
            resolve(undefined);
          });
        }),
    ],
  ])('%s removes the half-written file and leaves an existing one untouched', async (_, end) => {
    mkdirSync(join(folder, 'deep/er'), { recursive: true });
    writeFileSync(path, 'old');
    await end(batches(40).pipe(sink(path)));
    await until(() => openHandles(folder) === 0 && !existsSync(`${path}.partial`));
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('holds at most `prefetch` batches, and writes each before the next is pulled past it', async () => {
    const gate = new Gate({ prefetch: 2 });
    let ahead = 0;
    let most = 0;
    await within({ gate }, () =>
      all(
        batches(400, 4).pipe(
          tap(() => {
            ahead++;
            most = Math.max(most, ahead);
          }),
          sink(path),
          tap(() => ahead--),
        ),
      ),
    );
    expect(most).toBeLessThanOrEqual(2);
    expect(gate.mostBatches).toBeLessThanOrEqual(2);
    await gate.closed();
    expect(openHandles(folder)).toBe(0);
  });

  test('errors: nothing arrived, another schema, a folder, a place that cannot be written, a program, options', async () => {
    expect(
      (
        await failure(
          batches().pipe(
            map((one) => one),
            (s) => s.pipe(concatMap(() => [])),
            sink(path),
          ),
        )
      ).message,
    ).toBe(`${name}: no batch arrived, so there is nothing to write (${path}). Did a filter let nothing through?`);
    const growing = batches(8).pipe(map((one, i) => ({ ...one, columns: { x: { data: new Float32Array(4 * (i + 1)), shape: [4, i + 1] } } })));
    expect((await failure(growing.pipe(sink(path)))).message).toMatch(
      new RegExp(
        `^${name}\\.x: was FixedSizeList\\[1\\]<Float32> \\{"shape":\\[1\\]\\} in the first batch and must stay so; got .*batch of samples 4, 5, 6, 7, epoch 0\\)\\. Arrow files and streams have one schema`,
        'u',
      ),
    );
    expect((await failure(batches().pipe(sink(folder)))).message).toContain(`${name}: this is a folder, not a file (${folder}).`);
    write(folder, 'plain', Buffer.from('x'));
    expect((await failure(batches().pipe(sink(join(folder, 'plain/x.arrow'))))).message).toMatch(
      new RegExp(`^${name}: cannot be written: (ENOTDIR|EEXIST)`, 'u'),
    );
    const program = batches().pipe(map((one) => ({ ...one, program: {} as Program<'loss'> })));
    // @ts-expect-error a program cannot go into Arrow
    expect((await failure(program.pipe(sink(path)))).message).toContain('a batch that carries a program (behind model or loss) cannot become Arrow');
    expect(() => sink(path, { origin: true } as never)).toThrow(`${name}.origin: there is no such option. Did you mean origins?`);
    expect(() => sink('')).toThrow(`${name}.path: must name a file; got "".`);
    await until(() => !existsSync(`${path}.partial`));
  });
});

test('batches padded to different lengths are written as lists', async () => {
  const path = join(folder, 'ragged.arrow');
  const ragged = batches(8).pipe(
    map(({ origins, program, rows: n }, i) => {
      const width = 3 + i;
      return {
        rows: n,
        origins,
        program,
        columns: {
          mask: { data: Uint8Array.from({ length: n * width }, (_, at) => at % 2), shape: [n, width] },
          length: { data: Int32Array.from({ length: n }, (_, row) => row % 3), shape: [n] },
        },
      };
    }),
  );
  await all(ragged.pipe(arrowFile(path, { lists: ['mask'] })));
  const back = await all(arrow<{ mask: Uint8Array; length: number }>(path));
  expect(back.map(({ fields }) => fields.mask.length)).toEqual([0, 1, 2, 0, 0, 1, 2, 0]);
  expect([...(back[6]?.fields.mask ?? [])]).toEqual([0, 1]);
});

test('a dictionary column passes through file and stream; another dictionary only through the stream', async () => {
  const one = (words: string[]) =>
    write(folder, `${words.join('')}.arrow`, ipc({ w: vectorFromArray(words, new Dictionary(new Utf8(), new Int32(), 7)) as never }, 'file', 2));
  const [first, second] = [one(['a', 'b', 'a', 'b']), one(['c', 'd'])];
  await all(arrowBatches(first).pipe(arrowFile(join(folder, 'same.arrow'))));
  expect((await all(arrow<{ w: string }>(join(folder, 'same.arrow')))).map(({ fields }) => fields.w)).toEqual(['a', 'b', 'a', 'b']);
  await all(arrowBatches([first, second]).pipe(arrowStream(join(folder, 'both.arrows'))));
  expect((await all(arrow<{ w: string }>(join(folder, 'both.arrows')))).map(({ fields }) => fields.w)).toEqual(['a', 'b', 'a', 'b', 'c', 'd']);
  const error = await failure(arrowBatches([first, second]).pipe(arrowFile(join(folder, 'both.arrow'))));
  expect(error.message).toContain('arrowFile: a column of dictionary type has another dictionary than in the first batch, which the file format cannot hold');
});

describe('output that is written as it comes', () => {
  const into = (stream: Writable) => writing('arrowStream', '-', 'stream', {}, async () => streamTarget(stream, 'standard output', false));

  test('a slow reader slows the chain down', async () => {
    let taken = 0;
    let served = 0;
    const slow = new Writable({
      highWaterMark: 16,
      write: (chunk: Uint8Array, _, done) => {
        taken += chunk.length;
        setTimeout(done, 1);
      },
    });
    const gate = new Gate({ prefetch: 2 });
    const endless = source<{ n: number }>(recipe('test', 'endless'), () => ({
      length: 200,
      at: (n) => {
        served++;
        return { n };
      },
      close: () => {},
    }));
    let most = 0;
    let written = 0;
    await within({ gate }, () =>
      all(
        endless.pipe(
          batch(5),
          into(slow),
          tap(() => {
            written += 5;
            most = Math.max(most, served - written);
          }),
        ),
      ),
    );
    expect(served).toBe(200);
    expect(most).toBeLessThanOrEqual(15);
    expect(taken).toBeGreaterThan(1000);
  });

  test('what comes out of standard output is an IPC stream', async () => {
    const out = new PassThrough();
    const chunks: Buffer[] = [];
    out.on('data', (chunk: Buffer) => chunks.push(chunk));
    await all(batches().pipe(into(out)));
    expect(out.writableEnded).toBe(false);
    expect(tableFromIPC(Buffer.concat(chunks)).numRows).toBe(10);
  });

  test('a reader that goes away ends the chain with an error that says so, and the source is closed', async () => {
    const reader: ChildProcess = spawn('head', ['-c', '100'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const error = await failure(batches(100_000, 100).pipe(into(reader.stdin as Writable)));
    expect(error.message).toBe('arrowStream: whoever read this output has stopped reading (standard output).');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('EPIPE');
  });

  test('a named pipe is written as it comes', async ({ skip }) => {
    const pipe = join(folder, 'out.pipe');
    try {
      execFileSync('mkfifo', [pipe]);
    } catch {
      skip('this system has no mkfifo');
    }
    const [read] = await Promise.all([all(arrow<{ label: number }>(pipe)), all(batches().pipe(arrowStream(pipe)))]);
    expect(read.map(({ fields }) => fields.label)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
