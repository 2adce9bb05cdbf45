// Do the draws follow their laws? Seeds are fixed, so these tests always give the same answer; the thresholds are such
// that a right generator would fail one of them once in about 10^6 choices of the seed.
import { describe, expect, it } from 'vitest';
import { Draws, fold, gumbels, normals, permuted, rootKey, sampleKey, uniforms, words } from '../../src/core/key.js';

const key = fold(rootKey(2024), 'statistics');

/** Kolmogorov–Smirnov: √n · sup |F_n − F|. P(> 2.7) ≈ 2 exp(−2 · 2.7²) ≈ 9·10^-7. */
function kolmogorov(values: Float64Array, cdf: (x: number) => number): number {
  const sorted = Float64Array.from(values).sort();
  let most = 0;
  sorted.forEach((x, i) => {
    const f = cdf(x);
    most = Math.max(most, f - i / sorted.length, (i + 1) / sorted.length - f);
  });
  return most * Math.sqrt(sorted.length);
}
const ksLimit = 2.7;

/** Chi-square as a standard normal (Wilson–Hilferty): P(> 4.9) ≈ 5·10^-7. */
function chi(counts: readonly number[]): number {
  const expected = counts.reduce((sum, c) => sum + c, 0) / counts.length;
  const df = counts.length - 1;
  const square = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
  return (Math.cbrt(square / df) - (1 - 2 / (9 * df))) / Math.sqrt(2 / (9 * df));
}
const chiLimit = 4.9;

/** Φ by Abramowitz and Stegun 26.2.17, error below 7.5·10^-8. */
function phi(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
}
const mean = (x: Float64Array): number => x.reduce((sum, v) => sum + v, 0) / x.length;
const moment = (x: Float64Array, k: number, center = mean(x)): number => x.reduce((sum, v) => sum + (v - center) ** k, 0) / x.length;

/** How often each outcome of `draw` came. */
function tally(outcomes: number, trials: number, draw: (trial: number) => number): number[] {
  const counts = new Array<number>(outcomes).fill(0);
  for (let trial = 0; trial < trials; trial++) {
    const outcome = draw(trial);
    counts[outcome] = (counts[outcome] as number) + 1;
  }
  return counts;
}
/** The number of a permutation among all of its length (factorial number system). */
function rank(order: ArrayLike<number>): number {
  let number = 0;
  for (let i = 0; i < order.length; i++) {
    let smaller = 0;
    for (let j = i + 1; j < order.length; j++) if ((order[j] as number) < (order[i] as number)) smaller++;
    number = number * (order.length - i) + smaller;
  }
  return number;
}
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

describe('laws', () => {
  const n = 100_000;
  it('uniforms: distribution, and no correlation between neighbours', () => {
    const u = uniforms(key, n);
    expect(kolmogorov(u, (x) => x)).toBeLessThan(ksLimit);
    // Σ (u_i − ½)(u_{i+1} − ½) / n has standard deviation 1/(12 √n); 5 of them: 6·10^-7.
    let sum = 0;
    for (let i = 1; i < n; i++) sum += ((u[i] as number) - 0.5) * ((u[i - 1] as number) - 0.5);
    expect(Math.abs(sum / n)).toBeLessThan(5 / (12 * Math.sqrt(n)));
  });
  it('normals: distribution and four moments', () => {
    const z = normals(fold(key, 'normal'), n);
    expect(kolmogorov(z, phi)).toBeLessThan(ksLimit);
    // Standard deviations of the sample moments: 1, √2, √15 (third about 0), √96 (fourth) over √n.
    expect(Math.abs(mean(z))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moment(z, 2, 0) - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(n));
    expect(Math.abs(moment(z, 3, 0))).toBeLessThan((5 * Math.sqrt(15)) / Math.sqrt(n));
    expect(Math.abs(moment(z, 4, 0) - 3)).toBeLessThan((6 * Math.sqrt(96)) / Math.sqrt(n));
  });
  it('gumbels: distribution, mean γ and variance π²/6', () => {
    const g = gumbels(fold(key, 'gumbel'), n);
    expect(kolmogorov(g, (x) => Math.exp(-Math.exp(-x)))).toBeLessThan(ksLimit);
    expect(Math.abs(mean(g) - 0.5772156649)).toBeLessThan((5 * (Math.PI / Math.sqrt(6))) / Math.sqrt(n));
    // The kurtosis of Gumbel is 5.4: the sample variance has standard deviation √4.4 σ² / √n.
    expect(Math.abs(moment(g, 2) - Math.PI ** 2 / 6)).toBeLessThan((5 * Math.sqrt(4.4) * (Math.PI ** 2 / 6)) / Math.sqrt(n));
  });
  it('first words of consecutive samples, epochs and sources are uniform', () => {
    for (const part of ['id', 'epoch', 'source'] as const) {
      const counts = tally(
        256,
        51_200,
        (i) =>
          (words(
            sampleKey(key, { source: 0, id: 0, epoch: 0, [part]: part === 'source' ? i % 2048 : i, ...(part === 'source' ? { id: i >> 11 } : {}) }),
            1,
          )[0] as number) >>> 24,
      );
      expect(chi(counts)).toBeLessThan(chiLimit);
    }
  });
});

describe('integers and choices', () => {
  it.each([2, 3, 10, 100])('integer(%i) is uniform', (n) => {
    const draws = new Draws(fold(key, n));
    expect(chi(tally(n, 20_000, () => draws.integer(n)))).toBeLessThan(chiLimit);
  });
  it('integer(3·2^30) is unbiased, where plain remainders would give the lower third twice the weight', () => {
    const draws = new Draws(fold(key, 'biased'));
    expect(chi(tally(3, 20_000, () => Math.floor(draws.integer(3 * 2 ** 30) / 2 ** 30)))).toBeLessThan(chiLimit);
  });
  it('integer(3·2^51) is unbiased, on 53 bits', () => {
    const draws = new Draws(fold(key, 'wide'));
    expect(chi(tally(3, 20_000, () => Math.floor(draws.integer(3 * 2 ** 51) / 2 ** 51)))).toBeLessThan(chiLimit);
  });
  it.each([
    [4, 2],
    [5, 3],
    [6, 1],
    [6, 5],
  ])('choice of %i: every subset of %i equally often', (n, k) => {
    const draws = new Draws(fold(fold(key, n), k));
    const masks = Array.from({ length: 2 ** n }, (_, mask) => mask).filter((mask) => mask.toString(2).replaceAll('0', '').length === k);
    expect(chi(tally(masks.length, 20_000, () => masks.indexOf(draws.choice(n, k).reduce((mask, i) => mask | (1 << i), 0))))).toBeLessThan(chiLimit);
  });
  it('permutation(4): all 24 orders equally often', () => {
    const draws = new Draws(fold(key, 'permutation'));
    expect(chi(tally(24, 24_000, () => rank(draws.permutation(4))))).toBeLessThan(chiLimit);
  });
});

describe('permuted over keys', () => {
  it.each([2, 3, 4, 5])('n = %i: all orders equally often', (n) => {
    const counts = tally(factorial(n), 20_000, (i) => {
      const at = permuted(fold(key, i), n);
      return rank(Array.from({ length: n }, (_, k) => at(k)));
    });
    expect(chi(counts)).toBeLessThan(chiLimit);
  });
  it.each([6, 8, 16, 20, 64])('n = %i: all pairs of first and second, of first and last equally often', (n) => {
    for (const [i, j] of [
      [0, 1],
      [0, n - 1],
    ] as const) {
      const pairs = tally(n * (n - 1), 20_000, (trial) => {
        const at = permuted(fold(key, trial), n);
        const a = at(i);
        const b = at(j);
        return a * (n - 1) + (b < a ? b : b - 1);
      });
      expect(chi(pairs)).toBeLessThan(chiLimit);
    }
  });
  it.each([4, 16, 64])('n = %i: odd orders as often as even ones', (n) => {
    const odd = tally(2, 4000, (trial) => {
      const at = permuted(fold(key, trial), n);
      const order = Array.from({ length: n }, (_, k) => at(k));
      let inversions = 0;
      for (let a = 0; a < n; a++) for (let b = 0; b < a; b++) if ((order[b] as number) > (order[a] as number)) inversions++;
      return inversions % 2;
    });
    expect(Math.abs((odd[1] as number) - 2000)).toBeLessThan(5 * Math.sqrt(1000));
  });
  it('the first of a large order is uniform over keys, and neighbours go apart', () => {
    const n = 2 ** 21;
    expect(chi(tally(100, 20_000, (i) => Math.floor((permuted(fold(key, i), n)(0) * 100) / n)))).toBeLessThan(chiLimit);
    const at = permuted(key, n);
    // The sign of at(i + 1) − at(i) rises with probability ½; neighbouring signs are anticorrelated, variance (m + 1) / 12 over m.
    const m = 100_000;
    let rises = 0;
    for (let i = 0; i + 1 < m; i++) if (at(i + 1) > at(i)) rises++;
    expect(Math.abs(rises - (m - 1) / 2)).toBeLessThan(5 * Math.sqrt((m + 1) / 12));
  });
});
