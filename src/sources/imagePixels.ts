// What a sample's field may be, and the last steps of every image: channels, mirror, jitter, normalisation.
import { isColumn } from '../core/batch.js';
import { MaskflowError, show } from '../core/errors.js';
import { freshFloats } from '../core/slab.js';
import { type Jitter, type Normalization, type Pixels, applyJitter } from '../operators/views/index.js';

/** A Hugging Face image: the file's bytes, and where they were read from. */
export interface ImageStruct {
  readonly bytes: Uint8Array | null;
  readonly path?: string | null;
}

/** Height, width and channels of raw pixels. */
export type RawShape = readonly [number, number, number];

/**
 * The field as encoded bytes or as raw pixels: bytes (raw with `shape`), a struct { bytes, path }, or a tensor
 * [h, w] or [h, w, c] of uint8 or of float32 in [0, 1].
 */
export function readField(field: unknown, shape?: RawShape): Uint8Array | Pixels {
  if (field instanceof Uint8Array) return shape === undefined ? field : rawPixels(field, shape);
  if (isColumn(field)) {
    const { data } = field;
    if (data instanceof Int32Array) {
      throw new MaskflowError({
        rule: 'raw pixels must be uint8 in 0 … 255 or float32 in [0, 1]',
        value: `int32 [${field.shape.join(', ')}]`,
        hint: 'Store them as uint8.',
      });
    }
    if (field.shape.length === 1 && data instanceof Uint8Array) return shape === undefined ? data : rawPixels(data, shape);
    return rawPixels(data, shape ?? tensorShape(field.shape));
  }
  if (typeof field === 'object' && field !== null && 'bytes' in field) {
    const { bytes, path } = field as ImageStruct;
    if (bytes instanceof Uint8Array) return readField(bytes, shape);
    const rule = `the image struct has no bytes${path ? `, only the path ${show(path)}` : ''}`;
    throw new MaskflowError({
      rule,
      value: bytes,
      hint: "Embed the files when the data set is written (Hugging Face: embed_external_files), or leave such samples out: onBadSample: 'skip'.",
    });
  }
  const hint = field === null ? "Leave such samples out: onBadSample: 'skip'." : 'Name the column of the images: image({ column: … }).';
  throw new MaskflowError({ rule: 'must be JPEG, PNG or WebP bytes, a struct { bytes, path }, or raw pixels [height, width, channels]', value: field, hint });
}

function tensorShape(shape: readonly number[]): RawShape {
  const [height, width, channels = 1] = shape;
  if (height !== undefined && width !== undefined && shape.length <= 3) return [height, width, channels];
  throw new MaskflowError({
    rule: 'raw pixels must be [height, width] or [height, width, channels]',
    value: shape,
    hint: 'Say how the numbers lie: shape: [height, width, channels].',
  });
}

function rawPixels(data: Uint8Array | Float32Array, [height, width, channels]: RawShape): Pixels {
  if (channels !== 1 && channels !== 3) {
    const first = height === 1 || height === 3;
    throw new MaskflowError({
      rule: 'raw pixels must have 1 (grey) or 3 (colour) channels, the last axis',
      value: [height, width, channels],
      hint: first
        ? 'The channels seem to come first; transpose to [height, width, channels] when the data is written.'
        : 'Select the channels when the data is written, or say how the numbers lie: shape: [height, width, channels].',
    });
  }
  if (data.length !== height * width * channels || data.length === 0) {
    throw new MaskflowError({
      option: 'shape',
      rule: `raw pixels of ${height} × ${width} × ${channels} are ${height * width * channels} numbers, but ${data.length} came`,
      hint: 'Correct shape: [height, width, channels]; for JPEG, PNG or WebP bytes leave it out.',
    });
  }
  return { data, height, width, channels, unit: data instanceof Uint8Array ? 255 : 1 };
}

/** Grey to colour repeats the value; colour to grey is the luma of ITU-R BT.601 (for uint8 with PIL's integer rounding). */
export function toChannels(pixels: Pixels, channels: 1 | 3): Pixels {
  if (pixels.channels === channels) return pixels;
  const { data, height, width, unit } = pixels;
  const bytes = data instanceof Uint8Array;
  const out = bytes ? new Uint8Array(height * width * channels) : new Float32Array(height * width * channels);
  if (channels === 3) {
    for (let i = 0; i < data.length; i++) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = data[i] as number;
  } else {
    for (let i = 0, j = 0; i < out.length; i++, j += 3) {
      const r = data[j] as number;
      const g = data[j + 1] as number;
      const b = data[j + 2] as number;
      out[i] = bytes ? (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16 : 0.299 * r + 0.587 * g + 0.114 * b;
    }
  }
  return { data: out, height, width, channels, unit };
}

/** Throws unless float pixels lie in [0, 1]: a standardised or 0 … 255 image would be trained on without a word. */
export function checkRange(pixels: Pixels): void {
  if (pixels.data instanceof Uint8Array) return;
  for (const value of pixels.data) {
    if (value >= 0 && value <= 1) continue;
    throw new MaskflowError({
      rule: 'raw float32 pixels must lie in [0, 1]',
      value,
      hint: 'Divide by 255, give uint8, or leave images that are normalised already to patchify.',
    });
  }
}

/** `out[i] = table[data[i]]`, four at a time: this loop runs over every pixel of a data set. */
function lookUpGrey(data: Uint8Array, table: Float32Array, out: Float32Array): void {
  const { length } = data;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    out[i] = table[data[i] as number] as number;
    out[i + 1] = table[data[i + 1] as number] as number;
    out[i + 2] = table[data[i + 2] as number] as number;
    out[i + 3] = table[data[i + 3] as number] as number;
  }
  for (; i < length; i++) out[i] = table[data[i] as number] as number;
}

/** The same with one table a channel, [256, 3]. */
function lookUpColour(data: Uint8Array, table: Float32Array, out: Float32Array): void {
  for (let i = 0; i < data.length; i += 3) {
    out[i] = table[3 * (data[i] as number)] as number;
    out[i + 1] = table[3 * (data[i + 1] as number) + 1] as number;
    out[i + 2] = table[3 * (data[i + 2] as number) + 2] as number;
  }
}

/** Makes the final step: pixels of `channels` channels to float32 [h, w, c], in [0, 1] and then normalised. */
export function finisher(channels: 1 | 3, normalization: Normalization | undefined): (pixels: Pixels, mirror: boolean, jitter: Jitter) => Float32Array {
  const mean = normalization?.mean ?? [0, 0, 0];
  const std = normalization?.std ?? [1, 1, 1];
  const table = new Float32Array(256 * channels);
  for (let value = 0; value < 256; value++)
    for (let c = 0; c < channels; c++) table[value * channels + c] = (value / 255 - (mean[c] as number)) / (std[c] as number);
  const normalize = (out: Float32Array): void => {
    if (normalization === undefined) return;
    for (let i = 0; i < out.length; i += channels)
      for (let c = 0; c < channels; c++) out[i + c] = ((out[i + c] as number) - (mean[c] as number)) / (std[c] as number);
  };
  return (pixels, mirror, jitter) => {
    const { data, width, unit } = pixels;
    const out = freshFloats(data.length);
    const looked = data instanceof Uint8Array && jitter.length === 0;
    if (looked) {
      // The common way: one look-up a number, normalisation included.
      if (channels === 1) lookUpGrey(data, table, out);
      else lookUpColour(data, table, out);
    } else {
      for (let i = 0; i < data.length; i++) out[i] = (data[i] as number) / unit;
    }
    if (mirror) mirrorRows(out, width, channels);
    if (looked) return out;
    applyJitter(out, channels, jitter);
    normalize(out);
    return out;
  };
}

/** Mirrors every row in place. */
export function mirrorRows(data: Float32Array, width: number, channels: number): void {
  const line = width * channels;
  for (let start = 0; start < data.length; start += line) {
    for (let left = 0, right = width - 1; left < right; left++, right--) {
      for (let c = 0; c < channels; c++) {
        const a = start + left * channels + c;
        const b = start + right * channels + c;
        const kept = data[a] as number;
        data[a] = data[b] as number;
        data[b] = kept;
      }
    }
  }
}
