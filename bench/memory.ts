// Peak memory against the size of the data: it must stay flat. Every case runs in a process of its own, and what is reported
// is the high-water mark that the system keeps of that process, so no peak falls between two samples.
//   generated  random access to decoded samples (224 × 224 × 3 float32, 602 kB each) made on demand, through shuffle, batch,
//              patchify and mask to a sink that is slower than the source; the largest case is 4.8 GB of samples
//   write      the same samples as uint8 (151 kB each) into an Arrow file; the largest is 602 MB
//   read       those files read back with shuffle by the `arrow` source, whose cache is smaller than each of them
// Run: npm run bench -- memory
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type AnyBatch,
  type Column,
  arrow,
  arrowFile,
  batch,
  bounded,
  drain,
  epochs,
  image,
  mask,
  nothing,
  patchify,
  random,
  recipe,
  shuffle,
  source,
} from 'maskflow';
import { line } from './support/line.js';

interface Case {
  readonly way: 'generated' | 'write' | 'read';
  readonly samples: number;
  readonly file: string;
  /** Of the `arrow` source; not given = its default. */
  readonly cacheBytes?: number;
}

const side = 224;
const numbers = side * side * 3;
const batchSize = 16;
const rowsOfRecordBatch = 4;
/** Milliseconds that the sink takes for a batch: longer than it takes to make one. */
const pause = 40;

/** Samples made when they are asked for, of one array type; each a fresh buffer, all different. */
function generated<A extends Float32Array | Uint8Array>(samples: number, type: new (length: number) => A, scale: number) {
  return source<{ image: Column<A> }>(recipe('bench', 'generated', { samples }), () => ({
    length: samples,
    at(id) {
      const data = new type(numbers);
      let state = id + 1;
      for (let i = 0; i < numbers; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        data[i] = (state >>> 24) * scale;
      }
      return { image: { data, shape: [side, side, 3] } };
    },
    close() {},
  }));
}

/** Waits `pause` for every batch and lets nothing through; counts what came, and the most batches that were in flight. */
function slowSink(seen: { samples: number; mostBatches: number }) {
  return bounded<AnyBatch, never>(recipe('bench', 'slowSink', { pause }), { per: 'batch' }, ({ gate }) => ({
    async work({ rows }): Promise<typeof nothing> {
      await new Promise((resolve) => setTimeout(resolve, pause));
      seen.samples += rows;
      seen.mostBatches = gate.mostBatches;
      return nothing;
    },
  }));
}

/** One case, in this process. */
async function measure({ way, samples, file, cacheBytes }: Case): Promise<void> {
  const seen = { samples: 0, mostBatches: 0 };
  const startRss = process.memoryUsage.rss();
  const start = performance.now();
  const prefetch = 4;
  if (way === 'write') {
    await drain(generated(samples, Uint8Array, 1).pipe(batch(rowsOfRecordBatch), arrowFile(file)), { prefetch }, ({ rows }) => {
      seen.samples += rows;
    });
  } else if (way === 'read') {
    const images = arrow<{ image: Column<Uint8Array> }>(file, cacheBytes === undefined ? {} : { cacheBytes });
    const view = images.pipe(epochs(1), shuffle(), image({ size: side, channels: 3 }), batch(batchSize), patchify(16));
    await drain(view.pipe(mask(random({ ratio: 0.75 })), slowSink(seen)), { prefetch });
  } else {
    const view = generated(samples, Float32Array, 1 / 255).pipe(epochs(1), shuffle(), batch(batchSize), patchify(16));
    await drain(view.pipe(mask(random({ ratio: 0.75 })), slowSink(seen)), { prefetch });
  }
  if (seen.samples !== samples) throw new Error(`${seen.samples} of ${samples} samples arrived`);
  line('memory', {
    way,
    samples,
    bytesOfSamples: samples * numbers * (way === 'write' ? 1 : 4),
    ...(way === 'generated' ? {} : { fileBytes: statSync(file).size }),
    ...(way === 'read' ? { cacheBytes: cacheBytes ?? 'default (256 MiB)' } : {}),
    peakRss: process.resourceUsage().maxRSS * 1024,
    startRss,
    ...(way === 'write' ? {} : { mostBatches: seen.mostBatches, prefetch }),
    seconds: Number(((performance.now() - start) / 1000).toFixed(1)),
  });
}

/** All cases, each in a child: samples × 1, × 4, × 16. */
function measureAll(): void {
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));
  try {
    const cases: Case[] = [500, 2000, 8000].map((samples) => ({ way: 'generated', samples, file: '' }));
    for (const samples of [250, 1000, 4000]) {
      const file = join(folder, `${samples}.arrow`);
      cases.push({ way: 'write', samples, file }, { way: 'read', samples, file, cacheBytes: 32 * 2 ** 20 });
    }
    cases.push({ way: 'read', samples: 4000, file: join(folder, '4000.arrow') });
    const jiti = fileURLToPath(new URL('../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url));
    for (const one of cases) {
      const env = { ...process.env, BENCH_MEMORY_CASE: JSON.stringify(one) };
      const { status } = spawnSync(process.execPath, [jiti, fileURLToPath(import.meta.url)], { stdio: 'inherit', env });
      if (status !== 0) throw new Error(`case ${one.way} × ${one.samples} failed`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const given = process.env.BENCH_MEMORY_CASE;
if (given === undefined) measureAll();
else await measure(JSON.parse(given) as Case);
