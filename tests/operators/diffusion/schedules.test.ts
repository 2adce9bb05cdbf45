import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cosineNoise, linearNoise, md4Noise, perplexityBound, spreadTimes } from '../../../src/operators/diffusion/index.js';

const near = (values: readonly number[], expected: readonly number[], digits = 5): void =>
  values.forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, digits));
const times = [0.1, 0.5, 0.9];
const schedules = [
  ['linear', linearNoise()],
  ['linear with a margin', linearNoise({ margin: 1e-3 })],
  ['linear with a floor', linearNoise({ floor: 1e-3 })],
  ['cosine', cosineNoise()],
  ['cosine without a margin', cosineNoise({ margin: 0 })],
  ['MD4', md4Noise()],
] as const;

describe('noise schedules', () => {
  it('give the vectors of the card', () => {
    near(times.map(linearNoise().weight), [10, 2, 1.1111], 4);
    near(times.map(linearNoise({ margin: 1e-3 }).weight), [10, 2, 1.1111], 4);
    near(times.map(cosineNoise().alpha), [0.987701, 0.7074, 0.157278], 6);
    near(times.map(cosineNoise().weight), [19.95886, 3.792238, 1.839166], 4);
    near(times.map(md4Noise().alpha), [0.843566, 0.292893, 0.012312], 6);
    near(times.map(md4Noise().weight), [9.917618, 1.570796, 0.24879], 5);
    near(times.map(linearNoise({ floor: 1e-3 }).masked), [0.1009, 0.5005, 0.9001], 10);
    near(times.map(linearNoise({ floor: 1e-3 }).weight), [1 / 0.1009, 1 / 0.5005, 1 / 0.9001], 9);
  });

  it.each(schedules)('%s: derivative, inverse and hidden share agree with α', (_, schedule) => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), (t) => {
        const h = 1e-6;
        expect(schedule.masked(t)).toBeCloseTo(1 - schedule.alpha(t), 12);
        expect(schedule.derivative(t)).toBeCloseTo((schedule.alpha(t + h) - schedule.alpha(t - h)) / (2 * h), 6);
        expect(schedule.derivative(t)).toBeLessThan(0);
        expect(schedule.inverse(schedule.masked(t))).toBeCloseTo(t, 9);
      }),
    );
    for (const share of [0, 1, 1e-20]) {
      expect(schedule.inverse(share)).toBeGreaterThan(0);
      expect(schedule.inverse(share)).toBeLessThanOrEqual(1);
    }
  });

  it.each(schedules)('%s: a uniform predictor loses ln V, but for the margin', (name, schedule) => {
    // ∫ w (1 − α) dt by the midpoint rule: α(0) − α(1), or 1 for the floor's own weight.
    const n = 20_000;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (schedule.weight((i + 0.5) / n) * schedule.masked((i + 0.5) / n)) / n;
    expect(sum).toBeCloseTo(name === 'linear with a margin' || name === 'cosine' ? 0.999 : 1, 6);
  });

  it('say what is wrong with their options', () => {
    expect(() => linearNoise({ margin: 1 })).toThrow('linearNoise.margin: must lie in [0, 1); got 1. It is an ε: 0.001 is usual.');
    expect(() => linearNoise({ margin: 0.1, floor: 0.1 })).toThrow('linearNoise.floor: excludes margin; got 0.1. MDLM has margin, LLaDA and SMDM have floor.');
    expect(() => cosineNoise({ eps: 0.1 } as never)).toThrow('cosineNoise.eps: there is no such option');
    expect(() => cosineNoise({ margin: -1 })).toThrow('cosineNoise.margin: must lie in [0, 1); got -1');
  });
});

describe('spreadTimes', () => {
  it('puts one time into each bin', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 20 }), (u) => {
        spreadTimes(Float64Array.from(u), 'bins').forEach((t, i) => {
          expect(t).toBeGreaterThanOrEqual(i / u.length);
          expect(t).toBeLessThan((i + 1) / u.length);
        });
      }),
    );
  });

  it('or shifts one by equal distances: sorted times have gaps of 1 / B, modulo 1', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 30 }), (u, rows) => {
        const sorted = spreadTimes(new Float64Array(rows).fill(u), 'shift').sort();
        for (let i = 1; i < rows; i++) expect((sorted[i] as number) - (sorted[i - 1] as number)).toBeCloseTo(1 / rows, 9);
        expect((sorted[0] as number) + 1 - (sorted[rows - 1] as number)).toBeCloseTo(1 / rows, 9);
      }),
    );
  });
});

describe('perplexityBound', () => {
  it('is e to the nats a token', () => expect(perplexityBound(100 * Math.log(8), 100)).toBeCloseTo(8, 12));
});
