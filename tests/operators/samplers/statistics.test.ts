// What first-hitting and ancestral sampling draw from, against exact laws. Seeds are fixed; false-alarm rates are those of one
// random seed.
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { chainNetwork, forbidden, randomChain } from '../../../bench/methods/support/markovChain.js';
import { gumbels, rootKey, uniforms } from '../../../src/core/key.js';
import {
  type Sampler,
  type UnmaskRow,
  type UnmaskState,
  ancestral,
  canvas,
  expectedPasses,
  firstHitting,
  largestGumbel,
  randomOrder,
  truncatedGumbel,
  unmask,
} from '../../../src/operators/index.js';
import { chiSquare, independent } from './networks.js';

const many = (rows: number, generate: number, maskId: number): UnmaskState =>
  canvas(
    Array.from({ length: rows }, () => []),
    { maskId, generate },
  );

describe('first hitting', () => {
  it('takes each of the orders equally often, at times whose means are (L + 1 − k) / (L + 1)', async () => {
    const rows = 6000;
    const L = 3;
    const orders = new Map<string, number>();
    const own = Array.from({ length: rows }, () => '');
    const times = [0, 0, 0];
    let before: UnmaskState | undefined;
    await new Promise<void>((resolve, reject) => {
      unmask(
        independent(() => [0.5, 0.5]),
        firstHitting(),
        { start: many(rows, L, 2), maskId: 2, vocabulary: 2 },
      ).subscribe({
        next(state) {
          state.rows.forEach((row, r) => {
            const last = before?.rows[r] as UnmaskRow | undefined;
            if (last === undefined) return;
            own[r] = (own[r] as string) + String(row.masked.findIndex((m, i) => m === 0 && last.masked[i] === 1));
            expect(row.time).toBeLessThan(last.time);
            expect(row.time).toBeGreaterThan(0);
            times[state.step - 1] = (times[state.step - 1] as number) + row.time / rows;
          });
          before = state;
        },
        error: reject,
        complete: resolve,
      });
    });
    for (const order of own) orders.set(order, (orders.get(order) ?? 0) + 1);
    expect(orders.size).toBe(6);
    // χ² with 5 degrees of freedom; 50 is exceeded with probability 1e-9.
    expect(chiSquare([...orders.values()], new Array<number>(6).fill(1 / 6))).toBeLessThan(50);
    // Standard errors are at most .0025; six of them.
    times.forEach((mean, k) => expect(Math.abs(mean - (L - k) / (L + 1))).toBeLessThan(0.015));
  });

  const chain = randomChain(1, 3, 2);
  const L = 4;
  const joint = Array.from({ length: 81 }, (_, code) => {
    const ids = [0, 1, 2, 3].map((i) => Math.floor(code / 3 ** (3 - i)) % 3);
    return ids.reduce((p, s, i) => p * (i === 0 ? 1 / 3 : (chain.transition[(ids[i - 1] as number) * 3 + s] as number)), 1);
  });
  const statistic = async (sampler: Sampler, rows = 4000): Promise<number> => {
    const state = await lastValueFrom(unmask(chainNetwork(chain), sampler, { start: many(rows, L, 3), maskId: 3, vocabulary: 3, seed: 11 }));
    const counts = new Array<number>(81).fill(0);
    for (const { ids } of state.rows) {
      const code = ids.reduce((sum, s) => 3 * sum + s, 0);
      counts[code] = (counts[code] as number) + 1;
    }
    return chiSquare(counts, joint);
  };

  it('gives the joint distribution of an exact network, as one token a step in random order does', async () => {
    // 24 possible sequences: χ² with 23 degrees of freedom; 88 is exceeded with probability 1e-9.
    expect(joint.filter((p) => p > 0).length).toBe(24);
    expect(await statistic(firstHitting())).toBeLessThan(88);
    expect(await statistic(randomOrder())).toBeLessThan(88);
  });

  it('is the limit of ancestral sampling: the finer the steps, the fewer impossible sequences', async () => {
    const impossible = async (steps: number): Promise<number> => {
      const state = await lastValueFrom(unmask(chainNetwork(chain), ancestral({ steps }), { start: many(800, L, 3), maskId: 3, vocabulary: 3, seed: 11 }));
      return state.rows.filter(({ ids }) => forbidden(chain, ids) > 0).length / 800;
    };
    // .064 ± .009 at 4 steps; falling in proportion to 1 / steps that is .001 ± .001 at 256.
    expect(await impossible(4)).toBeGreaterThan(0.03);
    expect(await impossible(256)).toBeLessThan(0.01);
  });

  it('makes fewer forbidden transitions than ancestral sampling with as many steps', async () => {
    const eight = randomChain(3);
    const violations = async (sampler: Sampler): Promise<number> => {
      const state = await lastValueFrom(unmask(chainNetwork(eight), sampler, { start: many(200, 16, 8), maskId: 8, vocabulary: 8 }));
      return state.rows.reduce((sum, { ids }) => sum + forbidden(eight, ids), 0) / 200;
    };
    expect(await violations(firstHitting())).toBe(0);
    expect(await violations(ancestral({ steps: 16 }))).toBeGreaterThan(0.2);
  });
});

describe('ancestral', () => {
  it('calls the network as often as the closed form expects', async () => {
    const [steps, length] = [100, 64];
    let passes = 0;
    for (let seed = 0; seed < 40; seed++) {
      passes += (
        await lastValueFrom(
          unmask(
            independent(() => [0.5, 0.5]),
            ancestral({ steps }),
            { start: many(1, length, 2), maskId: 2, vocabulary: 2, seed },
          ),
        )
      ).passes;
    }
    // Occupied cells of 64 balls in 100 bins: standard deviation below 4; 40 runs give .6; six of them.
    expect(Math.abs(passes / 40 - expectedPasses(steps, length))).toBeLessThan(3.6);
  });
});

describe('float32 truncation of Gumbel noise', () => {
  /** Zipf's law over V tokens. */
  const zipf = (V: number): Float64Array => {
    const weights = Float64Array.from({ length: V }, (_, i) => 1 / (i + 1));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  };
  const entropyOf = (p: Float64Array): number => p.reduce((sum, q) => (q > 0 ? sum - q * Math.log(q) : sum), 0);
  /** The law of a token under ancestral sampling in N steps whose every draw, "stay hidden" among the classes, has noise cut at `cut`. */
  const ancestralLaw = (p: Float64Array, steps: number, cut: number): Float64Array => {
    const law = new Float64Array(p.length);
    let hidden = 1;
    for (let step = 0; step < steps; step++) {
      const leave = 1 / (steps - step);
      if (leave === 1) {
        p.forEach((q, i) => (law[i] = (law[i] as number) + hidden * q));
        break;
      }
      const classes = Float64Array.of(...p.map((q) => q * leave), 1 - leave);
      const cutClasses = truncatedGumbel(classes, cut);
      p.forEach((_, i) => (law[i] = (law[i] as number) + hidden * (cutClasses[i] as number)));
      hidden *= cutClasses[p.length] as number;
    }
    return law;
  };

  it('starves rare tokens: entropy falls as the steps grow, as on the card; with 53 bits it does not', () => {
    const p = zipf(1000);
    expect(entropyOf(p)).toBeCloseTo(5.191, 3);
    expect(entropyOf(ancestralLaw(p, 64, largestGumbel(24)))).toBeCloseTo(5.186, 2);
    expect(entropyOf(ancestralLaw(p, 1024, largestGumbel(24)))).toBeCloseTo(5.112, 2);
    expect(entropyOf(ancestralLaw(p, 1024, largestGumbel(53)))).toBeCloseTo(5.191, 3);
  });

  it('is not in ours: the rarer half of the vocabulary keeps its mass', async () => {
    const p = zipf(1000);
    const rare = (of: ArrayLike<number>): number =>
      Array.from(of)
        .slice(500)
        .reduce((a, b) => a + b, 0);
    const steps = 1024;
    const logits = Float32Array.from(p, Math.log);
    const state = await lastValueFrom(
      unmask(
        ({ positions }) => {
          const answer = new Float32Array(positions.length * 1000);
          for (let k = 0; k < positions.length; k++) answer.set(logits, k * 1000);
          return answer;
        },
        ancestral({ steps }),
        { start: many(20, 1000, 1000), maskId: 1000, vocabulary: 1000, seed: 2 },
      ),
    );
    const share = state.rows.reduce((sum, { ids }) => sum + ids.filter((id) => id >= 500).length, 0) / 20_000;
    // A standard error of .00205: 4.5 of them are missed with probability 7e-6, and float32 would be 5 away.
    expect(Math.abs(share - rare(p))).toBeLessThan(4.5 * 0.00205);
    expect(rare(ancestralLaw(p, steps, largestGumbel(24)))).toBeLessThan(rare(p) - 5 * 0.00205);
  });

  it('has noise beyond 16.6355, where float32 noise ends', () => {
    expect(largestGumbel(24)).toBeCloseTo(16.6355, 4);
    expect(largestGumbel(53)).toBeCloseTo(36.7368, 4);
    expect(Math.max(...uniforms(rootKey(0), 1000))).toBeLessThan(1);
    expect(gumbels(rootKey(0), 1000).every(Number.isFinite)).toBe(true);
  });
});

describe('truncatedGumbel', () => {
  const six = (p: Float64Array): number[] => Array.from(p, (x) => Math.round(x * 1e6) / 1e6);
  it('gives the vectors of the card', () => {
    const p = Float64Array.of(0.5, 0.3, 0.2);
    expect(six(truncatedGumbel(p, 0))).toEqual([0.790552, 0.182381, 0.027067]);
    expect(six(truncatedGumbel(p, 1))).toEqual([0.646667, 0.257504, 0.095828]);
    expect(six(truncatedGumbel(p, 2))).toEqual([0.561994, 0.285433, 0.152574]);
    expect(six(truncatedGumbel(p, 5))).toEqual([0.503354, 0.299323, 0.197323]);
    expect(six(truncatedGumbel(p, 16.6355))).toEqual([0.5, 0.3, 0.2]);
    expect(six(truncatedGumbel(Float64Array.of(0.1, 0.7, 0.2), 0))).toEqual([0.000091, 0.981688, 0.018221]);
  });

  it('adds up to 1 and keeps equals equal', () => {
    for (const cut of [-1, 0, 3, 20]) {
      const result = truncatedGumbel(Float64Array.of(0.25, 0.3, 0.25, 0.2), cut);
      expect(result.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
      expect(result[0]).toBeCloseTo(result[2] as number, 12);
    }
  });

  it('is the law of draws whose noise is cut', () => {
    // χ² with 2 degrees of freedom; 41 is exceeded with probability 1e-9.
    const p = [0.5, 0.3, 0.2];
    const u = uniforms(rootKey(4), 3 * 60_000);
    const counts = [0, 0, 0];
    const most = Math.exp(-Math.exp(-1));
    for (let n = 0; n < 60_000; n++) {
      const score = p.map((q, i) => Math.log(q) - Math.log(-Math.log(most * (u[3 * n + i] as number))));
      const best = score.indexOf(Math.max(...score));
      counts[best] = (counts[best] as number) + 1;
    }
    expect(chiSquare(counts, [...truncatedGumbel(Float64Array.from(p), 1)])).toBeLessThan(41);
  });
});

describe('expectedPasses', () => {
  it('gives the numbers of the card', () => {
    expect(expectedPasses(10_000, 1024)).toBeCloseTo(973.36, 2);
    expect(expectedPasses(1000, 1024)).toBeCloseTo(641.03, 2);
    expect(expectedPasses(1000, 1024, 8)).toBeCloseTo(999.72, 2);
    expect(expectedPasses(4, 4)).toBeCloseTo(2.73, 2);
  });
});
