import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { getEventListeners } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { map, tap } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Column } from '../../src/core/batch.js';
import { drain } from '../../src/core/demand/index.js';
import { pipeline } from '../../src/core/pipeline.js';
import type { Executor, Loss, Program, Signature, Tensors } from '../../src/core/program.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { loss } from '../../src/operators/loss.js';
import { mask } from '../../src/operators/mask.js';
import { random } from '../../src/operators/masks/random.js';
import { model } from '../../src/operators/model.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { patchify } from '../../src/operators/views/patchify.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { cosine } from '../../src/optimizers/cosine.js';
import { type RunOptions, run } from '../../src/run/run.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { checkpoint } from '../../src/sinks/checkpoint.js';
import { metrics } from '../../src/sinks/metrics.js';
import { pictures } from '../../src/sinks/pictures.js';
import { tensorboard } from '../../src/sinks/tensorboard.js';
import { train } from '../../src/sinks/train.js';
import { arrow } from '../../src/sources/arrow.js';
import { memory } from '../../src/sources/memory.js';
import { presentBackends } from '../backends/presentBackends.js';

interface Small {
  readonly image: Column<Float32Array>;
}

const root = mkdtempSync(join(tmpdir(), 'maskflow-memory-'));
const file = join(root, 'small.arrow');
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(async () => {
  const images = Array.from({ length: 40 }, (_, id) => ({
    image: { data: Float32Array.from({ length: 64 }, (_, i) => (1 + Math.sin(id * 1.7 + i)) / 2), shape: [8, 8, 1] },
  }));
  await drain(memory<Small>(images).pipe(batch(7), arrowFile(file)));
});

let folders = 0;

/** What a run may leave behind in a process. */
interface Leftovers {
  readonly tensors: number;
  readonly buffers: number;
  /** Files that are open, by name; undefined where the system does not list them. */
  readonly files: readonly string[] | undefined;
  readonly listeners: Readonly<Record<string, number>>;
}

const listsFiles = process.platform === 'linux';
if (!listsFiles) process.stdout.write(`skipped: open files are counted in /proc/self/fd, which ${process.platform} does not have\n`);

function openFiles(): readonly string[] {
  return readdirSync('/proc/self/fd')
    .flatMap((descriptor) => {
      try {
        return [readlinkSync(`/proc/self/fd/${descriptor}`)];
      } catch {
        return []; // the descriptor of this very listing
      }
    })
    .filter((name) => name.startsWith('/') && !name.startsWith('/dev/'))
    .sort();
}

function leftovers(): Leftovers {
  const { numTensors, numDataBuffers } = tf.memory();
  return {
    tensors: numTensors,
    buffers: numDataBuffers,
    files: listsFiles ? openFiles() : undefined,
    listeners: Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)])),
  };
}

/** A run with every sink that holds something; `seen` is called after every step, `fail` says where it goes wrong. */
function small({
  seen = () => {},
  fail,
}: {
  readonly seen?: (step: number) => void;
  readonly fail?: 'a stage' | 'the program' | 'a sink' | 'not finite';
} = {}) {
  return pipeline({ epochs: 3, accumulate: 1 }, ({ epochs: n, accumulate, out }) => {
    let batches = 0;
    const described = arrow<Small>(file)
      .pipe(epochs(n), shuffle(), batch(8), patchify(4), mask(random({ ratio: 0.5 })))
      .pipe(
        map((item) => {
          if (++batches !== 6) return item;
          if (fail === 'a stage') throw new Error('on purpose');
          if (fail === 'not finite') item.columns.tokens.data.fill(Number.NaN);
          return item;
        }),
        model(vitMae({ width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } })),
        loss(patchReconstruction({ normalize: false })),
        map((item) => (fail === 'the program' && batches === 6 ? { ...item, program: failing(item.program) } : item)),
      );
    return described.pipe(
      train(adamw({ learningRate: cosine({ peak: 1e-2, warmup: 3 }) }), { clip: 1, accumulate }),
      checkpoint(out('checkpoints'), { every: 4, keep: 1 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      pictures(out('pictures'), { every: 5 }),
      tap(({ report }) => {
        seen(report.step);
        if (fail === 'a sink' && report.step === 5) throw new Error('on purpose');
      }),
    );
  });
}

/** Builds everything, then throws: with all of its tensors alive. */
function failing<P extends Program<'loss'>>(program: P): P {
  return {
    ...program,
    build(parameters: Tensors, columns: Tensors, draws: Tensors, signature: Signature) {
      const { sum } = program.build(parameters, columns, draws, signature).loss as Loss;
      sum.square();
      throw new Error('on purpose');
    },
  };
}

describe.each(await presentBackends({ software: false }))('a run on %s', (name, chosen) => {
  const start = (chain: ReturnType<typeof small>, more: Partial<RunOptions> = {}) =>
    run(chain, { name: 'small', out: join(root, String(folders++)), executor: async (seed) => chosen.executor({ seed }), ...more });

  // Whatever is opened once a process (the reader's WebAssembly, sharp) is open before anything is counted.
  beforeAll(async () => {
    await start(small());
  });

  it('holds the same tensors after every step, and none after its end', async () => {
    const before = leftovers();
    const after: number[] = [];
    await start(small({ seen: () => after.push(tf.memory().numTensors) }));
    expect(after).toHaveLength(15);
    expect(new Set(after).size).toBe(1);
    // The compiled engine keeps its weights outside of tfjs.
    if (name !== 'onnx') expect(after[0]).toBeGreaterThan(before.tensors);
    expect(leftovers()).toEqual(before);
  });

  it('every call of its executor leaves as many tensors as it found, but for the weights that the first step makes', async () => {
    const grown: number[] = [];
    const watched = (executor: Executor): Executor => {
      const counted =
        <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
        async (...given: A): Promise<R> => {
          const found = executor.tensors();
          try {
            return await call(...given);
          } finally {
            grown.push(executor.tensors() - found);
          }
        };
      return { ...executor, weights: executor.weights, step: counted(executor.step), evaluate: counted(executor.evaluate) as Executor['evaluate'] };
    };
    await start(small(), { executor: async (seed) => watched(chosen.executor({ seed })) });
    expect(grown.length).toBeGreaterThan(15);
    expect(grown[0]).toBeGreaterThan(0);
    expect(grown.slice(1).every((count) => count === 0)).toBe(true);
  });

  it.each(['a stage', 'the program', 'a sink', 'not finite'] as const)('leaves nothing behind after an error in the middle: %s', async (fail) => {
    const before = leftovers();
    await expect(start(small({ fail }))).rejects.toThrow(fail === 'not finite' ? /must be finite/ : /on purpose/);
    expect(leftovers()).toEqual(before);
  });

  it('leaves nothing behind when it fails with gradients half accumulated', async () => {
    const before = leftovers();
    await expect(start(small({ fail: 'a stage' }), { options: { accumulate: 4 } })).rejects.toThrow(/on purpose/);
    expect(leftovers()).toEqual(before);
  });

  it('leaves nothing behind when it is interrupted, and no listener at the signal', async () => {
    const before = leftovers();
    const controller = new AbortController();
    const { status, step } = await start(small({ seen: (n) => (n === 5 ? controller.abort() : undefined) }), { signal: controller.signal });
    expect(status).toBe('interrupted');
    expect(step).toBeLessThan(15);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(leftovers()).toEqual(before);
  });

  it('leaves no listener at the signal of a run that was not interrupted', async () => {
    const controller = new AbortController();
    await start(small(), { signal: controller.signal });
    await expect(start(small({ fail: 'a stage' }), { signal: controller.signal })).rejects.toThrow(/on purpose/);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it.runIf(listsFiles)('has its files open while it runs: what the tests above count is there to be seen', async () => {
    const before = openFiles().length;
    let most = 0;
    await start(small({ seen: () => (most = Math.max(most, openFiles().length)) }));
    expect(most).toBeGreaterThan(before);
  });
});
