// Single decisions of samplers, on distributions written down.
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { rootKey } from '../../../src/core/key.js';
import {
  type Sampler,
  type UnmaskRow,
  type UnmaskState,
  ancestral,
  blocks,
  canvas,
  confidence,
  entropy,
  entropyBounded,
  firstHitting,
  margin,
  remasking,
  threshold,
  unmask,
} from '../../../src/operators/index.js';
import { chiSquare, contextual, independent, seenOf } from './networks.js';

const row = (length: number, more: Partial<UnmaskRow> = {}): UnmaskRow => {
  const flags = new Uint8Array(length).fill(1);
  return { id: 0, ids: new Int32Array(length).fill(9), masked: flags, free: flags, step: 0, time: 1, ...more };
};
/** Positions and tokens that a sampler fixes of hidden positions with these distributions. */
function fixed(sampler: Sampler, distributions: readonly (readonly number[])[], more: Partial<UnmaskRow> = {}): [number, number][] {
  const { positions, tokens } = sampler.decide(row(distributions.length, more), seenOf([...distributions.keys()], distributions), rootKey(0));
  return Array.from(positions, (position, k) => [position, tokens[k] as number]);
}

describe('what is fixed first', () => {
  // Confidence, margin and entropy each prefer another position.
  const distributions = [
    [0.52, 0.47, 0.01, 0],
    [0.51, 0.17, 0.16, 0.16],
    [0.48, 0.5, 0.02, 0],
    [0.5, 0.5, 0, 0],
  ];
  it('by confidence', () => expect(fixed(confidence(), distributions)).toEqual([[0, 0]]));
  it('by margin', () => expect(fixed(margin(), distributions)).toEqual([[1, 0]]));
  it('by entropy', () => expect(fixed(entropy(), distributions)).toEqual([[3, 0]]));
  it('the lower position on ties, in ascending order', () => {
    expect(
      fixed(confidence({ steps: 2 }), [
        [0.5, 0.5],
        [0.5, 0.5],
        [0.1, 0.9],
        [0.5, 0.5],
      ]),
    ).toEqual([
      [0, 0],
      [2, 1],
    ]);
  });
  it('all that a threshold lets through, or the best', () => {
    expect(
      fixed(threshold({ least: 0.8 }), [
        [0.9, 0.1],
        [0.3, 0.7],
        [0.19, 0.81],
      ]),
    ).toEqual([
      [0, 0],
      [2, 1],
    ]);
    expect(
      fixed(threshold({ least: 0.95 }), [
        [0.9, 0.1],
        [0.3, 0.7],
      ]),
    ).toEqual([[0, 0]]);
  });
  it('as many as the bound on entropy allows', () => {
    // Entropies .325, .611, .673, ln 2 = .693: prefix sums without the last are 0, .325, .936, 1.609.
    const four = [
      [0.5, 0.5],
      [0.9, 0.1],
      [0.4, 0.6],
      [0.7, 0.3],
    ];
    const count = (bound: number): number => fixed(entropyBounded({ bound }), four).length;
    expect([0, 0.3, 0.33, 0.93, 0.94, 1.7].map(count)).toEqual([1, 1, 2, 2, 3, 4]);
    expect(fixed(entropyBounded({ bound: 0.33 }), four)).toEqual([
      [1, 0],
      [3, 0],
    ]);
  });
});

describe('confidence with noise', () => {
  it('ranks by the Gumbel law of p at τ = 1, and not at all by chance in the last step', () => {
    // Of three tokens of confidence .5, .3, .2 one is fixed with these probabilities. τ at step 0 of 2 is noise / 2.
    // χ² with 2 degrees of freedom; 41 is exceeded with probability 1e-9.
    const counts = [0, 0, 0];
    // Three tokens beside many others, so that p(best) is .5, .3, .2.
    const p = (best: number): number[] => [best, ...new Array<number>(10).fill((1 - best) / 10)];
    const sampler = confidence({ steps: 2, noise: 2, counts: 'cosine' });
    for (let n = 0; n < 4000; n++) {
      const { positions } = sampler.decide(row(3), seenOf([0, 1, 2], [p(0.5), p(0.3), p(0.2)]), rootKey(n));
      expect(positions.length).toBe(1);
      counts[positions[0] as number] = (counts[positions[0] as number] as number) + 1;
    }
    expect(chiSquare(counts, [0.5, 0.3, 0.2])).toBeLessThan(41);
  });
});

describe('remasking', () => {
  it('takes back a doubtful token for a better one, and keeps to its plan', async () => {
    // Alone, position 0 is the surest; once anything is visible, positions 1 and 2 become surer than it was.
    const network = ({ positions, ids, width }: { positions: Int32Array; ids: Int32Array; width: number }): Float32Array =>
      Float32Array.from(
        Array.from(positions).flatMap((position) => {
          const some = ids.subarray(0, width).some((id) => id !== 2);
          const sure = position === 0 ? 0.7 : some ? 0.95 : 0.6;
          return [Math.log(sure), Math.log(1 - sure)];
        }),
      );
    const states: UnmaskState[] = [];
    await lastValueFrom(
      (() => {
        const stream = unmask(network, remasking({ steps: 4 }), { start: canvas([[]], { maskId: 2, generate: 4 }), maskId: 2, vocabulary: 2 });
        stream.subscribe((state) => states.push(state));
        return stream;
      })(),
    );
    expect(states.map(({ rows }) => rows[0]?.masked.join(''))).toEqual(['1111', '0111', '1001', '1000', '0000']);
  });
});

describe('blocks', () => {
  it('works from left to right over what is generated, whatever lies between', async () => {
    const given = [5, 1, 5, 5, 2, 5, 5, 5];
    const order: number[] = [];
    let before = given.map((id) => id === 5);
    await new Promise<void>((resolve, reject) => {
      unmask(contextual(5), blocks(confidence(), { size: 3 }), { start: canvas([given], { maskId: 5 }), maskId: 5, vocabulary: 5 }).subscribe({
        next({ rows }) {
          const now = Array.from((rows[0] as UnmaskRow).masked, (m) => m === 1);
          now.forEach((hidden, i) => {
            if (!hidden && before[i] === true) order.push(i);
          });
          before = now;
        },
        error: reject,
        complete: resolve,
      });
    });
    expect(new Set(order.slice(0, 3))).toEqual(new Set([0, 2, 3]));
    expect(new Set(order.slice(3))).toEqual(new Set([5, 6, 7]));
  });

  it('gives each block its own steps', async () => {
    const steps = async (size: number, generate: number): Promise<number> =>
      (
        await lastValueFrom(
          unmask(contextual(5), blocks(confidence({ steps: 2 }), { size }), { start: canvas([[]], { maskId: 5, generate }), maskId: 5, vocabulary: 5 }),
        )
      ).step;
    expect(await steps(4, 12)).toBe(6);
    // A last block of one token has a first step that fixes it and needs no second.
    expect(await steps(4, 9)).toBe(5);
  });
});

describe('firstHitting', () => {
  it('draws from the extrapolation once it has two outputs, and redraws the step before with the corrector', async () => {
    // The network says token 0 with probability 1 − t: by the time of later events of a step extrapolation has moved on.
    const timed = ({ positions, time }: { positions: Int32Array; time: Float64Array }): Float32Array =>
      Float32Array.from(Array.from(positions).flatMap(() => [Math.log(1 - (time[0] as number)), Math.log(time[0] as number)]));
    const zeros = async (variant: 'plain' | 'extrapolation'): Promise<number> => {
      let count = 0;
      for (let seed = 0; seed < 60; seed++) {
        const state = await lastValueFrom(
          unmask(timed, firstHitting({ steps: 4, variant }), { start: canvas([[]], { maskId: 2, generate: 64 }), maskId: 2, vocabulary: 2, seed }),
        );
        count += (state.rows[0] as UnmaskRow).ids.filter((id) => id === 0).length;
      }
      return count / (60 * 64);
    };
    // ∫(1 − t) dt = .5 if every token were drawn at its own time; in four steps each sees a time that is too early, by 1/8 on average.
    // 3,840 coins: a standard error of .008; .04 is five of them. The first step cannot be extrapolated: .03 of the error is left.
    expect(Math.abs((await zeros('plain')) - 0.375)).toBeLessThan(0.04);
    expect(Math.abs((await zeros('extrapolation')) - 0.47)).toBeLessThan(0.04);
  });

  it('corrector: tokens of the step before change with the mean of both outputs', async () => {
    // Token 0 for sure in the first step, token 1 for sure in the second: half of the first step's tokens turn.
    const turning = ({ positions, ids, width }: { positions: Int32Array; ids: Int32Array; width: number }): Float32Array => {
      const sure = ids.subarray(0, width).every((id) => id === 2) ? 0 : 1;
      return Float32Array.from(Array.from(positions).flatMap(() => (sure === 0 ? [0, -100] : [-100, 0])));
    };
    const states: UnmaskState[] = [];
    const stream = unmask(turning, firstHitting({ steps: 2, variant: 'predictorCorrector' }), {
      start: canvas([[]], { maskId: 2, generate: 400 }),
      maskId: 2,
      vocabulary: 2,
    });
    await new Promise<void>((resolve, reject) => stream.subscribe({ next: (state) => states.push(state), error: reject, complete: resolve }));
    const zeros = (k: number): number => ((states[k] as UnmaskState).rows[0] as UnmaskRow).ids.filter((id) => id === 0).length;
    expect(zeros(1)).toBe(200);
    // 200 coins: 100 ± 7; 64 to 136 is missed with probability 4e-7.
    expect(Math.abs(zeros(2) - 100)).toBeLessThan(36);
  });
});

describe('tokens of independent positions', () => {
  it.each([
    ['ancestral', ancestral({ steps: 9 })],
    ['firstHitting', firstHitting()],
    ['firstHitting in parallel', firstHitting({ steps: 3 })],
    ['extrapolation', firstHitting({ steps: 3, variant: 'extrapolation' })],
    ['predictorCorrector', firstHitting({ steps: 3, variant: 'predictorCorrector' })],
    ['confidence at temperature 1', confidence({ temperature: 1, steps: 1 })],
    ['entropyBounded', entropyBounded({ temperature: 1, bound: 100 })],
  ])('have the distribution of the network: %s', async (_, sampler) => {
    // χ² with 3 degrees of freedom; 45 is exceeded with probability 1e-9.
    const p = [0.4, 0.3, 0.2, 0.1];
    const state = await lastValueFrom(
      unmask(
        independent(() => p),
        sampler,
        {
          start: canvas(
            Array.from({ length: 200 }, () => []),
            { maskId: 4, generate: 20 },
          ),
          maskId: 4,
          vocabulary: 4,
          seed: 5,
        },
      ),
    );
    const counts = [0, 0, 0, 0];
    for (const { ids } of state.rows) for (const id of ids) counts[id] = (counts[id] as number) + 1;
    expect(chiSquare(counts, p)).toBeLessThan(45);
  });
});
