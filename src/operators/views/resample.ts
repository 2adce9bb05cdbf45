// Resizing of pixels that are in memory already: separable, antialiased when it shrinks, sampled at pixel centres, as
// PIL and torchvision (`antialias=True`) do it. The bicubic kernel is the Catmull-Rom spline (a = −0.5, Keys 1981).
// Trade-off: plain loops on the calling thread, right for the small images that come as raw tensors; encoded images are
// resized by the decoder's engine. It neither rounds to 8 bits nor leaves [0, white] (overshoot of the kernel is cut).
import type { Box } from './cropBox.js';

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic';

/** Pixels of one image, row-major, the channel fastest; values from 0 (black) to `unit` (white). */
export interface Pixels {
  readonly data: Uint8Array | Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly unit: 1 | 255;
}

const kernels: Readonly<Record<'bilinear' | 'bicubic', { readonly support: number; readonly at: (x: number) => number }>> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    at(x) {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
    },
  },
};

/** For each output place: the first input place that it reads, and the weights from there on. */
interface Taps {
  readonly first: Int32Array;
  readonly weights: readonly Float64Array[];
}

function taps(input: number, output: number, interpolation: Interpolation): Taps {
  const first = new Int32Array(output);
  const weights: Float64Array[] = [];
  const scale = input / output;
  for (let i = 0; i < output; i++) {
    const center = (i + 0.5) * scale;
    if (interpolation === 'nearest') {
      first[i] = Math.min(input - 1, Math.floor(center));
      weights.push(Float64Array.of(1));
      continue;
    }
    const { support, at } = kernels[interpolation];
    // Shrinking widens the kernel, so that every input pixel counts.
    const stretch = Math.max(1, scale);
    const from = Math.max(0, Math.floor(center - support * stretch + 0.5));
    const to = Math.min(input, Math.floor(center + support * stretch + 0.5));
    const row = Float64Array.from({ length: to - from }, (_, k) => at((from + k + 0.5 - center) / stretch));
    const sum = row.reduce((total, weight) => total + weight, 0);
    first[i] = from;
    weights.push(row.map((weight) => weight / sum));
  }
  return { first, weights };
}

/**
 * The part `box` of an image, resized to `height` × `width`. Nothing outside the box is read. Returns float32 pixels
 * in the units of the input; the input itself is not changed.
 *
 * @example
 * resample({ data, height: 28, width: 28, channels: 1, unit: 255 }, { left: 4, top: 4, width: 20, height: 20 }, 28, 28, 'bicubic');
 */
export function resample(pixels: Pixels, box: Box, height: number, width: number, interpolation: Interpolation): Pixels & { readonly data: Float32Array } {
  const { data, channels, unit } = pixels;
  const columns = taps(box.width, width, interpolation);
  const rows = taps(box.height, height, interpolation);
  // 1. Along rows: [box.height, box.width, c] → [box.height, width, c].
  const narrow = new Float32Array(box.height * width * channels);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < width; x++) {
      const weights = columns.weights[x] as Float64Array;
      const start = ((box.top + y) * pixels.width + box.left + (columns.first[x] as number)) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += (weights[k] as number) * (data[start + k * channels + c] as number);
        narrow[(y * width + x) * channels + c] = sum;
      }
    }
  }
  // 2. Along columns: [box.height, width, c] → [height, width, c].
  const line = width * channels;
  const out = new Float32Array(height * line);
  for (let y = 0; y < height; y++) {
    const weights = rows.weights[y] as Float64Array;
    const start = (rows.first[y] as number) * line;
    for (let i = 0; i < line; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += (weights[k] as number) * (narrow[start + k * line + i] as number);
      out[y * line + i] = sum < 0 ? 0 : sum > unit ? unit : sum;
    }
  }
  return { data: out, height, width, channels, unit };
}

/** The whole image scaled until it covers `height` × `width`, what juts out cut off on both sides alike: torchvision's Resize and CenterCrop. */
export function coverage(pixels: Pixels, height: number, width: number, interpolation: Interpolation): Pixels & { readonly data: Float32Array } {
  const scale = Math.max(height / pixels.height, width / pixels.width);
  const h = Math.max(height, Math.round(pixels.height * scale));
  const w = Math.max(width, Math.round(pixels.width * scale));
  const scaled = resample(pixels, { left: 0, top: 0, width: pixels.width, height: pixels.height }, h, w, interpolation);
  // A box of the size wanted, taken as it is.
  return resample(scaled, { left: (w - width) >> 1, top: (h - height) >> 1, width, height }, height, width, 'nearest');
}
