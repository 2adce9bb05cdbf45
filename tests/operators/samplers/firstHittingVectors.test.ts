// Vectors and edge cases of the cards first-hitting, masked-diffusion and smdm that no other file holds.
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { rootKey, uniforms } from '../../../src/core/key.js';
import {
  type Network,
  type UnmaskRow,
  type UnmaskState,
  ancestral,
  canvas,
  confidence,
  cosineNoise,
  firstHitting,
  hittingTime,
  linearNoise,
  unmask,
} from '../../../src/operators/index.js';
import { contextual, independent } from './networks.js';

const coin = independent(() => [0.5, 0.5]);
const states = (network: Network, sampler: Parameters<typeof unmask>[1], options: Parameters<typeof unmask>[2]): Promise<UnmaskState[]> =>
  lastValueFrom(unmask(network, sampler, options).pipe(toArray()));
const rowIn = (state: UnmaskState | undefined, row = 0): UnmaskRow => state?.rows[row] as UnmaskRow;

describe('first hitting (card)', () => {
  it('has the mean times .8, .6, .4 and .2 after the events of four tokens', () => {
    // Standard deviations are at most .2; 40,000 rows give standard errors of .001; six of them.
    const rows = 40_000;
    const u = uniforms(rootKey(3), 4 * rows);
    const means = [0, 0, 0, 0];
    for (let row = 0; row < rows; row++) {
      let time = 1;
      for (let k = 0; k < 4; k++) {
        time = hittingTime(linearNoise(), time, 4 - k, u[4 * row + k] as number);
        means[k] = (means[k] as number) + time / rows;
      }
    }
    [0.8, 0.6, 0.4, 0.2].forEach((mean, k) => expect(Math.abs((means[k] as number) - mean)).toBeLessThan(0.006));
  });

  it('draws one token for a row of one, at a time that is a uniform number itself', async () => {
    // P(time < x) = x: Kolmogorov–Smirnov over 2,000 rows; 0.06 is exceeded with probability 1e-6.
    const rows = 2000;
    const start = canvas(
      Array.from({ length: rows }, () => [2]),
      { maskId: 2 },
    );
    const all = await states(coin, firstHitting(), { start, maskId: 2, vocabulary: 2, seed: 5 });
    expect(all.length).toBe(2);
    expect(all[1]?.passes).toBe(1);
    const times = (all[1] as UnmaskState).rows.map(({ time }) => time).sort((a, b) => a - b);
    expect(times[0]).toBeGreaterThan(0);
    expect(times.at(-1)).toBeLessThan(1);
    times.forEach((time, i) => expect(Math.abs(time - (i + 0.5) / rows)).toBeLessThan(0.06));
    expect(hittingTime(linearNoise(), 1, 1, 0.3)).toBeCloseTo(0.3, 12);
  });

  it('shrinks the hidden share of the cosine schedule by u^(1/n), by its own inverse', () => {
    const schedule = cosineNoise();
    const time = hittingTime(schedule, 0.7, 2, 0.5);
    expect(schedule.masked(time) / schedule.masked(0.7)).toBeCloseTo(Math.SQRT1_2, 12);
    // Not what the linear schedule gives.
    expect(Math.abs(time - 0.7 * Math.SQRT1_2)).toBeGreaterThan(0.05);
  });

  it('leaves rows that are complete as they are while others go on', async () => {
    const start = canvas(
      [
        [1, 0, 1],
        [2, 2, 2],
        [2, 0],
      ],
      { maskId: 2 },
    );
    const all = await states(coin, firstHitting(), { start, maskId: 2, vocabulary: 2 });
    expect(all.length).toBe(4);
    for (const state of all) expect(rowIn(state)).toBe(rowIn(start));
    expect(rowIn(all[3], 2)).toBe(rowIn(all[1], 2));
    expect(all.map((state) => rowIn(state, 1).masked.reduce((sum, one) => sum + one, 0))).toEqual([3, 2, 1, 0]);
  });
});

describe('steps that fix nothing (card masked-diffusion)', () => {
  it('still count: the plan goes on, and the network is not asked', async () => {
    // Floored counts of 8 masks in 16 steps: nine of nothing, then 1 1 1 1 1 1 2. Time is the share that is hidden.
    const start = canvas([[]], { maskId: 3, generate: 8 });
    const all = await states(contextual(3), confidence({ steps: 16, counts: 'floor' }), { start, maskId: 3, vocabulary: 3 });
    const hidden = all.map((state) => rowIn(state).masked.reduce((sum, one) => sum + one, 0));
    expect(hidden).toEqual([...new Array<number>(10).fill(8), 7, 6, 5, 4, 3, 2, 0]);
    all.forEach((state, k) => {
      expect(rowIn(state).step).toBe(k);
      expect(rowIn(state).time).toBe((hidden[k] as number) / 8);
      expect(state.passes).toBe(Math.max(0, k - 9));
    });
  });

  it('still advance the time of ancestral sampling, whose steps are times', async () => {
    const start = canvas([[]], { maskId: 2, generate: 3 });
    const all = await states(coin, ancestral({ steps: 50 }), { start, maskId: 2, vocabulary: 2, seed: 1 });
    let still = 0;
    all.slice(1).forEach((state, k) => {
      if (state.passes === all[k]?.passes) still++;
      expect(rowIn(state).time).toBeCloseTo(1 - (k + 1) / 50, 12);
    });
    expect(still).toBeGreaterThan(0);
    expect(rowIn(all.at(-1)).masked).toEqual(new Uint8Array(3));
  });
});

describe('guidance without a prompt (card smdm)', () => {
  it('changes nothing at any weight', async () => {
    const start = canvas([[]], { maskId: 4, generate: 6 });
    const tokens = async (guidance: number): Promise<number[]> =>
      Array.from(
        rowIn((await states(contextual(4), confidence({ steps: 3, temperature: 1 }), { start, maskId: 4, vocabulary: 4, guidance, seed: 2 })).at(-1)).ids,
      );
    const plain = await tokens(0);
    for (const weight of [-1, 0.5, 4]) expect(await tokens(weight)).toEqual(plain);
  });
});
