import { describe, expect, it } from 'vitest';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import { blurTorus, colorPattern, colors, gaussianKernel, normalizePattern } from '../../../src/operators/masks/index.js';

const white = (i: number, cells: number): Float64Array => normals(fold(rootKey(11), i), cells);
const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const std = (values: Float64Array): number => {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / values.length);
};
const near = (a: ArrayLike<number>, b: ArrayLike<number>, within: number): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThanOrEqual(within);
};

describe('gaussianKernel', () => {
  it('gives the vectors of the ColorMAE card', () => {
    near(gaussianKernel(0.75), [0.000178, 0.015194, 0.218674, 0.531907, 0.218674, 0.015194, 0.000178], 5e-7);
    near(gaussianKernel(1), [0.004433, 0.054006, 0.242036, 0.39905, 0.242036, 0.054006, 0.004433], 5e-7);
  });

  it('has radius ⌈3σ⌉ and sums to 1', () => {
    for (const sigma of [0.1, 0.75, 1, 1.5, 2.5, 4]) {
      const kernel = gaussianKernel(sigma);
      expect(kernel.length).toBe(2 * Math.ceil(3 * sigma) + 1);
      expect(kernel.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
    }
    expect(() => gaussianKernel(0)).toThrow('gaussianKernel.sigma: must be a positive number; got 0');
  });
});

describe('blurTorus', () => {
  /** The definition: a sum over all offsets of all axes, wrapped. */
  function direct(values: Float64Array, [rows, columns]: readonly [number, number], sigma: number): Float64Array {
    const kernel = gaussianKernel(sigma);
    const radius = (kernel.length - 1) / 2;
    const wrap = (i: number, n: number): number => ((i % n) + n) % n;
    return values.map((_, cell) => {
      let sum = 0;
      for (let dy = -radius; dy <= radius; dy++) {
        for (let dx = -radius; dx <= radius; dx++) {
          const at = wrap(Math.floor(cell / columns) + dy, rows) * columns + wrap((cell % columns) + dx, columns);
          sum += (kernel[dy + radius] as number) * (kernel[dx + radius] as number) * (values[at] as number);
        }
      }
      return sum;
    });
  }

  it('is the wrapped convolution, also where the kernel is wider than the pattern', () => {
    for (const [shape, sigma] of [
      [[9, 7], 0.75],
      [[5, 12], 1],
      [[3, 4], 2.5],
      [[1, 1], 1],
    ] as const) {
      const values = white(0, shape[0] * shape[1]);
      near(blurTorus(values, shape, sigma), direct(values, shape, sigma), 1e-12);
    }
  });

  it('keeps the sum and commutes with rolling, on any number of axes', () => {
    for (const shape of [[64], [8, 12], [4, 6, 5]]) {
      const cells = shape.reduce((product, side) => product * side, 1);
      const values = white(1, cells);
      const blurred = blurTorus(values, shape, 1);
      expect(mean(blurred)).toBeCloseTo(mean(values), 12);
      const inner = cells / (shape[0] as number);
      const roll = (of: Float64Array): Float64Array => of.map((_, i) => of[(i + inner) % cells] as number);
      near(blurTorus(roll(values), shape, 1), roll(blurred), 1e-12);
    }
  });
});

describe('colorPattern', () => {
  it('splits white noise: blue + red = W, purple + green = W', () => {
    for (const shape of [[64, 64], [4096], [16, 16, 16], [6, 10]]) {
      const cells = shape.reduce((product, side) => product * side, 1);
      const noise = white(2, cells);
      const [w, red, blue, green, purple] = colors.map((color) => colorPattern(color, noise, shape)) as [
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      expect(w).toEqual(noise);
      near(
        red.map((value, i) => value + (blue[i] as number)),
        noise,
        1e-12,
      );
      near(
        purple.map((value, i) => value + (green[i] as number)),
        noise,
        1e-12,
      );
      // High- and band-pass have mean 0; low-pass and band-stop keep W's.
      expect(Math.abs(mean(blue))).toBeLessThan(1e-12);
      expect(Math.abs(mean(green))).toBeLessThan(1e-12);
      expect(mean(red)).toBeCloseTo(mean(noise), 12);
      expect(mean(purple)).toBeCloseTo(mean(noise), 12);
    }
  });

  it('is linear in the noise and negates with it', () => {
    const noise = white(3, 256);
    for (const color of colors)
      near(
        colorPattern(
          color,
          noise.map((value) => -2 * value),
          [16, 16],
        ),
        colorPattern(color, noise, [16, 16]).map((value) => -2 * value),
        1e-12,
      );
  });

  it('has the standard deviations of the card before normalisation', () => {
    // 64 patterns of 64×64: the mean standard deviation scatters by about 0.002 (red, the widest), so ±0.01 is 5σ: 6e-7 a colour.
    const expected = { white: 1, red: 0.283, blue: 0.872, green: 0.331, purple: 0.771 };
    for (const color of colors) {
      let sum = 0;
      for (let i = 0; i < 64; i++) sum += std(colorPattern(color, white(i, 4096), [64, 64])) / 64;
      expect(Math.abs(sum - expected[color]), color).toBeLessThan(0.01);
    }
  });

  it('takes the σ that it is given', () => {
    const noise = white(4, 256);
    near(colorPattern('red', noise, [16, 16], { sigma: 2 }), blurTorus(noise, [16, 16], 2), 0);
    const wide = blurTorus(noise, [16, 16], 3);
    near(
      colorPattern('green', noise, [16, 16], { sigma1: 1, sigma2: 3 }),
      blurTorus(noise, [16, 16], 1).map((value, i) => value - (wide[i] as number)),
      1e-15,
    );
  });
});

describe('normalizePattern', () => {
  it('gives mean 0 and variance 1, and zeros for a constant pattern', () => {
    const pattern = normalizePattern(colorPattern('red', white(5, 4096), [64, 64]));
    expect(Math.abs(mean(pattern))).toBeLessThan(1e-12);
    expect(std(pattern)).toBeCloseTo(1, 12);
    expect([...normalizePattern(Float64Array.of(1, 3))]).toEqual([-1, 1]);
    expect([...normalizePattern(Float64Array.of(3, 3))]).toEqual([0, 0]);
  });
});
