// The vectors of the cards masked-diffusion, smdm and first-hitting that concern samplers.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rootKey, fold } from '../../../src/core/key.js';
import {
  boundedPrefix,
  drawToken,
  drawWeighted,
  extrapolated,
  guide,
  guided,
  hittingTime,
  mixed,
  probabilities,
  stayHidden,
  stepCounts,
  tokenStats,
} from '../../../src/operators/samplers/index.js';
import { cosineNoise, linearNoise, md4Noise } from '../../../src/operators/diffusion/index.js';
import { beginDraws } from '../../../src/operators/masks/draws.js';
import { highest } from '../../../src/operators/samplers/highest.js';
import type { NetworkRequest } from '../../../src/operators/samplers/network.js';
import { chiSquare, contextual } from './networks.js';

const logs = (...p: number[]): Float32Array => Float32Array.from(p, Math.log);

describe('stepCounts', () => {
  it('shares out as LLaDA does', () => {
    expect([...stepCounts(10, 4)]).toEqual([3, 3, 2, 2]);
    expect([...stepCounts(3, 5)]).toEqual([1, 1, 1, 0, 0]);
    expect([...stepCounts(0, 3)]).toEqual([0, 0, 0]);
  });

  it('follows the cosine as MaskGIT does', () => {
    expect([...stepCounts(16, 4, 'cosine')]).toEqual([2, 3, 5, 6]);
    expect([...stepCounts(256, 8, 'cosine')]).toEqual([5, 15, 24, 31, 39, 45, 48, 49]);
  });

  it("floors as SMDM's code does", () => {
    expect([...stepCounts(10, 10, 'floor')]).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    expect([...stepCounts(10, 5, 'floor')]).toEqual([1, 2, 2, 2, 3]);
    expect([...stepCounts(32, 8, 'floor')]).toEqual([3, 4, 4, 4, 4, 4, 4, 5]);
    expect([...stepCounts(8, 16, 'floor')]).toEqual([...new Array(9).fill(0), 1, 1, 1, 1, 1, 1, 2]);
  });

  it('adds up to the masks, never below 0', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 300 }), fc.constantFrom('even', 'cosine', 'floor'), (masks, steps, plan) => {
        const counts = stepCounts(masks, steps, plan);
        expect(counts.length).toBe(steps);
        expect(counts.reduce((a, b) => a + b, 0)).toBe(masks);
        expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('refuses what is no plan', () => {
    expect(() => stepCounts(3, 0)).toThrow('stepCounts.steps: must be an integer of at least 1; got 0');
    expect(() => stepCounts(3, 1, 'linear' as never)).toThrow('stepCounts.counts: must be the name of a plan; got "linear". Known: even, cosine, floor.');
  });
});

describe('tokenStats', () => {
  it('gives confidence, margin and entropy of (.6, .3, .1)', () => {
    const { best, first, second, entropy } = tokenStats({ logits: logs(0.6, 0.3, 0.1), vocabulary: 3, never: [] }, 0);
    expect(best).toBe(0);
    expect(first).toBeCloseTo(0.6, 6);
    expect(first - second).toBeCloseTo(0.3, 6);
    expect(entropy).toBeCloseTo(0.897946, 6);
  });

  it('leaves out what never comes, and stands large logits and −∞', () => {
    const logits = Float32Array.of(0, 900, 1000, Number.NEGATIVE_INFINITY, 900);
    const stats = tokenStats({ logits, vocabulary: 5, never: [2] }, 0);
    expect(stats.best).toBe(1);
    expect(stats.first).toBeCloseTo(0.5, 12);
    expect(stats.second).toBeCloseTo(0.5, 12);
    expect(stats.entropy).toBeCloseTo(Math.LN2, 12);
    expect([...probabilities({ logits, vocabulary: 5, never: [2] }, 0)].map((p) => Math.round(p * 1e9) / 1e9)).toEqual([0, 0.5, 0, 0, 0.5]);
    expect(tokenStats({ logits: Float32Array.of(3), vocabulary: 1, never: [] }, 0)).toMatchObject({ best: 0, first: 1, second: 0, entropy: 0 });
  });

  it('gives ln V for equal logits', () => {
    for (const V of [2, 7, 1000])
      expect(tokenStats({ logits: new Float32Array(V).fill(-3), vocabulary: V, never: [] }, 0).entropy).toBeCloseTo(Math.log(V), 10);
  });
});

describe('drawToken', () => {
  it('draws each id in proportion to exp(logit / temperature), over many blocks', () => {
    // χ² with 199 degrees of freedom; 331 is exceeded with probability 1e-8 at each of three temperatures. Fixed seed.
    const V = 201;
    const logits = Float32Array.from({ length: V }, (_, i) => 2 * Math.sin(i * i) + (i === 77 ? 3 : 0));
    for (const temperature of [0.5, 1, 3]) {
      const weights = Array.from(logits, (logit, i) => (i === 130 ? 0 : Math.exp(logit / temperature)));
      const sum = weights.reduce((a, b) => a + b, 0);
      const counts = new Array<number>(V).fill(0);
      beginDraws(fold(rootKey(1), temperature));
      for (let n = 0; n < 40_000; n++) {
        const id = drawToken({ logits, vocabulary: V, never: [130] }, 0, temperature);
        counts[id] = (counts[id] as number) + 1;
      }
      expect(counts[130]).toBe(0);
      expect(
        chiSquare(
          counts,
          weights.map((w) => w / sum),
        ),
      ).toBeLessThan(331);
    }
  });

  it('draws what one block dominates, skips blocks of −∞, and the last partial block', () => {
    const logits = new Float32Array(150).fill(Number.NEGATIVE_INFINITY);
    logits[149] = -5;
    logits[3] = -5;
    const seen = new Set<number>();
    beginDraws(rootKey(2));
    for (let n = 0; n < 200; n++) seen.add(drawToken({ logits, vocabulary: 150, never: [] }, 0, 1));
    expect([...seen].sort()).toEqual([149, 3]);
  });

  it('takes the first of the most probable at temperature 0, and never what never comes', () => {
    expect(drawToken({ logits: Float32Array.of(1, 5, 5, 2), vocabulary: 4, never: [] }, 0, 0)).toBe(1);
    expect(drawToken({ logits: Float32Array.of(1, 5, 5, 2), vocabulary: 4, never: [1, 2] }, 0, 0)).toBe(3);
  });

  it('refuses logits that are none', () => {
    const draw =
      (...logits: number[]) =>
      () =>
        drawToken({ logits: Float32Array.from(logits), vocabulary: logits.length, never: [] }, 0, 1);
    expect(draw(0, Number.NaN)).toThrow('logits must be numbers below +∞, but that of id 1 is not; got NaN.');
    expect(draw(Number.POSITIVE_INFINITY, 0)).toThrow('that of id 0 is not; got Infinity.');
    expect(draw(Number.NEGATIVE_INFINITY)).toThrow('no token can be drawn');
    expect(() => tokenStats({ logits: Float32Array.of(Number.NaN), vocabulary: 1, never: [] }, 0)).toThrow('logits must be numbers');
  });
});

describe('drawWeighted', () => {
  it('draws in proportion, never what weighs nothing', () => {
    // χ² with 2 degrees of freedom; 41 is exceeded with probability 1e-9.
    const counts = [0, 0, 0, 0];
    beginDraws(rootKey(3));
    for (let n = 0; n < 20_000; n++) {
      const i = drawWeighted(Float64Array.of(9, 1, 0, 3, 4, 9), 1, 4);
      counts[i] = (counts[i] as number) + 1;
    }
    expect(chiSquare(counts, [1 / 8, 0, 3 / 8, 4 / 8])).toBeLessThan(41);
    expect(() => drawWeighted(Float64Array.of(0, 0))).toThrow('weights must be numbers ≥ 0 with a sum above 0; got 0.');
  });
});

describe('highest', () => {
  it('takes the lower index on ties, and stands infinities', () => {
    expect([...highest(Float64Array.of(0.5, 0.9, 0.9, 0.9, 0.1), 2)]).toEqual([1, 2]);
    expect([...highest(Float64Array.of(1, 1, 1), 1)]).toEqual([0]);
    expect([...highest(Float64Array.of(Number.NEGATIVE_INFINITY, 2, Number.NEGATIVE_INFINITY), 2)]).toEqual([0, 1]);
    expect([...highest(Float64Array.of(1, 2), 9)]).toEqual([0, 1]);
  });
});

describe('boundedPrefix', () => {
  it('is the longest prefix with Σ H − max H within the bound, at least one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 4, noNaN: true }),
        (given, bound) => {
          const sorted = [...given].sort((a, b) => a - b);
          let best = 1;
          let before = 0;
          for (let k = 1; k <= sorted.length; k++) {
            // Σ of the first k less their largest, which is the last.
            if (before <= bound) best = k;
            before += sorted[k - 1] as number;
          }
          expect(boundedPrefix(sorted, bound)).toBe(best);
        },
      ),
    );
    expect(boundedPrefix([], 1)).toBe(0);
  });
});

describe('ancestral step', () => {
  it('from .5 to .25 of the linear schedule keeps the mask with .5', () => {
    const stay = stayHidden(linearNoise(), 0.5, 0.25);
    expect(stay).toBe(0.5);
    expect([0.7, 0.3].map((p) => (1 - stay) * p)).toEqual([0.35, 0.15]);
  });
});

describe('hittingTime', () => {
  it('gives the times of the card', () => {
    let time = 1;
    const times = [0.5, 0.25, 0.8].map((u, k) => (time = hittingTime(linearNoise(), time, 3 - k, u)));
    expect(times.map((t) => t.toFixed(6))).toEqual(['0.793701', '0.396850', '0.317480']);
    expect(hittingTime(linearNoise(), 1, 2, 0.5)).toBeCloseTo(Math.SQRT1_2, 6);
    expect(hittingTime(linearNoise(), 0.6, 1, 0.3)).toBeCloseTo(0.18, 12);
  });

  it('shrinks the hidden share by u^(1/n) under every schedule, and time with it', () => {
    const schedules = [linearNoise(), linearNoise({ margin: 1e-3 }), cosineNoise(), md4Noise()];
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.double({ min: 1e-6, max: 1 - 1e-9, noNaN: true }),
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (schedule, u, n, time) => {
          const next = hittingTime(schedule, time, n, u);
          expect(schedule.masked(next) / schedule.masked(time) / u ** (1 / n)).toBeCloseTo(1, 9);
          expect(next).toBeLessThanOrEqual(time);
          expect(next).toBeGreaterThan(0);
        },
      ),
    );
  });
});

describe('second order', () => {
  it('extrapolates linearly in time, clipped and renormalised', () => {
    const result = extrapolated(Float64Array.of(0.5, 0.5), Float64Array.of(0.6, 0.4), 0.5, 0.6, 0.45);
    expect(result[0]).toBeCloseTo(0.45, 12);
    expect(result[1]).toBeCloseTo(0.55, 12);
    const clipped = extrapolated(Float64Array.of(0.1, 0.9), Float64Array.of(0.6, 0.4), 0.5, 0.6, 0.4);
    expect([...clipped]).toEqual([0, 1]);
    expect([...extrapolated(Float64Array.of(0.3, 0.7), Float64Array.of(0.9, 0.1), 0.5, 0.6, 0.5)]).toEqual([0.3, 0.7]);
  });

  it('mixes in equal parts', () => {
    expect([...mixed(Float64Array.of(1, 0), Float64Array.of(9, 0.5, 0.5), 1)]).toEqual([0.75, 0.25]);
  });
});

describe('guide', () => {
  const c = Float32Array.of(2, 1, 0);
  const u = Float32Array.of(1, 1.5, 0);
  const soft = (logits: Float32Array): number[] => [...probabilities({ logits, vocabulary: 3, never: [] }, 0)].map((p) => Number(p.toFixed(6)));

  it('gives the vector of the card', () => {
    expect([...guide(c, u, 0.5)]).toEqual([2.5, 0.75, 0]);
    expect(soft(c)).toEqual([0.665241, 0.244728, 0.090031]);
    expect(soft(guide(c, u, 0.5))).toEqual([0.796268, 0.138371, 0.065362]);
  });

  it('is the conditional at w = 0 and where both agree, the unconditional at w = −1', () => {
    expect(guide(c, u, 0)).toBe(c);
    expect([...guide(c, u, -1)]).toEqual([...u]);
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -50, max: 50 })), fc.double({ min: -1, max: 5, noNaN: true }), (logits, w) => {
        expect(guide(Float32Array.from(logits), Float32Array.from(logits), w)).toEqual(Float32Array.from(logits));
      }),
    );
  });

  it('does not see a constant added to a position', () => {
    expect(
      soft(
        guide(
          c.map((x) => x + 7),
          u.map((x) => x - 3),
          1.3,
        ),
      ),
    ).toEqual(soft(guide(c, u, 1.3)));
  });

  it('keeps impossible ids impossible and makes no NaN', () => {
    const no = Number.NEGATIVE_INFINITY;
    expect([...guide(Float32Array.of(no, 1, no), Float32Array.of(no, no, 2), 1)]).toEqual([no, 1, no]);
  });
});

describe('guided', () => {
  it('asks once for both, with the prompt alone hidden in the second half', async () => {
    const requests: NetworkRequest[] = [];
    const network = guided(
      (request) => {
        requests.push(request);
        return contextual(4)(request);
      },
      { weight: 0.5, maskId: 4 },
    );
    const request: NetworkRequest = {
      rows: 2,
      width: 3,
      ids: Int32Array.of(1, 4, 2, 3, 4, 0),
      masked: Uint8Array.of(0, 1, 0, 0, 1, 0),
      prompt: Uint8Array.of(1, 0, 0, 0, 0, 0),
      lengths: Int32Array.of(3, 2),
      time: Float64Array.of(0.5, 1),
      positions: Int32Array.of(1, 4),
      pass: 'full',
      given: [undefined, undefined],
    };
    const answer = (await network(request)) as { logits: Float32Array };
    expect(requests.length).toBe(1);
    expect([...(requests[0] as NetworkRequest).ids]).toEqual([1, 4, 2, 3, 4, 0, 4, 4, 2, 3, 4, 0]);
    expect([...(requests[0] as NetworkRequest).positions]).toEqual([1, 4, 7, 10]);
    const plain = contextual(4)(request) as Float32Array;
    // The second row has no prompt: both halves agree and nothing changes.
    expect([...answer.logits.subarray(4)]).toEqual([...plain.subarray(4)]);
    expect([...answer.logits.subarray(0, 4)]).not.toEqual([...plain.subarray(0, 4)]);
  });

  it('is the network itself at w = 0, and refuses what is no weight', () => {
    const network = contextual(3);
    expect(guided(network, { weight: 0, maskId: 3 })).toBe(network);
    expect(() => guided(network, { weight: -2, maskId: 3 })).toThrow('guided.weight: must be a finite number of at least −1; got -2.');
    expect(() => guided(network, { wait: 1, maskId: 3 } as never)).toThrow('guided.wait: there is no such option.');
  });
});
