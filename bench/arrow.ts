// Reading and writing Arrow: rows a second of a binary column of a million rows, by the column reader alone, through the
// whole source (gate, origins, one object a sample) in stored and shuffled order, and of tensors through the sink.
// Run: npm run bench -- arrow; BENCH_ROWS=100000 takes fewer rows.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Binary, Field, makeData } from 'apache-arrow';
import { type Observable, lastValueFrom, reduce } from 'rxjs';
import type { Column, Sample } from '../src/core/batch.js';
import { batch } from '../src/operators/batch.js';
import { epochs } from '../src/operators/epochs.js';
import { shuffle } from '../src/operators/shuffle.js';
import { arrowFile } from '../src/sinks/arrowFile.js';
import { reader } from '../src/sources/arrow/columns.js';
import { arrow, memory } from '../src/sources/index.js';
import { line } from './support/line.js';

const rows = Number(process.env.BENCH_ROWS ?? 1_000_000);
const width = 32;
const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));
const print = (name: string, count: number, start: number, more: object = {}): void => {
  const seconds = (performance.now() - start) / 1000;
  line('arrow', { name, rows: count, seconds, rowsPerSecond: Math.round(count / seconds), peakRss: process.resourceUsage().maxRSS * 1024, ...more });
};
const drain = <F>(source: Observable<Sample<F>>, size: (fields: F) => number): Promise<number> =>
  lastValueFrom(source.pipe(reduce((sum, { fields }) => sum + size(fields), 0)));

try {
  const valueOffsets = Int32Array.from({ length: rows + 1 }, (_, i) => i * width);
  const type = new Binary();
  const data = makeData({ type, length: rows, nullCount: 0, valueOffsets, data: new Uint8Array(rows * width) });
  const field = new Field('bytes', type);
  for (const attempt of ['cold', 'warm']) {
    const start = performance.now();
    const read = reader(field, data);
    let bytes = 0;
    for (let row = 0; row < rows; row++) bytes += (read(row) as Uint8Array).length;
    print('column reader, binary', rows, start, { attempt, bytes });
  }

  const path = join(folder, 'bench.arrow');
  let start = performance.now();
  const given = memory({
    columns: { pixels: { data: new Uint8Array(rows * width), shape: [rows, width] }, bytes: Array.from({ length: rows }, () => new Uint8Array(width)) },
  });
  await lastValueFrom(given.pipe(batch(4096), arrowFile(path)));
  print('memory → batch → arrowFile', rows, start);

  start = performance.now();
  await drain(arrow<{ bytes: Uint8Array }>(path, { columns: ['bytes'] }), ({ bytes }) => bytes.length);
  print('arrow source, binary, stored order', rows, start);
  start = performance.now();
  await drain(arrow<{ bytes: Uint8Array }>(path, { columns: ['bytes'] }).pipe(epochs(1), shuffle()), ({ bytes }) => bytes.length);
  print('arrow source, binary, shuffled', rows, start);
  start = performance.now();
  await drain(arrow<{ pixels: Column }>(path, { columns: ['pixels'] }), ({ pixels }) => pixels.data.length);
  print('arrow source, tensors, stored order', rows, start);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
