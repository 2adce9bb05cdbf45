// Raw pixels to PNG, through sharp (libvips): lossless, and the only image encoder that we need.
import sharp from 'sharp';
import { MaskflowError } from '../core/errors.js';

/** Raw pixels, row-major, channels last: 1 grey, 3 RGB, 4 RGBA. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/**
 * The PNG file of an image.
 *
 * @example
 * await encodePng({ data: new Uint8Array(28 * 28), width: 28, height: 28, channels: 1 });
 */
export async function encodePng({ data, width, height, channels }: Pixels): Promise<Uint8Array> {
  if (!(width > 0 && height > 0 && data.length === width * height * channels)) {
    throw new MaskflowError({
      stage: 'png',
      rule: `an image of ${width} × ${height} pixels and ${channels} channels has ${width * height * channels} values, at least one`,
      value: data.length,
    });
  }
  const image = sharp(data, { raw: { width, height, channels } });
  // sharp writes grey input as RGB unless it is told what it is.
  const png = await (channels === 1 ? image.toColourspace('b-w') : image).png({ compressionLevel: 9 }).toBuffer();
  return new Uint8Array(png.buffer, png.byteOffset, png.length);
}
