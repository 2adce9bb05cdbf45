import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { Draws, fold, rootKey } from '../../src/core/key.js';
import { knn } from '../../src/sinks/knn.js';
import { linearProbe } from '../../src/sinks/linearProbe.js';
import { countingExecutor } from '../backends/countingExecutor.js';
import { type Row, gated, gatedRun, labelled } from './gatedRun.js';

/** `n` rows in three clusters far apart, of very unequal scales, on an offset. */
function clusters(n: number, seed: number): Row[] {
  const draws = new Draws(fold(rootKey(seed), 'clusters'));
  const centres = [
    [0, 0],
    [4, 0],
    [0, 4],
  ];
  return Array.from({ length: n }, (_, i) => {
    const [a, b] = centres[i % 3] as [number, number];
    return { x: [1e3 + 100 * (a + draws.uniform(-1, 1)), 1e-2 * (b + draws.uniform(-1, 1)), 5], label: i % 3 };
  });
}

describe('linearProbe', () => {
  it('separates what a line separates, whatever the scales, and a constant feature; beside untrained weights at chance', async () => {
    const { result } = await gatedRun([linearProbe({ model: gated, train: labelled(clusters(90, 1)), test: labelled(clusters(60, 2)) })], { steps: 12 });
    expect(result.linearProbe).toBe(1);
    // Zero features: every row gets one class, of three equally frequent ones.
    expect((result.untrained as { linearProbe: number }).linearProbe).toBeCloseTo(1 / 3, 10);
  });

  it('on labels that have nothing to do with the features is near chance', async () => {
    const draws = new Draws(fold(rootKey(5), 'noise'));
    const noise = (n: number): Row[] => Array.from({ length: n }, () => ({ x: [draws.normal(), draws.normal(), draws.normal()], label: draws.integer(2) }));
    const { result } = await gatedRun([linearProbe({ model: gated, train: labelled(noise(300)), test: labelled(noise(300)) })]);
    // A fixed seed. Of 300 fair guesses the share has a deviation of 0.029: 0.15 is passed once in 4 million seeds.
    expect(Math.abs((result.linearProbe as number) - 0.5)).toBeLessThan(0.15);
  });

  it('learns labels by the training rows alone: a class that they lack is never right', async () => {
    const train = clusters(60, 1).filter(({ label }) => label < 2);
    const { result } = await gatedRun([linearProbe({ model: gated, train: labelled(train), test: labelled(clusters(60, 2)) })]);
    expect(result.linearProbe).toBeCloseTo(2 / 3, 10);
  });

  it('leaves the weights of the run as they were, and none of its own', async () => {
    const executor = countingExecutor(await createExecutor({ backend: 'cpu', seed: 0 }));
    let sets: readonly string[] = [];
    const dispose = executor.dispose.bind(executor);
    executor.dispose = () => {
      sets = executor.weights.sets();
      dispose();
    };
    const rows = labelled(clusters(12, 1));
    const { step } = await gatedRun([linearProbe({ model: gated, train: rows, test: rows, steps: 7 })], { executor: async () => executor, steps: 3 });
    expect(step).toBe(3);
    expect(executor.calls.step).toBe(3 + 2 * 7);
    expect(sets.filter((set) => set.startsWith('probe'))).toEqual([]);
  });

  it('two of them stand in one chain under two names, beside knn', async () => {
    const rows = { train: labelled(clusters(30, 1)), test: labelled(clusters(15, 2)) };
    const { result } = await gatedRun([
      knn({ model: gated, ...rows }),
      linearProbe({ model: gated, ...rows }),
      linearProbe({ model: gated, ...rows, steps: 1, name: 'short' }),
    ]);
    expect(Object.keys(result).sort()).toEqual(['knn', 'linearProbe', 'loss', 'short', 'untrained']);
    expect(Object.keys(result.untrained as object).sort()).toEqual(['knn', 'linearProbe', 'short']);
  });

  it('refuses options when it is made, not at the end of a training', () => {
    const rows = { model: gated, train: labelled(clusters(6, 1)), test: labelled(clusters(6, 1)) };
    expect(() => linearProbe({ ...rows, steps: 0 })).toThrow(/^linearProbe\.steps: must be an integer of at least 1; got 0\.$/);
    expect(() => linearProbe({ ...rows, learningrate: 1 } as never)).toThrow(
      /^linearProbe\.learningrate: there is no such option\. Did you mean learningRate\?/,
    );
    expect(() => linearProbe({ ...rows, learningRate: -1 })).toThrow(/learningRate/);
    expect(() => linearProbe({ ...rows, weightDecay: Number.NaN })).toThrow(/weightDecay/);
  });

  it('refuses labels that are no class numbers', async () => {
    const bad = (label: number) =>
      gatedRun([
        linearProbe({
          model: gated,
          train: labelled([
            { x: [1], label },
            { x: [2], label: 1 },
          ]),
          test: labelled([{ x: [1], label: 1 }]),
        }),
      ]);
    await expect(bad(-1)).rejects.toThrow(/label.*class number.*got -1/);
    await expect(bad(0.5)).rejects.toThrow(/label.*class number.*got 0\.5/);
  });
});
