import { describe, expect, it } from 'vitest';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import { bounded, drain, nothing, source } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { mask } from '../../src/operators/mask.js';
import { random } from '../../src/operators/masks/random.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { patchify } from '../../src/operators/views/patchify.js';

const side = 224;
const bytesOfSample = side * side * 3 * 4;
const batchSize = 16;

/** Decoded samples, 602 kB each, made when they are asked for; no two share a buffer. */
const samples = (length: number) =>
  source<{ image: Column<Float32Array> }>(recipe('tests', 'decoded', { length }), () => ({
    length,
    at: (id) => ({ image: { data: new Float32Array(side * side * 3).fill(id), shape: [side, side, 3] } }),
    close() {},
  }));

/** Takes longer for a batch than the stages above; looks at the memory while the most is held. */
const slow = (seen: { rows: number; peak: number; most: number }, kept?: AnyBatch[]) =>
  bounded<AnyBatch, never>(recipe('tests', 'slow'), { per: 'batch' }, ({ gate }) => ({
    async work(item): Promise<typeof nothing> {
      await new Promise((resolve) => setTimeout(resolve, 2));
      seen.rows += item.rows;
      seen.peak = Math.max(seen.peak, process.memoryUsage.rss());
      seen.most = Math.max(seen.most, gate.mostBatches);
      kept?.push(item);
      return nothing;
    },
  }));

/** Most memory seen while `length` samples ran through. */
async function peakOf(length: number, kept?: AnyBatch[]): Promise<number> {
  const seen = { rows: 0, peak: 0, most: 0 };
  const masked = samples(length).pipe(epochs(1), shuffle(), batch(batchSize), patchify(16), mask(random({ ratio: 0.75 })));
  await drain(masked.pipe(slow(seen, kept)), { prefetch: 4 });
  expect(seen.rows).toBe(length);
  expect(seen.most).toBe(4);
  return seen.peak;
}

// A bound for growth: what may be in memory is 4 batches with images and tokens (77 MB) and one that is gathered (10 MB),
// plus dead buffers that V8 has not collected yet; it collects when these have grown by some tens of megabytes, whatever
// the data set's size. So sizes N and 4 N may differ by chance, but by no more than about what is held: 256 MB. A chain that
// kept one in ten of the further 3.1 GB, or of their tokens, would grow by more.
const bound = 256e6;

describe('peak memory', () => {
  it('does not grow with the data set: 1 GB and 4.1 GB of decoded samples', { timeout: 120_000 }, async () => {
    const [small, large] = [1700, 6800];
    expect(large * bytesOfSample).toBeGreaterThan(4e9);
    const before = await peakOf(small);
    const after = await peakOf(large);
    expect(after - before).toBeLessThan(bound);
  });

  it('would be seen to grow if batches were held', async () => {
    const before = await peakOf(80);
    // 480 samples of 602 kB, as images and as tokens: 578 MB that stay.
    const kept: AnyBatch[] = [];
    const after = await peakOf(480, kept);
    expect(kept).toHaveLength(30);
    expect(after - before).toBeGreaterThan(bound);
  });
});
