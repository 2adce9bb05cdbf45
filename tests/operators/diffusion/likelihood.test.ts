import { lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../../src/backends/index.js';
import { Gate, within } from '../../../src/core/demand/index.js';
import { rootKey } from '../../../src/core/key.js';
import { chainRuleLikelihood, greedyMatch, likelihoodBound, nelbo } from '../../../src/operators/diffusion/index.js';
import { crossEntropies } from '../../../src/operators/diffusion/scoredText.js';
import { textEncoder } from '../../../src/models/textEncoder.js';
import { type Network, networkOf } from '../../../src/operators/samplers/index.js';
import { contextual, independent } from '../samplers/networks.js';

/** The example of the card: L = V = 2, target (0, 1). */
const card: Network = ({ positions, ids }) =>
  Float32Array.from(
    Array.from(positions).flatMap((position) => {
      const other = ids[position ^ 1] === 2;
      const right = position % 2 === 0 ? (other ? 0.5 : 0.8) : other ? 0.25 : 0.4;
      return position % 2 === 0 ? [Math.log(right), Math.log(1 - right)] : [Math.log(1 - right), Math.log(right)];
    }),
  );
const text = { ids: Int32Array.of(0, 1) };
const two = { maskId: 2, vocabulary: 2 };
const uniform =
  (V: number): Network =>
  ({ positions }) =>
    new Float32Array(positions.length * V);

describe('likelihoodBound', () => {
  it('is ln 5 for the example of the card, term by term and in the mean', async () => {
    const state = (...hidden: number[]) => ({ hidden: Int32Array.from(hidden), wanted: Int32Array.from(hidden), time: 1 });
    const [first, second, both] = await crossEntropies(card, text, [state(0), state(1), state(0, 1)], two);
    const one = (first?.[0] as number) / 2 + (second?.[0] as number) / 2;
    const all = ((both?.[0] as number) + (both?.[1] as number)) / 2;
    expect(one).toBeCloseTo(0.569717, 6);
    expect(all).toBeCloseTo(1.039721, 6);
    expect(one + all).toBeCloseTo(Math.log(5), 6);
    // 4,096 draws, half of them of one token, ± .7: a standard error of .008; five of them.
    expect(Math.abs((await likelihoodBound(card, text, rootKey(1), { ...two, draws: 4096 })) - Math.log(5))).toBeLessThan(0.04);
  });

  it('is n ln V for a uniform network: exactly by count, in expectation by time', async () => {
    const long = { ids: Int32Array.from({ length: 12 }, (_, i) => i % 5) };
    const five = { maskId: 5, vocabulary: 5 };
    expect(await likelihoodBound(uniform(5), long, rootKey(0), { ...five, draws: 7 })).toBeCloseTo(12 * Math.log(5), 9);
    // Σ over 4,096 even times: the variance of a draw is n (1 − t) / t · ln²V, some 300 in the mean; a standard error of .27; five of them.
    const byTime = await likelihoodBound(uniform(5), long, rootKey(0), { ...five, draws: 4096, form: 'time' });
    expect(Math.abs(byTime - 12 * Math.log(5))).toBeLessThan(1.35);
  });

  it('never hides what is given, and scores the target alone', async () => {
    const network: Network = (request) => {
      for (let row = 0; row < request.rows; row++) expect([...request.ids.subarray(4 * row, 4 * row + 2)]).toEqual([3, 1]);
      return uniform(4)(request);
    };
    const scored = Uint8Array.of(0, 0, 1, 1);
    expect(await likelihoodBound(network, { ids: Int32Array.of(3, 1, 0, 2), scored }, rootKey(0), { maskId: 4, vocabulary: 4, draws: 50 })).toBeCloseTo(
      2 * Math.log(4),
      9,
    );
  });

  it('is 0 where nothing is scored or one id is all there is, and does not depend on the size of calls', async () => {
    expect(await likelihoodBound(uniform(3), { ids: new Int32Array(0) }, rootKey(0), { maskId: 3, vocabulary: 3 })).toBe(0);
    expect(await likelihoodBound(uniform(1), { ids: new Int32Array(4) }, rootKey(0), { maskId: 1, vocabulary: 1 })).toBe(0);
    const ids = Int32Array.of(0, 1, 2, 1, 0);
    const by = (batchSize: number): Promise<number> => likelihoodBound(contextual(3), { ids }, rootKey(0), { maskId: 3, vocabulary: 3, draws: 20, batchSize });
    expect(await by(1)).toBe(await by(7));
  });

  it('leaves out the mask id where it has a logit', async () => {
    const ids = { ids: Int32Array.of(0, 1) };
    expect(await likelihoodBound(uniform(3), ids, rootKey(0), { maskId: 2, vocabulary: 3, draws: 4 })).toBeCloseTo(2 * Math.LN2, 9);
  });

  it('says what is wrong', async () => {
    await expect(likelihoodBound(card, text, rootKey(0), { ...two, draws: 0 })).rejects.toThrow(
      'likelihoodBound.draws: must be an integer of at least 1; got 0',
    );
    await expect(likelihoodBound(card, text, rootKey(0), { ...two, form: 'both' as never })).rejects.toThrow(
      "likelihoodBound.form: must be 'count' or 'time'; got \"both\"",
    );
    await expect(likelihoodBound(card, { ids: Int32Array.of(0, 2) }, rootKey(0), two)).rejects.toThrow(
      'likelihoodBound.ids: must be below 2 where they are scored, and not the mask id; got 2',
    );
    await expect(likelihoodBound(card, { ...text, scored: Uint8Array.of(1) }, rootKey(0), two)).rejects.toThrow(
      'likelihoodBound.scored: must have one byte for each of the 2 ids; got 1',
    );
    await expect(likelihoodBound(() => new Float32Array(3), text, rootKey(0), two)).rejects.toThrow('unmask.network: must answer');
  });
});

describe('chainRuleLikelihood', () => {
  it('is ln 5 for the example of the card, −ln softmax for one token, n ln V for a uniform network', async () => {
    expect(await chainRuleLikelihood(card, text, two)).toBeCloseTo(Math.log(5), 6);
    expect(await chainRuleLikelihood(card, { ...text, scored: Uint8Array.of(0, 1) }, two)).toBeCloseTo(-Math.log(0.4), 6);
    expect(await chainRuleLikelihood(uniform(7), { ids: Int32Array.of(1, 2, 3) }, { maskId: 7, vocabulary: 7, batchSize: 2 })).toBeCloseTo(3 * Math.log(7), 9);
  });

  it('shows what stands before, hides what comes after', async () => {
    const states: string[] = [];
    const network: Network = (request) => {
      for (let row = 0; row < request.rows; row++) states.push(String(request.ids.subarray(3 * row, 3 * row + 3)));
      return uniform(4)(request);
    };
    await chainRuleLikelihood(network, { ids: Int32Array.of(3, 1, 2), scored: Uint8Array.of(0, 1, 1) }, { maskId: 4, vocabulary: 4 });
    expect(states).toEqual(['3,4,4', '3,1,4']);
  });
});

describe('greedyMatch', () => {
  it('tells the greedy answer from others', async () => {
    const network = independent((i) => (i === 1 ? [0.1, 0.7, 0.2] : [0.5, 0.2, 0.3]));
    const of3 = { maskId: 3, vocabulary: 3 };
    expect(await greedyMatch(network, { ids: Int32Array.of(2, 1, 0), scored: Uint8Array.of(0, 1, 1) }, of3)).toBe(true);
    expect(await greedyMatch(network, { ids: Int32Array.of(2, 1, 2), scored: Uint8Array.of(0, 1, 1) }, of3)).toBe(false);
    expect(await greedyMatch(network, { ids: Int32Array.of(2), scored: Uint8Array.of(0) }, of3)).toBe(true);
  });
});

describe('nelbo', () => {
  it('adds a bound and a count for each row, the same whatever batch it is in', async () => {
    const batch = (ids: readonly number[]) => ({
      rows: ids.length,
      columns: {
        tokens: { data: Int32Array.from(ids.flatMap((id) => [5, id % 3, 1, 0])), shape: [ids.length, 4] },
        special: { data: Uint8Array.from(ids.flatMap(() => [1, 0, 0, 0])), shape: [ids.length, 4] },
        length: { data: Int32Array.from(ids, (id) => (id === 2 ? 3 : 4)), shape: [ids.length] },
      },
      origins: ids.map((id) => ({ source: 0, id, epoch: 0, position: id })),
      program: undefined,
    });
    const run = (ids: readonly number[], network: Network) =>
      within({ gate: new Gate() }, () => lastValueFrom(of(batch(ids)).pipe(nelbo(network, { maskId: 6, vocabulary: 6, draws: 8 }))));
    const { nelbo: nats, counted } = (await run([1, 2, 3], contextual(6))).columns;
    expect([...counted.data]).toEqual([3, 2, 3]);
    expect((await run([3, 1], contextual(6))).columns.nelbo.data).toEqual(Float32Array.of(nats.data[2] as number, nats.data[0] as number));
    expect((await run([1], uniform(6))).columns.nelbo.data[0]).toBeCloseTo(3 * Math.log(6), 5);
    expect(() => nelbo({} as never, { maskId: 1, vocabulary: 2 })).toThrow('nelbo.model: must be a network or a program; got {}');
    await expect(
      within({ gate: new Gate() }, () =>
        lastValueFrom(of({ ...batch([1]), columns: {} } as never).pipe(nelbo(contextual(6), { maskId: 6, vocabulary: 6 }) as never)),
      ),
    ).rejects.toThrow('nelbo.tokens: there is no column tokens');
  });

  it('reads the weights of a run where it is given a program, and needs one then', async () => {
    const executor = await createExecutor({ backend: 'cpu', seed: 1 });
    try {
      const model = textEncoder({ architecture: 'modern', vocabulary: 5, width: 8, depth: 1, heads: 2, positions: 8, never: [4], initializerRange: 0.5 });
      const tokens = { data: Int32Array.of(0, 1, 2, 3, 3, 2, 1, 0), shape: [2, 4] };
      const batch = { rows: 2, columns: { tokens }, origins: [1, 2].map((id) => ({ source: 0, id, epoch: 0, position: id })), program: undefined };
      const options = { maskId: 4, vocabulary: 5, draws: 6, batchSize: 4 };
      const run = (model: Parameters<typeof nelbo>[0], gate: Gate) => within({ gate }, () => lastValueFrom(of(batch).pipe(nelbo(model, options))));
      const inRun = new Gate({ run: { executor } as never });
      const { data } = (await run(model, inRun)).columns.nelbo;
      const other = (await run(networkOf(executor, model), new Gate())).columns.nelbo.data;
      // Near 4 ln 4 for weights that have learnt nothing.
      data.forEach((nats, row) => {
        expect(nats).toBeCloseTo(other[row] as number, 4);
        expect(nats).toBeGreaterThan(2);
        expect(nats).toBeLessThan(12);
      });
      await expect(run(model, new Gate())).rejects.toThrow('nelbo: needs a run');
    } finally {
      executor.dispose();
    }
  });
});
