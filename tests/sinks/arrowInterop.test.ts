// pyarrow reads what we write (tensors as numpy arrays), and we read what pyarrow writes: bench/interop/checkArrow.py.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Batch, Carried, Column } from '../../src/core/batch.js';
import { source } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';
import { map } from 'rxjs';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { arrow } from '../../src/sources/index.js';
import { all, failure, temporaryFolder } from '../sources/arrowFiles.js';

const python = process.env.MASKFLOW_PYTHON ?? 'python3';
const script = fileURLToPath(new URL('../../bench/interop/checkArrow.py', import.meta.url));
const call = (...args: string[]): string => execFileSync(python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
let present = true;
try {
  call('-c', 'import numpy, pyarrow; pyarrow.fixed_shape_tensor; pyarrow.string_view');
} catch {
  present = false;
  console.log(`tests/sinks/arrowInterop skipped: ${python} has no pyarrow and numpy (MASKFLOW_PYTHON names another Python)`);
}

describe.skipIf(!present)('pyarrow', () => {
  const folder = present ? temporaryFolder() : '';

  test('reads our tensors as numpy arrays, and all that is carried', async () => {
    const sizes = [3, 3, 1];
    let from = 0;
    const made = sizes.map((rows): Batch<Record<string, Column | Carried>> => {
      const first = from;
      from += rows;
      const each = <T>(value: (i: number) => T): T[] => Array.from({ length: rows }, (_, row) => value(first + row));
      const tensor = <A extends Column['data']>(
        Kind: { from(items: ArrayLike<number>, make: (_: unknown, i: number) => number): A },
        rest: number[],
        value: (i: number) => number = (i) => i,
      ): Column => {
        const size = rest.reduce((product, n) => product * n, 1);
        return { data: Kind.from({ length: rows * size }, (_, i) => value(first * size + i)), shape: [rows, ...rest] };
      };
      const columns = {
        tokens: tensor(Float32Array, [4, 3]),
        mask: tensor(Uint8Array, [2, 2], (i) => i % 2),
        ids: tensor(Int32Array, [5]),
        label: tensor(Int32Array, []),
        text: { rows, values: each((i) => `row ${i} é`) },
        bytes: { rows, values: each((i) => Uint8Array.of(i)) },
        words: { rows, values: each((i) => Array.from({ length: i % 3 }, (_, j) => `w${j}`)) },
        big: { rows, values: each((i) => 2n ** 60n + BigInt(i)) },
      };
      return { rows, columns, origins: each((id) => ({ source: 0, id, epoch: 0, position: id })), grid: [2, 2], program: undefined };
    });
    const path = join(folder, 'ours.arrow');
    const batches = source<Batch<Record<string, Column | Carried>>>(recipe('test', 'made'), () => ({
      length: made.length,
      at: (i) => made[i],
      close: () => {},
    })).pipe(map(({ fields }) => fields));
    await all(batches.pipe(arrowFile(path, { origins: true })));
    expect(JSON.parse(call(script, 'check', path))).toMatchObject({
      rows: 7,
      columns: ['tokens', 'mask', 'ids', 'label', 'text', 'bytes', 'words', 'big', 'origin'],
    });
  });

  test('writes what we read: tensors, permuted tensors, views, halves, dictionaries, lists, structs', async () => {
    call(script, 'write', folder);
    const row = (i: number) => ({
      tokens: { data: Float32Array.from({ length: 6 }, (_, j) => 6 * i + j), shape: [2, 3] },
      turned: { data: Float32Array.of(0, 3, 1, 4, 2, 5).map((j) => 6 * i + j), shape: [3, 2] },
      mask: { data: Uint8Array.from({ length: 4 }, (_, j) => ((4 * i + j) % 3 === 0 ? 1 : 0)), shape: [4] },
      label: i,
      text: `row ${i} é`,
      view: i % 2 ? `a string view of row ${i}` : 'short',
      half: i / 4,
      bytes: Uint8Array.of(i, i + 1),
      class: i % 2 ? 'odd' : 'even',
      words: Array.from({ length: i % 3 }, (_, j) => `w${j}`),
      image: { bytes: Uint8Array.of(i), path: null },
    });
    const rows = Array.from({ length: 10 }, (_, i) => row(i));
    expect((await all(arrow(join(folder, 'tensors.arrow')))).map(({ fields }) => fields)).toEqual(rows);
    expect((await all(arrow(join(folder, 'tensors.arrows')))).map(({ fields }) => fields)).toEqual(rows.slice(1));
    for (const codec of ['lz4', 'zstd'])
      expect((await failure(arrow(join(folder, `${codec}.arrow`)))).message).toContain(`its buffers are compressed with ${codec}`);
    expect((await failure(arrow(join(folder, 'runs.arrow')))).message).toContain('Run-end-encoded columns must be converted first');
  });
});
