// Encoded images to pixels, by sharp (libvips). Loaded on first use, so that raw pixels never need it.
// What is fixed here: one libvips thread an image and no cache (concurrency is the stage's business), no ICC transform
// (values are those of the file, as with PIL), EXIF orientation applied, the first frame of animations, alpha dropped,
// 16 bits cut to 8, any warning of a decoder is an error. Trade-off: a whole image that shrinks may be shrunk while its
// JPEG or WebP is decoded, which is much faster and differs by a few levels.
import type { Sharp, SharpOptions } from 'sharp';
import { MaskflowError } from '../core/errors.js';
import { type Box, type Interpolation, type Pixels, coverage, resample } from '../operators/views/index.js';

export interface DecodeOptions {
  readonly height: number;
  readonly width: number;
  readonly resize: 'fill' | 'cover';
  readonly interpolation: Interpolation;
  readonly maxPixels: number;
}

type Engine = (input: Uint8Array, options: SharpOptions) => Sharp;
let engine: Promise<Engine> | undefined;

function load(): Promise<Engine> {
  engine ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.concurrency(1);
      sharp.cache(false);
      return sharp;
    },
    (cause: unknown) => {
      throw new MaskflowError({
        stage: 'sharp',
        rule: 'sharp, which decodes images, cannot be loaded',
        hint: 'Run `npm ci` on this machine: sharp has one binary a platform. Raw pixels need no sharp.',
        cause,
      });
    },
  );
  return engine;
}

const ascii = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** What the first bytes say: `jpeg`, `png` and `webp` are read; others are named where they are known. */
export function formatOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (ascii(bytes, 0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 12) === 'WEBP') return 'webp';
  if (ascii(bytes, 0, 4) === 'GIF8') return 'GIF';
  if (ascii(bytes, 0, 2) === 'BM') return 'BMP';
  if (ascii(bytes, 4, 8) === 'ftyp') return 'AVIF or HEIC';
  if (ascii(bytes, 0, 4) === 'II*\0' || ascii(bytes, 0, 4) === 'MM\0*') return 'TIFF';
  if (/^\s*<(svg|\?xml)/.test(ascii(bytes, 0, 64))) return 'SVG';
  return undefined;
}

/** Throws where the bytes are not JPEG, PNG or WebP; only these decoders are ever reached. */
function checkFormat(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new MaskflowError({ rule: 'the image has no bytes', value: bytes, hint: "Leave such samples out: onBadSample: 'skip'." });
  const format = formatOf(bytes);
  if (format === 'jpeg' || format === 'png' || format === 'webp') return format;
  const first = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new MaskflowError({
    rule: `must be JPEG, PNG or WebP, but came as ${format ?? `an unknown format (first bytes ${first})`}`,
    value: bytes,
    hint: 'Convert it, or, where these are raw pixels, say so: shape: [height, width, channels].',
  });
}

/**
 * Pixels of JPEG, PNG or WebP bytes, resized to `height` × `width` (`fill` stretches, `cover` cuts the longer side
 * centrally): uint8, three channels, equal ones for a grey file. `choose` gets the size of the oriented image and says
 * which box of it is looked at; without it the whole is. What is wrong with the bytes is an error without a stage.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions, choose?: (width: number, height: number) => Box): Promise<Pixels> {
  const { height, width, resize, interpolation } = options;
  const format = checkFormat(bytes);
  const sharp = await load();
  let pixels: Pixels;
  try {
    pixels = await shrunk(sharp, bytes, options, choose);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (text.includes('exceeds pixel limit')) {
      const size = await sharp(bytes, { limitInputPixels: false }).metadata();
      throw new MaskflowError({
        option: 'maxPixels',
        rule: `an image of ${size.width} × ${size.height} pixels is above the limit of ${options.maxPixels}`,
        value: bytes,
        hint: `Where it is to be trusted (no decompression bomb), raise the limit: maxPixels: ${size.width * size.height}.`,
        cause,
      });
    }
    // libvips keeps one list of complaints for all threads: its first line tells enough.
    const [complaint = ''] = text.trim().split('\n');
    const told = /treated as error|^$/.test(complaint) ? '' : `: ${complaint.replace(/[.:]+$/, '')}`;
    throw new MaskflowError({
      rule: `the ${format === 'webp' ? 'WebP' : format.toUpperCase()} bytes are corrupt or cut off${told}`,
      value: bytes,
      hint: "Write the sample again, or leave such samples out: onBadSample: 'skip'.",
      cause,
    });
  }
  if (pixels.height === height && pixels.width === width) return pixels;
  // Only where an axis must grow.
  if (choose === undefined && resize === 'cover') return coverage(pixels, height, width, interpolation);
  return resample(pixels, { left: 0, top: 0, width: pixels.width, height: pixels.height }, height, width, interpolation);
}

/**
 * The decoder's part: the box, shrunk to the size wanted along each axis that is larger; for `cover`, the whole image
 * as it is where an axis is smaller. Enlarging is not libvips's: it lies a quarter of a pixel aside.
 */
async function shrunk(sharp: Engine, bytes: Uint8Array, options: DecodeOptions, choose?: (width: number, height: number) => Box): Promise<Pixels> {
  const { height, width, resize, interpolation, maxPixels } = options;
  const open = (): Sharp => sharp(bytes, { limitInputPixels: maxPixels, failOn: 'warning', ignoreIcc: true });
  const kernel = ({ bicubic: 'cubic', bilinear: 'linear', nearest: 'nearest' } as const)[interpolation];
  let image = open().autoOrient();
  let fit: 'fill' | 'cover' | undefined = 'fill';
  if (choose !== undefined || resize === 'cover') {
    const { autoOrient: size } = await open().metadata();
    if (choose !== undefined) image = image.extract(choose(size.width, size.height));
    else fit = size.width >= width && size.height >= height ? 'cover' : undefined;
  }
  if (fit !== undefined) image = image.resize(width, height, { fit, kernel, withoutEnlargement: true });
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return { data, height: info.height, width: info.width, channels: info.channels, unit: 255 };
}
