import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Observable, tap } from 'rxjs';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { Batch } from '../../src/core/batch.js';
import { pipeline } from '../../src/core/pipeline.js';
import type { Executor, Program } from '../../src/core/program.js';
import type { Stepped } from '../../src/core/run.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { loss } from '../../src/operators/loss.js';
import { mask } from '../../src/operators/mask.js';
import { random } from '../../src/operators/masks/random.js';
import { model } from '../../src/operators/model.js';
import { patchify } from '../../src/operators/views/patchify.js';
import { sgd } from '../../src/optimizers/sgd.js';
import { run } from '../../src/run/run.js';
import { checkpoint } from '../../src/sinks/checkpoint.js';
import { type TrainOptions, train } from '../../src/sinks/train.js';
import { type CountingExecutor, countingExecutor } from '../backends/countingExecutor.js';
import { tinyImages } from '../resume/tiny.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-train-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** Trains on 24 images and returns the reports, and the weights at the end. */
async function trained(
  size: number,
  options: TrainOptions & { epochs?: number; unequal?: boolean; spoil?: number } = {},
  executor?: (seed: number) => Promise<Executor>,
) {
  const { epochs: n = 1, unequal = false, spoil, ...given } = options;
  const reports: { step: number; loss: number; gradientNorm: number; samples: number }[] = [];
  const chain = pipeline({ epochs: n }, ({ epochs: m, out }) => {
    const views = tinyImages(24).pipe(epochs(m), batch(size), patchify(2)) as unknown as Observable<Batch<{ tokens: { data: Float32Array; shape: number[] } }>>;
    return views
      .pipe(
        tap((b) => {
          if (spoil !== undefined) b.origins.forEach(({ id }, row) => id === spoil && b.columns.tokens.data.fill(Number.NaN, row * 16, row * 16 + 16));
        }),
        mask(random({ ratio: unequal ? 0.25 : 0.5 })),
        model(vitMae({ width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } })),
        loss(patchReconstruction({ normalize: false })),
      )
      .pipe(
        train(sgd({ learningRate: 0.05 }), given),
        tap(({ report }: Stepped<Batch<unknown, Program>>) => reports.push(report)),
        checkpoint(out('checkpoints'), { every: 1000 }),
      );
  });
  const out = join(root, String(folders++));
  const result = await run(chain, { name: 'train', backend: 'cpu', out, ...(executor === undefined ? {} : { executor }) });
  const last = readFileSync(join(out, 'checkpoints/last'), 'utf8').trim();
  const { decodeSafetensors } = await import('../../src/formats/safetensors.js');
  return { result, reports, out, weights: decodeSafetensors(new Uint8Array(readFileSync(join(out, 'checkpoints', last, 'model.safetensors')))) };
}

describe('train', () => {
  it('accumulating 4 × 6 equals one step of 24', async () => {
    const one = await trained(24, { epochs: 2 });
    const four = await trained(6, { accumulate: 4, epochs: 2 });
    expect(four.reports.map(({ step, samples }) => [step, samples])).toEqual([
      [1, 24],
      [2, 48],
    ]);
    for (const [i, report] of one.reports.entries()) {
      expect(four.reports[i]?.loss).toBeCloseTo(report.loss, 5);
      expect(four.reports[i]?.gradientNorm).toBeCloseTo(report.gradientNorm, 4);
    }
    for (const [name, { data }] of one.weights) data.forEach((value, i) => expect(four.weights.get(name)?.data[i], name).toBeCloseTo(value, 5));
  });

  it('accumulates parts of unequal size by their counts, and what the end of the data cuts short', async () => {
    const one = await trained(24);
    const three = await trained(10, { accumulate: 3 });
    expect(three.reports).toHaveLength(1);
    expect(three.reports[0]?.loss).toBeCloseTo(one.reports[0]?.loss as number, 5);
    const cut = await trained(10, { accumulate: 2 });
    expect(cut.reports.map(({ samples }) => samples)).toEqual([20, 24]);
  });

  it('clips to the global norm: the same direction, a bounded length', async () => {
    const free = await trained(24);
    const clipped = await trained(24, { clip: 0.1 });
    const accumulated = await trained(6, { clip: 0.1, accumulate: 4 });
    expect(clipped.reports[0]?.gradientNorm).toBeCloseTo(free.reports[0]?.gradientNorm as number, 5);
    const start = await trained(24, { clip: 1e-12 });
    const moved = (to: typeof free): number =>
      Math.hypot(...[...to.weights].flatMap(([name, { data }]) => Array.from(data, (v, i) => v - (start.weights.get(name)?.data[i] as number))));
    expect(moved(clipped) / 0.05).toBeCloseTo(0.1, 3);
    expect(moved(accumulated) / 0.05).toBeCloseTo(0.1, 3);
    expect(moved(free)).toBeGreaterThan(moved(clipped) * 3);
  });

  it.each([1, 2])('stops at a loss that is not finite, saves the ids and leaves the weights (accumulate %i)', async (accumulate) => {
    const problem = await trained(6, { spoil: 13, accumulate }).catch((error: Error) => error);
    const step = accumulate === 1 ? 3 : 2;
    expect((problem as Error).message).toMatch(
      new RegExp(
        `^train: loss and gradients must be finite; at step ${step} the loss is NaN.*not-finite-step-0000000${step}\\.json.*lower the learning rate, or clip`,
      ),
    );
    const out = join(root, String(folders - 1));
    const saved = JSON.parse(readFileSync(join(out, `not-finite-step-0000000${step}.json`), 'utf8')) as { samples: { id: number }[] };
    expect(saved.samples.map(({ id }) => id)).toContain(13);
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({ status: 'failed' });
  });

  it('ends after `steps` steps and says where it needs a run, a model or a loss', async () => {
    expect((await trained(6, { steps: 2, epochs: 3 })).reports.map(({ step }) => step)).toEqual([1, 2]);
    expect(() => train(sgd({ learningRate: 1 }), { accumulate: 0 })).toThrow(/train\.accumulate: must be an integer of at least 1; got 0/);
    expect(() => train(sgd({ learningRate: 1 }), { clipp: 1 } as never)).toThrow(/train\.clipp: there is no such option\. Did you mean clip\?/);
    const alone = tinyImages(4).pipe(
      batch(2),
      patchify(2),
      mask(random()),
      model(vitMae({ width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } })),
      loss(patchReconstruction()),
      train(sgd({ learningRate: 1 })),
    );
    await expect(new Promise((resolve, reject) => alone.subscribe({ error: reject, complete: () => resolve(undefined) }))).rejects.toThrow(
      /train: needs a run.*Start the chain with run/,
    );
  });

  it('leaves no tensor behind: as many after every step', async () => {
    const tensors: number[] = [];
    await trained(6, { epochs: 5, accumulate: 2 }, async (seed) => {
      const executor = await createExecutor({ backend: 'cpu', seed });
      const update = executor.update.bind(executor);
      executor.update = async (...given) => {
        await update(...given);
        tensors.push(executor.tensors());
      };
      return executor;
    });
    expect(tensors).toHaveLength(10);
    expect(new Set(tensors).size).toBe(1);
  });

  it('and every other stage compute through the executor alone', async () => {
    const kernels = vi.spyOn(tf.engine(), 'runKernel');
    let counted: CountingExecutor | undefined;
    const { reports } = await trained(6, { epochs: 2 }, async () => {
      counted = countingExecutor(idleExecutor());
      return counted;
    });
    expect(reports.map(({ loss: value }) => value)).toEqual(Array.from({ length: 8 }, () => 0.5));
    expect(counted?.calls).toMatchObject({ step: 8, gradients: 0, update: 0, evaluate: 0 });
    expect(kernels).not.toHaveBeenCalled();
    kernels.mockRestore();
  });
});

/** An engine that computes nothing. */
function idleExecutor(): Executor {
  const refuse = (): never => {
    throw new Error('not asked for in this test');
  };
  return {
    backend: 'idle',
    weights: {
      step: 0,
      sets: () => ['student'],
      copy: refuse,
      snapshot: async () => new Map([['w', { data: new Float32Array(1), shape: [1] }]]),
      restore: refuse,
      forget: refuse,
    },
    evaluate: refuse,
    gradients: refuse,
    update: refuse,
    step: async () => ({ sum: 1, count: 2, gradientNorm: 1, finite: true }),
    tensors: () => 0,
    dispose() {},
  };
}
