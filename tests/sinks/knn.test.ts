import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { AnyBatch } from '../../src/core/batch.js';
import type { Program } from '../../src/core/program.js';
import type { Stepped } from '../../src/core/run.js';
import type { Features } from '../../src/sinks/frozenFeatures.js';
import { knn, knnAccuracy } from '../../src/sinks/knn.js';
import { linearProbe } from '../../src/sinks/linearProbe.js';
import { countingExecutor } from '../backends/countingExecutor.js';
import { type Row, gated, gatedRun, labelled } from './gatedRun.js';

function features(rows: readonly Row[]): Features {
  const width = rows[0]?.x.length ?? 0;
  return { rows: rows.length, width, data: Float32Array.from(rows.flatMap(({ x }) => x)), labels: Int32Array.from(rows, ({ label }) => label) };
}

/** The rule as a person would write it: sort all by similarity, let the first k vote, ties to the class that comes first. */
function oracle(train: readonly Row[], test: readonly Row[], k: number): number {
  const unit = (x: readonly number[]): number[] => {
    const norm = Math.sqrt(x.reduce((sum, v) => sum + v ** 2, 0));
    return x.map((v) => (norm === 0 ? 0 : Math.fround(v * (1 / norm))));
  };
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);
  const right = test.filter(({ x, label }) => {
    const near = train
      .map((row) => ({ label: row.label, similar: dot(unit(x), unit(row.x)) }))
      .sort((a, b) => b.similar - a.similar)
      .slice(0, k);
    const votes = (of: number): number => near.filter((row) => row.label === of).length;
    const most = Math.max(...near.map((row) => votes(row.label)));
    return near.find((row) => votes(row.label) === most)?.label === label;
  });
  return right.length / test.length;
}

const rowsOf = (width: number) =>
  fc.array(fc.record({ x: fc.array(fc.integer({ min: -2, max: 2 }), { minLength: width, maxLength: width }), label: fc.integer({ min: 0, max: 3 }) }), {
    minLength: 1,
    maxLength: 14,
  });

describe('knnAccuracy', () => {
  it('is that of a brute-force vote, ties and k beyond the rows included', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }).chain((width) => fc.tuple(rowsOf(width), rowsOf(width))),
        fc.integer({ min: 1, max: 20 }),
        ([train, test], k) => {
          expect(knnAccuracy(features(train), features(test), k)).toBe(oracle(train, test, k));
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it('looks at directions, not at lengths', () => {
    const train = [
      { x: [100, 0], label: 0 },
      { x: [0, 0.01], label: 1 },
    ];
    expect(
      knnAccuracy(
        features(train),
        features([
          { x: [0.1, 1], label: 1 },
          { x: [1, 0.1], label: 0 },
        ]),
        1,
      ),
    ).toBe(1);
  });

  it('gives a tie of votes to the nearer class, and a tie of similarity to the earlier row', () => {
    const train = [
      { x: [1, 0], label: 3 },
      { x: [1, 0.2], label: 1 },
      { x: [1, 0.5], label: 2 },
      { x: [1, 0.6], label: 2 },
      { x: [1, 0.7], label: 1 },
    ];
    // 1 and 2 have two votes each; a row of class 1 is nearer, though the nearest of all is of class 3.
    expect(knnAccuracy(features(train), features([{ x: [1, 0], label: 1 }]), 5)).toBe(1);
    const twins = [
      { x: [0, 1], label: 7 },
      { x: [0, 2], label: 5 },
    ];
    expect(knnAccuracy(features(twins), features([{ x: [0, 3], label: 7 }]), 1)).toBe(1);
  });

  it('a row of zeros is like nothing, and is no error', () => {
    expect(
      knnAccuracy(
        features([
          { x: [1, 0], label: 1 },
          { x: [0, 1], label: 0 },
        ]),
        features([{ x: [0, 0], label: 1 }]),
        1,
      ),
    ).toBe(1);
  });
});

const apart: Row[] = Array.from({ length: 40 }, (_, i) => ({ x: i % 2 === 0 ? [1, 0.1 * (i % 5)] : [0.1 * (i % 7), 1], label: i % 2 }));
const data = { train: labelled(apart.slice(0, 30)), test: labelled(apart.slice(30), 4) };

describe('knn at the end of a run', () => {
  it('reports trained beside untrained, in result.json', async () => {
    const { result, folder } = await gatedRun([knn({ model: gated, ...data })]);
    // Zero features are all equally like: the first five rows vote, for the class of the first.
    expect(result).toMatchObject({ knn: 1, untrained: { knn: 0.5 } });
    expect(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'))).toEqual(result);
  });

  it('computes features once for all evaluations of a run, and leaves no weights behind but those of the run', async () => {
    const executor = countingExecutor(await createExecutor({ backend: 'cpu', seed: 0 }));
    const { result } = await gatedRun(
      [knn({ model: gated, ...data }), knn({ model: gated, ...data, k: 1, name: 'nearest' }), linearProbe({ model: gated, ...data, steps: 3 })],
      { executor: async () => executor },
    );
    expect(result).toMatchObject({ knn: 1, nearest: 1, untrained: { knn: 0.5, nearest: 0.5 } });
    const asked = executor.log.filter((line) => line.startsWith('evaluate gated'));
    // 30 rows by 16 and 10 rows by 4, for trained and untrained weights.
    expect(asked).toHaveLength((2 + 3) * 2);
  });

  it('has the recipe of the function that makes it, under whatever name', async () => {
    const { folder } = await gatedRun([knn({ model: gated, ...data, k: 1, name: 'nearest' })]);
    const { recipe } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as { recipe: { name: string }[] };
    expect(recipe[0]).toMatchObject({ name: 'nearest', module: 'maskflow/sinks', function: 'knn', options: { k: 1, label: 'label' } });
  });

  it('is the same every time', async () => {
    const evaluations = () => [knn<Stepped<AnyBatch>>({ model: gated, ...data, k: 3 }), linearProbe<Stepped<AnyBatch>>({ model: gated, ...data, steps: 20 })];
    const [one, two] = [await gatedRun(evaluations(), { prefetch: 1 }), await gatedRun(evaluations(), { prefetch: 8 })];
    expect(two.result).toEqual(one.result);
  });

  it('is left out where the run is interrupted, and made up for when it goes on', async () => {
    const controller = new AbortController();
    let step = 0;
    const stopped = await gatedRun([knn({ model: gated, ...data })], {
      steps: 60,
      signal: controller.signal,
      onStep: (n) => {
        step = n;
        if (n === 2) controller.abort();
      },
    });
    expect(stopped.status).toBe('interrupted');
    expect(stopped.result).not.toHaveProperty('knn');
    expect(step).toBeLessThan(20);
    const { result } = await gatedRun([knn({ model: gated, ...data })], { steps: 60, out: stopped.folder, resume: true });
    expect(result).toMatchObject({ knn: 1 });
  });

  it('counts every row once: what a batch was padded with is no sample', async () => {
    const five: Row[] = [...apart.slice(30, 34), { x: [1, 0], label: 1 }];
    const padded = labelled(five, 4, { last: 'pad' });
    const { result } = await gatedRun([knn({ model: gated, train: data.train, test: padded })]);
    expect(result).toMatchObject({ knn: 4 / 5 });
  });

  it('names a label column that is not there, and those that are', async () => {
    await expect(gatedRun([knn({ model: gated, ...data, label: 'digit' })])).rejects.toThrow(
      /^knn\.label: must name a numeric column with one class number a row; got "digit" \(batch of samples 0, 1, .*\)\. Columns: x, label\.$/,
    );
    await expect(gatedRun([knn({ model: gated, ...data, label: 'x' })])).rejects.toThrow(
      /^knn\.label: must name a numeric column with one class number a row; got "x"/,
    );
  });

  it('says what is wrong when it is made, not at the end of a training', () => {
    expect(() => knn({ model: gated, ...data, k: 0 })).toThrow(/^knn\.k: must be an integer of at least 1; got 0\.$/);
    expect(() => knn({ model: gated, ...data, neighbours: 3 } as never)).toThrow(/^knn\.neighbours: there is no such option/);
    expect(() => knn({ model: gated, train: data.train } as never)).toThrow(/^knn\.train, test: must be streams of batches/);
    expect(() => knn({ model: undefined as unknown as Program<'features'>, ...data })).toThrow(/^knn\.model: must be a model/);
  });
});
