// Images of any kind to float32 pixels of one size, augmented by keyed draws. RandomResizedCrop, flip and ColorJitter
// are torchvision's, in that order, then normalisation; the decisions are pure functions of operators/views, decoding is
// in imageBytes.ts. Raw pixels take a synchronous way through plain loops and never meet sharp; encoded ones are decoded
// and resized in libvips' threads. Both ways are antialiased; they may differ by a few levels of 255.
import type { Observable } from 'rxjs';
import type { Column, Sample } from '../core/batch.js';
import { type StageContext, bounded, nothing, whereabouts } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { type Key, fold, sampleKey } from '../core/key.js';
import { nearest } from '../core/nearest.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import {
  type Box,
  type ColorJitterOptions,
  type CropOptions,
  type Interpolation,
  type Jitter,
  type Normalize,
  type Pixels,
  checkColorJitter,
  checkCrop,
  coverage,
  cropBox,
  flips,
  jitterOf,
  normalization,
  resample,
} from '../operators/views/index.js';
import { decodeImage } from './imageBytes.js';
import { type RawShape, checkRange, finisher, readField, toChannels } from './imagePixels.js';
import { Skips } from './imageSkips.js';

export interface ImageOptions<From extends string = 'image', As extends string = From> {
  /** Field of the image; default `image`. */
  readonly column?: From;
  /** Field that the pixels go into; default: the same, which they replace. */
  readonly as?: As;
  /** Side of the result, or [height, width], in pixels. */
  readonly size: number | readonly [number, number];
  /** 1: grey; colour becomes its luma (ITU-R BT.601). 3: colour; grey is repeated. Alpha is dropped. */
  readonly channels: 1 | 3;
  /** Fields of bytes are raw pixels of this [height, width, channels], not a file. */
  readonly shape?: RawShape;
  /** How an image of another size gets there: `fill` stretches it, `cover` keeps its ratio and cuts the longer side centrally. Default `fill`. */
  readonly resize?: 'fill' | 'cover';
  /** Default `bicubic`. */
  readonly interpolation?: Interpolation;
  /** A random part of the image instead of the whole: see `cropBox`. Off by default; {} takes MAE's values. */
  readonly randomResizedCrop?: CropOptions & { readonly interpolation?: Interpolation };
  /** Probability of mirroring left to right; default 0. */
  readonly flip?: number;
  /** Random brightness, contrast, saturation and hue: see `jitterOf`. Off by default. */
  readonly colorJitter?: ColorJitterOptions;
  /** (value − mean) / std on values in [0, 1]; default false. */
  readonly normalize?: Normalize;
  /** Most pixels that a file may decode to; default 64 Mi (8192 × 8192). */
  readonly maxPixels?: number;
  /** Files decoded at once; default 4, the threads of libuv's pool. */
  readonly concurrency?: number;
  /** `skip` leaves bad samples out and reports them as dropped; default `throw`. */
  readonly onBadSample?: 'throw' | 'skip';
  /** Different samples that may be left out before the run ends with an error; default 100. */
  readonly maxBad?: number;
  /** Stage name; default `image`. */
  readonly name?: string;
}

const known = [
  'column',
  'as',
  'size',
  'channels',
  'shape',
  'resize',
  'interpolation',
  'randomResizedCrop',
  'flip',
  'colorJitter',
  'normalize',
  'maxPixels',
  'concurrency',
  'onBadSample',
  'maxBad',
  'name',
];
const interpolations = ['nearest', 'bilinear', 'bicubic'];

/** Throws unless every option is legal; returns height and width. */
function checkImage(options: ImageOptions<string, string>): readonly [number, number] {
  checkOptions('image', options, known);
  const {
    size,
    channels,
    shape,
    resize = 'fill',
    interpolation = 'bicubic',
    randomResizedCrop,
    flip = 0,
    colorJitter,
    maxPixels,
    concurrency,
    onBadSample = 'throw',
    maxBad,
  } = options;
  const sides = typeof size === 'number' ? ([size, size] as const) : size;
  const legal = Array.isArray(sides) && sides.length === 2 && sides.every((side) => Number.isInteger(side) && side >= 1);
  check(legal, 'image', 'size', 'must be an integer of at least 1, or two of them: [height, width]', size, 'Try image({ size: 32, channels: 3 }).');
  check(channels === 1 || channels === 3, 'image', 'channels', 'must be 1 (grey) or 3 (colour)', channels);
  check(
    shape === undefined || (shape.length === 3 && shape.every((side) => Number.isInteger(side) && side >= 1)),
    'image',
    'shape',
    'must be [height, width, channels] of the raw pixels',
    shape,
  );
  check(resize === 'fill' || resize === 'cover', 'image', 'resize', "must be 'fill' or 'cover'", resize);
  check(interpolations.includes(interpolation), 'image', 'interpolation', "must be 'nearest', 'bilinear' or 'bicubic'", interpolation);
  if (randomResizedCrop !== undefined) {
    checkCrop('image', randomResizedCrop);
    const { interpolation: own = 'bicubic' } = randomResizedCrop;
    check(interpolations.includes(own), 'image', 'randomResizedCrop.interpolation', "must be 'nearest', 'bilinear' or 'bicubic'", own);
  }
  check(flip >= 0 && flip <= 1, 'image', 'flip', 'must be a probability in [0, 1]', flip, 'Try flip: 0.5.');
  if (colorJitter !== undefined) checkColorJitter('image', colorJitter);
  if (maxPixels !== undefined) checkInteger('image', 'maxPixels', maxPixels);
  if (concurrency !== undefined) checkInteger('image', 'concurrency', concurrency);
  check(onBadSample === 'throw' || onBadSample === 'skip', 'image', 'onBadSample', "must be 'throw' or 'skip'", onBadSample);
  if (maxBad !== undefined && maxBad !== Number.POSITIVE_INFINITY) checkInteger('image', 'maxBad', maxBad, 0);
  return sides;
}

/** What is drawn for one sample; each purpose has a key of its own, so that one option does not move another's draws. */
interface Decisions {
  /** The box to look at in an image of this size; undefined = the whole image. */
  readonly crop: ((origin: Sample<unknown>['origin'], width: number, height: number) => Box) | undefined;
  flip(origin: Sample<unknown>['origin']): boolean;
  jitter(origin: Sample<unknown>['origin']): Jitter;
}

function decisions(key: Key, { randomResizedCrop, flip = 0, colorJitter }: ImageOptions<string, string>): Decisions {
  const [crops, flipping, jittering] = [fold(key, 'crop'), fold(key, 'flip'), fold(key, 'jitter')];
  return {
    crop: randomResizedCrop && ((origin, width, height) => cropBox(sampleKey(crops, origin), width, height, randomResizedCrop)),
    flip: (origin) => flip > 0 && flips(sampleKey(flipping, origin), flip),
    jitter: (origin) => (colorJitter === undefined ? [] : jitterOf(sampleKey(jittering, origin), colorJitter)),
  };
}

/**
 * Turns an image field into pixels: float32 [height, width, channels], values in [0, 1], then normalised. The field is
 * JPEG, PNG or WebP bytes, a Hugging Face struct { bytes, path }, raw bytes with `shape`, or a tensor [h, w] or
 * [h, w, c] of uint8 or of float32 in [0, 1]. EXIF orientation is applied, animations give their first frame, ICC
 * profiles are not applied, 16 bits are cut to 8. Every random choice is a function of (seed, stage name, sample,
 * epoch): the same pixels for any concurrency, batch size and order. Order is kept.
 *
 * Errors: bytes that are corrupt, cut off, of another format or above `maxPixels`; raw pixels of another length or
 * number of channels, or out of range. Each names stage, column and sample; `onBadSample: 'skip'` leaves such samples out.
 *
 * @example
 * arrow<{ image: Uint8Array; label: number }>('cifar10.arrow').pipe(epochs(10), shuffle(), image({ size: 32, channels: 3, randomResizedCrop: {}, flip: 0.5, normalize: 'imagenet' }), batch(256));
 */
export function image<From extends string = 'image', As extends string = From>(
  options: ImageOptions<From, As>,
): <F extends { readonly [K in From]: unknown }>(
  source: Observable<Sample<F>>,
) => Observable<Sample<Omit<F, As> & { readonly [K in As]: Column<Float32Array> }>> {
  const [height, width] = checkImage(options);
  const {
    channels,
    shape,
    resize = 'fill',
    interpolation = 'bicubic',
    randomResizedCrop,
    normalize = false,
    maxPixels = 64 * 2 ** 20,
    concurrency = 4,
    onBadSample = 'throw',
    maxBad = 100,
    name = 'image',
  } = options;
  const column: string = options.column ?? 'image';
  const as: string = options.as ?? column;
  const kernel = randomResizedCrop?.interpolation ?? interpolation;
  /** One array for all samples: `batch` sees at a glance that their shapes are equal. */
  const sides: readonly number[] = Object.freeze([height, width, channels]);
  const finish = finisher(channels, normalization('image', normalize, channels));
  const { name: _, concurrency: __, ...decisive } = options;
  type Fields = Readonly<Record<string, unknown>>;

  const make = (context: StageContext): { work(sample: Sample<Fields>): Sample<Fields> | typeof nothing | Promise<Sample<Fields> | typeof nothing> } => {
    const { crop, flip, jitter } = decisions(context.key, options);
    const skips = onBadSample === 'skip' ? new Skips(context, maxBad) : undefined;
    const located = (error: unknown, sample: Sample<Fields>): unknown =>
      error instanceof MaskflowError && error.stage === undefined
        ? new MaskflowError({ stage: name, ...error.problem, where: `column ${column}, ${whereabouts(sample)}` })
        : error;

    const sized = (raw: Pixels, origin: Sample<Fields>['origin']): Pixels => {
      checkRange(raw);
      const box = crop?.(origin, raw.width, raw.height);
      if ((box?.width ?? raw.width) === width && (box?.height ?? raw.height) === height && raw.width === width && raw.height === height) return raw;
      if (box === undefined && resize === 'cover') return coverage(raw, height, width, kernel);
      return resample(raw, box ?? { left: 0, top: 0, width: raw.width, height: raw.height }, height, width, kernel);
    };
    const done = (pixels: Pixels, { fields, origin }: Sample<Fields>): Sample<Fields> => {
      const data = finish(toChannels(pixels, channels), flip(origin), jitter(origin));
      return { fields: { ...fields, [as]: { data, shape: sides } }, origin };
    };
    const convert = (sample: Sample<Fields>): Sample<Fields> | Promise<Sample<Fields>> => {
      const { fields, origin } = sample;
      if (fields[column] === undefined) throw missing(name, column, Object.keys(fields));
      const read = readField(fields[column], shape);
      if (!(read instanceof Uint8Array)) return done(sized(read, origin), sample);
      const choose = crop && ((w: number, h: number): Box => crop(origin, w, h));
      return decodeImage(read, { height, width, resize, interpolation: kernel, maxPixels }, choose).then((pixels) => done(pixels, sample));
    };
    return {
      work(sample) {
        const entry = skips?.enter(sample.origin);
        const good = (result: Sample<Fields>): Sample<Fields> => {
          if (entry !== undefined) skips?.settle(entry, 'good');
          return result;
        };
        // Only what is wrong with the data has no stage yet; anything else ends the run even where bad samples are skipped.
        const bad = (error: unknown): typeof nothing => {
          const told = located(error, sample);
          if (entry === undefined || told === error) throw told;
          skips?.settle(entry, told as MaskflowError);
          return nothing;
        };
        let result: Sample<Fields> | Promise<Sample<Fields>>;
        try {
          result = convert(sample);
        } catch (error) {
          return bad(error);
        }
        return result instanceof Promise ? result.then(good, bad) : good(result);
      },
    };
  };
  const operator = bounded<Sample<Fields>, Sample<Fields>>(
    recipe('maskflow/sources', 'image', { ...decisive, column, as }),
    { name, per: 'sample', concurrency },
    make,
  );
  return operator as never;
}

function missing(stage: string, column: string, names: readonly string[]): MaskflowError {
  const near = nearest(column, names);
  return new MaskflowError({
    stage,
    option: 'column',
    rule: `there is no column ${column}`,
    value: names,
    hint: near === undefined ? 'Name the column of the images: image({ column: … }).' : `Did you mean { column: '${near}' }?`,
  });
}
