// Coloured noise from white noise by differences of Gaussian blurs (ColorMAE, Hinojosa et al. 2024, section 3.2 and the
// project page). The official generator is not published; what no source fixes is our choice: a toroidal boundary, so that
// no border is biased, and kernels cut at ⌈3σ⌉. σ is in cells of the pattern = tokens of the grid.
import { check } from '../../core/options.js';

/** White as MAE; red low-pass, blue high-pass, green band-pass, purple band-stop. */
export const colors = ['white', 'red', 'blue', 'green', 'purple'] as const;
export type Color = (typeof colors)[number];

export interface Sigmas {
  /** Blur of red and blue, in cells. Default 1. */
  readonly sigma?: number;
  /** Narrow blur of green and purple, in cells. Default 0.75. */
  readonly sigma1?: number;
  /** Wide blur of green and purple, in cells; wider than `sigma1`. Default 2.5. */
  readonly sigma2?: number;
}

/**
 * A Gaussian of standard deviation `sigma` (cells) at the integers −⌈3σ⌉ … ⌈3σ⌉, scaled to sum 1.
 *
 * @throws MaskflowError unless sigma is a positive finite number
 *
 * @example
 * gaussianKernel(1); // Float64Array [0.004433, 0.054006, 0.242036, 0.399050, …], symmetric
 */
export function gaussianKernel(sigma: number): Float64Array {
  check(sigma > 0 && Number.isFinite(sigma), 'gaussianKernel', 'sigma', 'must be a positive number', sigma);
  const radius = Math.ceil(3 * sigma);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const sum = kernel.reduce((total, value) => total + value, 0);
  return kernel.map((value) => value / sum);
}

/**
 * `values` (row-major, of shape `shape`) blurred along every axis, with wrap-around; any rank. A new Float64Array.
 *
 * @example
 * blurTorus(Float64Array.of(0, 1, 0, 0), [4], 0.3); // about [0.004, 0.992, 0.004, 0]
 */
export function blurTorus(values: ArrayLike<number>, shape: readonly number[], sigma: number): Float64Array {
  const kernel = gaussianKernel(sigma);
  const radius = (kernel.length - 1) / 2;
  const result = Float64Array.from(values);
  let stride = result.length;
  for (const side of shape) {
    stride /= side;
    // One line at a time, with its ends repeated on both sides so that the sum below needs no wrapping.
    const line = new Float64Array(side + 2 * radius);
    const block = side * stride;
    for (let from = 0; from < result.length; from += block) {
      for (let offset = from; offset < from + stride; offset++) {
        for (let i = 0; i < side; i++) line[i + radius] = result[offset + i * stride] as number;
        for (let i = 1; i <= radius; i++) {
          line[radius - i] = line[radius + ((side - (i % side)) % side)] as number;
          line[radius + side - 1 + i] = line[radius + ((i - 1) % side)] as number;
        }
        for (let i = 0; i < side; i++) {
          let sum = 0;
          for (let k = 0; k < kernel.length; k++) sum += (kernel[k] as number) * (line[i + k] as number);
          result[offset + i * stride] = sum;
        }
      }
    }
  }
  return result;
}

/**
 * White noise filtered to a colour, before normalisation; linear in `white`. red = G_σ∗W, blue = W − G_σ∗W,
 * green = G_σ1∗W − G_σ2∗W, purple = W − green (our reading of "only high and low frequencies").
 *
 * @param white row-major noise of shape `shape`, W ~ N(0, 1); any rank
 * @returns Float64Array of the same size
 *
 * @example
 * colorPattern('green', normals(rootKey(0), 64 * 64), [64, 64]);
 */
export function colorPattern(color: Color, white: ArrayLike<number>, shape: readonly number[], options: Sigmas = {}): Float64Array {
  const { sigma = 1, sigma1 = 0.75, sigma2 = 2.5 } = options;
  if (color === 'white') return Float64Array.from(white);
  if (color === 'red' || color === 'blue') {
    const low = blurTorus(white, shape, sigma);
    return color === 'red' ? low : low.map((value, i) => (white[i] as number) - value);
  }
  const wide = blurTorus(white, shape, sigma2);
  const band = blurTorus(white, shape, sigma1).map((value, i) => value - (wide[i] as number));
  return color === 'green' ? band : band.map((value, i) => (white[i] as number) - value);
}

/**
 * The pattern shifted and scaled to mean 0 and variance 1 (a constant one to zeros). Does not change any mask.
 *
 * @example
 * normalizePattern(Float64Array.of(1, 3)); // Float64Array [-1, 1]
 */
export function normalizePattern(pattern: Float64Array): Float64Array {
  const mean = pattern.reduce((sum, value) => sum + value, 0) / pattern.length;
  const variance = pattern.reduce((sum, value) => sum + (value - mean) ** 2, 0) / pattern.length;
  return pattern.map((value) => (variance > 0 ? (value - mean) / Math.sqrt(variance) : 0));
}
