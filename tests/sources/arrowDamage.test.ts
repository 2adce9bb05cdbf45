// Damaged files: seeded bit flips and runs of garbage, each in a small file with columns of every layout. The source
// must answer with samples (a flipped bit in a plain buffer is just another value) or with an error of ours, quickly.
import { Bool, Dictionary, Field, FixedSizeList, Float32, Int32, Int64, LargeUtf8, List, Struct, Utf8, vectorFromArray } from 'apache-arrow';
import { expect, test } from 'vitest';
import { MaskflowError } from '../../src/core/errors.js';
import { Draws, fold, rootKey } from '../../src/core/key.js';
import { arrow } from '../../src/sources/arrow.js';
import { all, ipc, temporaryFolder, write } from './arrowFiles.js';

const folder = temporaryFolder();
const item = (type: Utf8 | Float32 | Int32) => new Field('item', type, true);
const columns = {
  n: vectorFromArray([1n, 2n, 3n, null, 5n], new Int64()),
  s: vectorFromArray(['a', 'bc', '', 'déf', 'g'], new Utf8()),
  l: vectorFromArray(['a', 'bc', '', 'def', 'g'], new LargeUtf8()),
  b: vectorFromArray([true, false, null, true, false], new Bool()),
  d: vectorFromArray(['x', 'y', 'x', 'y', 'z'], new Dictionary(new Utf8(), new Int32())),
  w: vectorFromArray([['a'], [], ['b', 'c'], ['d'], []], new List(item(new Utf8()))),
  f: vectorFromArray([[1], [], [2, 3], [4], []], new List(item(new Float32()))),
  t: vectorFromArray(
    [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
      [9, 10],
    ],
    new FixedSizeList(2, item(new Int32())),
  ),
  r: vectorFromArray(
    [1, 2, 3, 4, 5].map((x) => ({ x, y: `y${x}` })),
    new Struct([new Field('x', new Int32(), true), new Field('y', new Utf8(), true)]),
  ),
};

test.each(['file', 'stream'] as const)('damage in an IPC %s gives samples or an error of ours', async (format) => {
  const good = ipc(columns as never, format, 3);
  const nullable = Object.keys(columns);
  const draws = new Draws(fold(rootKey(11), format));
  const outcomes = { samples: 0, errors: 0 };
  const heap = process.memoryUsage().arrayBuffers;
  for (let trial = 0; trial < 400; trial++) {
    const bytes = good.slice();
    const at = draws.integer(bytes.length);
    if (trial % 4 === 0) {
      for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = draws.integer(256);
    } else {
      bytes[at] = (bytes[at] as number) ^ (1 << draws.integer(8));
    }
    try {
      const samples = await all(arrow(write(folder, 'damaged', bytes), { nullable }));
      expect(samples.length).toBeGreaterThan(0);
      outcomes.samples++;
    } catch (error) {
      if (!(error instanceof MaskflowError)) throw new Error(`trial ${trial}: ${(error as Error).stack}`);
      expect(error.message).toContain(`${folder}/damaged`);
      // Never a bare message of the library underneath or of the engine, as if it were about the user's data.
      expect(error.message).toMatch(/^arrow[.:]/);
      outcomes.errors++;
    }
  }
  expect(outcomes.errors).toBeGreaterThan(40);
  expect(outcomes.samples).toBeGreaterThan(40);
  expect(process.memoryUsage().arrayBuffers - heap).toBeLessThan(200 * 2 ** 20);
});
