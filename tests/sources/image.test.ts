import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { type Observable, tap } from 'rxjs';
import sharp, { type Sharp } from 'sharp';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Column, Sample } from '../../src/core/batch.js';
import { Cursor } from '../../src/core/cursor.js';
import { Gate, source, within } from '../../src/core/demand/index.js';
import type { MaskflowError } from '../../src/core/errors.js';
import { recipe } from '../../src/core/recipe.js';
import type { Run } from '../../src/core/run.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { patchify } from '../../src/operators/views/index.js';
import { type ImageOptions, image } from '../../src/sources/image.js';

type Out = Sample<{ readonly image: Column<Float32Array> }>;

const samplesOf = <F>(fields: readonly F[]): Observable<Sample<F>> =>
  source(recipe('tests', 'memory'), () => ({ length: fields.length, at: (id) => fields[id] as F, close() {} }));
const images = (values: readonly unknown[]): Observable<Sample<{ image: unknown }>> => samplesOf(values.map((value) => ({ image: value })));

async function collect<T>(chain: Observable<T>, gate = new Gate()): Promise<T[]> {
  const items: T[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      within({ gate }, () => chain.subscribe({ next: (item) => items.push(item), error: reject, complete: resolve }));
    });
  } finally {
    await gate.closed();
  }
  return items;
}
const first = <T>(items: readonly T[]): T => items[0] as T;
const one = async (value: unknown, options: ImageOptions): Promise<Column<Float32Array>> =>
  ((await collect(images([value]).pipe(image(options))))[0] as Out).fields.image;
const bytesOf = ({ data }: Column<Float32Array>): number[] => [...data].map((v) => Math.round(v * 255));
const message = async (value: unknown, options: ImageOptions): Promise<string> =>
  one(value, options).then(
    () => 'no error',
    (error: MaskflowError) => error.message,
  );

/** A smooth colour image and its files. */
const [H, W] = [24, 36];
const rgb = Uint8Array.from({ length: H * W * 3 }, (_, i) => 127 + 100 * Math.sin((Math.floor(i / 3) % W) / 6 + (i % 3)) * Math.cos(Math.floor(i / 3 / W) / 5));
const grey = rgb.filter((_, i) => i % 3 === 0);
const colourFile = (): Sharp => sharp(rgb, { raw: { width: W, height: H, channels: 3 } });
const greyFile = (): Sharp => sharp(grey, { raw: { width: W, height: H, channels: 1 } }).toColourspace('b-w');
const files = {
  jpeg: await colourFile().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(),
  png: await colourFile().png().toBuffer(),
  webp: await colourFile().webp({ lossless: true }).toBuffer(),
};
const size = [H, W] as const;
const raw = { data: rgb, shape: [H, W, 3] };

describe('what goes in', () => {
  it('reads PNG and WebP exactly, JPEG closely, as bytes or as a Hugging Face struct', async () => {
    for (const file of [files.png, files.webp, { bytes: files.png, path: 'a.png' }, { bytes: new Uint8Array(files.webp), path: null }]) {
      const out = await one(file, { size, channels: 3 });
      expect(out.shape).toEqual([H, W, 3]);
      expect(bytesOf(out)).toEqual([...rgb]);
    }
    const jpeg = await one(files.jpeg, { size, channels: 3 });
    expect(Math.max(...bytesOf(jpeg).map((v, i) => Math.abs(v - (rgb[i] as number))))).toBeLessThan(8);
  });

  it('reads raw pixels at once: uint8 and float32 tensors with and without a channel axis, bytes with a shape', async () => {
    expect(bytesOf(await one(raw, { size, channels: 3 }))).toEqual([...rgb]);
    expect(bytesOf(await one(rgb, { size, channels: 3, shape: [H, W, 3] }))).toEqual([...rgb]);
    expect(bytesOf(await one({ data: rgb, shape: [rgb.length] }, { size, channels: 3, shape: [H, W, 3] }))).toEqual([...rgb]);
    for (const shape of [
      [H, W],
      [H, W, 1],
    ])
      expect(bytesOf(await one({ data: grey, shape }, { size, channels: 1 }))).toEqual([...grey]);
    const floats = Float32Array.from(grey, (v) => v / 255);
    expect((await one({ data: floats, shape: [H, W] }, { size, channels: 1 })).data).toEqual(floats);
    // Nothing asynchronous: results are there before the first turn of the event loop ends.
    let timers = 0;
    const timer = setImmediate(() => timers++);
    await collect(images(Array(500).fill(raw)).pipe(image({ size, channels: 3 })));
    clearImmediate(timer);
    expect(timers).toBe(0);
  });

  it('makes colour grey by the BT.601 luma and repeats grey for colour, for files and raw pixels alike', async () => {
    const luma = Array.from(grey, (_, i) => (299 * (rgb[3 * i] as number) + 587 * (rgb[3 * i + 1] as number) + 114 * (rgb[3 * i + 2] as number)) / 1000);
    for (const value of [files.png, raw, { data: Float32Array.from(rgb, (v) => v / 255), shape: [H, W, 3] }]) {
      const out = await one(value, { size, channels: 1 });
      expect(out.shape).toEqual([H, W, 1]);
      expect(Math.max(...[...out.data].map((v, i) => Math.abs(255 * v - (luma[i] as number))))).toBeLessThan(0.51);
    }
    const file = await greyFile().png().toBuffer();
    expect((await sharp(file).metadata()).channels).toBe(1);
    expect(bytesOf(await one(file, { size, channels: 1 }))).toEqual([...grey]);
    for (const value of [file, { data: grey, shape: [H, W] }])
      expect(bytesOf(await one(value, { size, channels: 3 }))).toEqual([...grey].flatMap((v) => [v, v, v]));
  });

  it('drops alpha, cuts 16 bits to 8 and applies EXIF orientation', async () => {
    const alpha = await colourFile().ensureAlpha(0.5).png().toBuffer();
    expect(bytesOf(await one(alpha, { size, channels: 3 }))).toEqual([...rgb]);
    const deep = await sharp(
      Uint16Array.from(grey, (v) => v * 256 + 7),
      { raw: { width: W, height: H, channels: 1 } },
    )
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    expect(bytesOf(await one(deep, { size, channels: 1 }))).toEqual([...grey]);
    // Orientation 6: to be turned by 90° clockwise, so row 0 of the result is column 0 from the bottom up.
    const turned = await sharp(files.png).withMetadata({ orientation: 6 }).png().toBuffer();
    const out = bytesOf(await one(turned, { size: [W, H], channels: 1 }));
    const flat = bytesOf(await one(files.png, { size, channels: 1 }));
    for (let y = 0; y < W; y++) for (let x = 0; x < H; x++) expect(out[y * H + x]).toBe(flat[(H - 1 - x) * W + y]);
    // A crop sees the turned image too.
    const whole = { scale: [1, 1], ratio: [H / W, H / W] } as const;
    expect(bytesOf(await one(turned, { size: [W, H], channels: 1, randomResizedCrop: whole }))).toEqual(out);
  });

  it('gives nearly the same pixels for a file and for raw pixels, at any size', async () => {
    for (const options of [
      { size: [12, 18] },
      { size: 16 },
      { size: 60 },
      { size: [30, 20] },
      { size: 20, resize: 'cover' },
      { size: 40, resize: 'cover' },
      { size: 32, randomResizedCrop: {} },
      { size: 8, randomResizedCrop: { interpolation: 'bilinear' } },
    ] as const) {
      const [a, b] = [await one(files.png, { ...options, channels: 3 }), await one(raw, { ...options, channels: 3 })];
      expect(a.shape).toEqual(b.shape);
      expect(Math.max(...a.data.map((v, i) => Math.abs(v - (b.data[i] as number)))) * 255, JSON.stringify(options)).toBeLessThan(6);
    }
  });

  it('keeps other fields and the very origin, replaces or adds the column, and its types say so', async () => {
    const chain = samplesOf([{ picture: raw, label: 3 }]);
    const replaced = chain.pipe(image({ column: 'picture', size, channels: 3 }));
    expectTypeOf(replaced).toEqualTypeOf<
      Observable<Sample<Omit<{ picture: typeof raw; label: number }, 'picture'> & { readonly picture: Column<Float32Array> }>>
    >();
    const origins: unknown[] = [];
    const added = chain.pipe(
      tap((sample) => origins.push(sample.origin)),
      image({ column: 'picture', as: 'pixels', size, channels: 3 }),
    );
    const sample = first(await collect(added));
    expectTypeOf(sample.fields.picture).toEqualTypeOf<typeof raw>();
    expectTypeOf(sample.fields.label).toEqualTypeOf<number>();
    expect(sample.fields.picture).toBe(raw);
    expect(sample.fields.pixels.shape).toEqual([H, W, 3]);
    expect(sample.origin).toBe(origins[0]);
    // @ts-expect-error there is no such field
    chain.pipe(image({ size, channels: 3 }));
    const tokens = first(await collect(samplesOf([{ image: raw, label: 3 }]).pipe(image({ size, channels: 3 }), batch(4), patchify(4))));
    expect(tokens.columns.tokens.shape).toEqual([1, 54, 48]);
  });
});

describe('what comes out', () => {
  it('normalises by one number, by channel and by imagenet, jittered or not', async () => {
    const plain = await one(raw, { size, channels: 3 });
    const expected = (mean: number[], std: number[]) => Float32Array.from(plain.data, (v, i) => (v - (mean[i % 3] as number)) / (std[i % 3] as number));
    const close = (a: Float32Array, b: Float32Array) => expect(Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))))).toBeLessThan(1e-5);
    close((await one(raw, { size, channels: 3, normalize: { mean: 0.5, std: 0.25 } })).data, expected([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]));
    const imagenet = expected([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    close((await one(raw, { size, channels: 3, normalize: 'imagenet' })).data, imagenet);
    close((await one(files.png, { size, channels: 3, normalize: 'imagenet' })).data, imagenet);
    close((await one(raw, { size, channels: 3, normalize: 'imagenet', colorJitter: { brightness: [1, 1] } })).data, imagenet);
    close((await one({ data: plain.data, shape: plain.shape }, { size, channels: 3, normalize: 'imagenet' })).data, imagenet);
  });

  it('mirrors left to right, and covers without distortion', async () => {
    const line = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [1, 2, 3] };
    expect(bytesOf(await one(line, { size: [1, 2], channels: 3, flip: 1 }))).toEqual([4, 5, 6, 1, 2, 3]);
    const wide = { data: Uint8Array.from({ length: 300 }, (_, i) => (i % 30 < 10 ? 0 : i % 30 < 20 ? 100 : 200)), shape: [10, 30] };
    expect(new Set(bytesOf(await one(wide, { size: 10, channels: 1, resize: 'cover' })))).toEqual(new Set([100]));
  });

  const augmented: ImageOptions = {
    size: 20,
    channels: 3,
    randomResizedCrop: {},
    flip: 0.5,
    colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
    normalize: 'imagenet',
  };
  const mixed = Array.from({ length: 24 }, (_, i) => [files.png, raw, files.jpeg, { bytes: files.webp, path: '' }][i % 4]);
  const digest = ({ fields, origin }: Out): string =>
    `${origin.epoch}/${origin.id}: ${Buffer.from(fields.image.data.buffer, fields.image.data.byteOffset, fields.image.data.byteLength).toString('base64')}`;

  it('is a function of seed, sample and epoch: not of concurrency, order or batch size', async () => {
    const run = async (concurrency: number, seed = 5, shuffled = false): Promise<string[]> => {
      const two = images(mixed).pipe(epochs(2));
      return (await collect((shuffled ? two.pipe(shuffle()) : two).pipe(image({ ...augmented, concurrency })), new Gate({ seed }))).map((sample) =>
        digest(sample as Out),
      );
    };
    const alone = await run(1);
    expect(await run(8)).toEqual(alone);
    const shuffled = await run(4, 5, true);
    expect(shuffled).not.toEqual(alone);
    expect(shuffled.sort()).toEqual([...alone].sort());
    // Another epoch and another seed are other pixels.
    expect(new Set(alone.map((text) => text.replace(/^.*: /, ''))).size).toBe(48);
    expect((await run(1, 6)).filter((text, i) => text === alone[i])).toEqual([]);
    const rows = async (n: number): Promise<Float32Array> => {
      const batches = await collect(images(mixed).pipe(image(augmented), batch(n)), new Gate({ seed: 5, prefetch: n }));
      return Float32Array.from(batches.flatMap(({ columns }) => [...(columns as unknown as Out['fields']).image.data]));
    };
    expect(await rows(7)).toEqual(await rows(24));
  });

  it('switching one augmentation on leaves the draws of the others', async () => {
    const crop = await one(raw, { size: 20, channels: 3, randomResizedCrop: {} });
    const bright = await one(raw, { size: 20, channels: 3, randomResizedCrop: {}, flip: 0, colorJitter: { brightness: [0.5, 0.5] } });
    expect(Math.max(...bright.data.map((v, i) => Math.abs(v - (crop.data[i] as number) / 2)))).toBeLessThan(1e-6);
  });

  it('keeps the order where decoding takes unequal time, and holds no more than its limit', async () => {
    const large = await sharp({ create: { width: 700, height: 500, channels: 3, background: '#808080' } })
      .jpeg()
      .toBuffer();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(large, files.png, raw), { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 6 }),
        async (values, concurrency) => {
          const gate = new Gate();
          let most = 0;
          const watched = images(values).pipe(
            tap(() => {
              most = Math.max(most, ...[...gate.places].map((place) => place.held));
            }),
          );
          const out = await collect(watched.pipe(image({ size: 8, channels: 3, concurrency })), gate);
          expect(out.map(({ origin }) => origin.position)).toEqual(values.map((_, i) => i));
          expect(most).toBeLessThanOrEqual(2 * concurrency);
          expect(gate.places.size).toBe(0);
        },
      ),
      { seed: 4, numRuns: 12 },
    );
  });
});

describe('errors', () => {
  const at = '(column image, sample 0, epoch 0)';
  const plain: ImageOptions = { size: 8, channels: 3 };

  it('names stage, column, sample, what came and the way out', async () => {
    for (const [format, file] of Object.entries(files)) {
      const name = format === 'webp' ? 'WebP' : format.toUpperCase();
      for (const cut of [30, Math.floor(file.length / 2), file.length - 20]) {
        const text = await message(file.subarray(0, cut), plain);
        expect(text, `${format} cut to ${cut}`).toMatch(
          new RegExp(
            `^image: the ${name} bytes are corrupt or cut off(: [^;]+)?; got (Buffer|Uint8Array) of ${cut} \\(column image, sample 0, epoch 0\\)\\. Write the sample again, or leave such samples out: onBadSample: 'skip'\\.$`,
            's',
          ),
        );
        expect(text).not.toContain('\n');
      }
    }
    const damaged = Buffer.from(files.png);
    damaged.fill(0xa5, 60, 90);
    expect(await message(damaged, plain)).toContain('the PNG bytes are corrupt or cut off');
    expect(await message(new Uint8Array(0), plain)).toBe(
      `image: the image has no bytes; got Uint8Array of 0 ${at}. Leave such samples out: onBadSample: 'skip'.`,
    );
    expect(await message(new TextEncoder().encode('hello, world'), plain)).toBe(
      `image: must be JPEG, PNG or WebP, but came as an unknown format (first bytes 68 65 6c 6c 6f 2c 20 77); got Uint8Array of 12 ${at}. Convert it, or, where these are raw pixels, say so: shape: [height, width, channels].`,
    );
    const others = {
      GIF: await colourFile().gif().toBuffer(),
      TIFF: await colourFile().tiff().toBuffer(),
      SVG: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      BMP: Buffer.from('BM123456'),
      'AVIF or HEIC': Buffer.from('\0\0\0\x1cftypavif'),
    };
    for (const [format, file] of Object.entries(others))
      expect(await message(file, plain)).toContain(`must be JPEG, PNG or WebP, but came as ${format}; got Buffer of ${file.length} ${at}`);
  });

  it('refuses decompression bombs, and images above the limit', async () => {
    expect(await message(files.jpeg, { ...plain, maxPixels: H * W - 1 })).toBe(
      `image.maxPixels: an image of 36 × 24 pixels is above the limit of 863; got Buffer of ${files.jpeg.length} ${at}. Where it is to be trusted (no decompression bomb), raise the limit: maxPixels: 864.`,
    );
    expect(await message(files.jpeg, { ...plain, maxPixels: H * W })).toBe('no error');
    // 81 million black pixels in less than a megabyte.
    const bomb = await sharp({ create: { width: 9000, height: 9000, channels: 3, background: 'black' }, limitInputPixels: false })
      .png({ compressionLevel: 9 })
      .toBuffer();
    expect(bomb.length).toBeLessThan(2 ** 20);
    expect(await message(bomb, plain)).toContain('image.maxPixels: an image of 9000 × 9000 pixels is above the limit of 67108864');
    expect(await message(bomb, { ...plain, randomResizedCrop: {} })).toContain('above the limit of 67108864');
  });

  it('refuses fields that are no image, and raw pixels that do not fit', async () => {
    expect(await message(null, plain)).toBe(
      `image: must be JPEG, PNG or WebP bytes, a struct { bytes, path }, or raw pixels [height, width, channels]; got null ${at}. Leave such samples out: onBadSample: 'skip'.`,
    );
    expect(await message(7, plain)).toContain('got 7 (column image, sample 0, epoch 0). Name the column of the images: image({ column: … }).');
    expect(await message({ bytes: null, path: 'cats/1.jpg' }, plain)).toBe(
      `image: the image struct has no bytes, only the path "cats/1.jpg"; got null ${at}. Embed the files when the data set is written (Hugging Face: embed_external_files), or leave such samples out: onBadSample: 'skip'.`,
    );
    expect(await message({ data: new Int32Array(4), shape: [2, 2] }, plain)).toBe(
      `image: raw pixels must be uint8 in 0 … 255 or float32 in [0, 1]; got "int32 [2, 2]" ${at}. Store them as uint8.`,
    );
    expect(await message({ data: new Uint8Array(12), shape: [3, 2, 2] }, plain)).toBe(
      `image: raw pixels must have 1 (grey) or 3 (colour) channels, the last axis; got [3,2,2] ${at}. The channels seem to come first; transpose to [height, width, channels] when the data is written.`,
    );
    expect(await message({ data: new Uint8Array(16), shape: [2, 2, 4] }, plain)).toContain(
      'got [2,2,4] (column image, sample 0, epoch 0). Select the channels',
    );
    expect(await message({ data: new Uint8Array(16), shape: [1, 2, 2, 4] }, plain)).toContain(
      'raw pixels must be [height, width] or [height, width, channels]; got [1,2,2,4]',
    );
    expect(await message(new Uint8Array(11), { ...plain, shape: [2, 2, 3] })).toBe(
      `image.shape: raw pixels of 2 × 2 × 3 are 12 numbers, but 11 came ${at}. Correct shape: [height, width, channels]; for JPEG, PNG or WebP bytes leave it out.`,
    );
    expect(await message(new Uint8Array(16), { ...plain, shape: [2, 2, 4] })).toContain('must have 1 (grey) or 3 (colour) channels');
    for (const [bad, shown] of [
      [-0.5, '-0.5'],
      [255, '255'],
      [Number.NaN, 'NaN'],
    ] as const)
      expect(await message({ data: Float32Array.of(0, bad, 0, 1), shape: [2, 2] }, plain)).toBe(
        `image: raw float32 pixels must lie in [0, 1]; got ${shown} ${at}. Divide by 255, give uint8, or leave images that are normalised already to patchify.`,
      );
  });

  it('names a missing column even where bad samples are skipped', async () => {
    const chain = samplesOf([{ imag: raw, label: 1 }]).pipe(image({ column: 'image' as 'imag', size: 8, channels: 3, onBadSample: 'skip' }));
    await expect(collect(chain)).rejects.toThrow(
      'image.column: there is no column image; got ["imag","label"] (sample 0, epoch 0). Did you mean { column: \'imag\' }?',
    );
    await expect(collect(samplesOf([{ x: 1 }]).pipe(image({ column: 'photograph' as 'x', size: 8, channels: 3 })))).rejects.toThrow(
      'Name the column of the images',
    );
  });

  it('checks every option', () => {
    const refuse = (options: object, text: string): void => expect(() => image({ ...plain, ...options } as ImageOptions)).toThrow(text);
    refuse({ size: 0 }, 'image.size: must be an integer of at least 1, or two of them: [height, width]; got 0. Try image({ size: 32, channels: 3 }).');
    refuse({ size: [8] }, 'got [8]');
    refuse({ channels: 4 }, 'image.channels: must be 1 (grey) or 3 (colour); got 4.');
    refuse({ shape: [2, 2] }, 'image.shape: must be [height, width, channels] of the raw pixels; got [2,2].');
    refuse({ resize: 'contain' }, "image.resize: must be 'fill' or 'cover'; got \"contain\".");
    refuse({ interpolation: 'cubic' }, "image.interpolation: must be 'nearest', 'bilinear' or 'bicubic'; got \"cubic\".");
    refuse(
      { randomResizedCrop: { interpolation: 'lanczos' } },
      "image.randomResizedCrop.interpolation: must be 'nearest', 'bilinear' or 'bicubic'; got \"lanczos\".",
    );
    refuse({ randomResizedCrop: { scale: [0, 2] } }, 'image.randomResizedCrop.scale');
    refuse({ flip: 1.5 }, 'image.flip: must be a probability in [0, 1]; got 1.5. Try flip: 0.5.');
    refuse({ colorJitter: { hue: 1 } }, 'image.colorJitter.hue');
    refuse({ channels: 1, normalize: 'imagenet' }, 'image.normalize');
    refuse({ maxPixels: 0 }, 'image.maxPixels: must be an integer of at least 1; got 0.');
    refuse({ concurrency: 0 }, 'image.concurrency: must be an integer of at least 1; got 0.');
    refuse({ onBadSample: 'drop' }, "image.onBadSample: must be 'throw' or 'skip'; got \"drop\".");
    refuse({ maxBad: -1 }, 'image.maxBad: must be an integer of at least 0; got -1.');
    refuse({ colourJitter: {} }, 'image.colourJitter: there is no such option. Did you mean colorJitter?');
  });
});

describe("onBadSample: 'skip'", () => {
  const cut = files.png.subarray(0, 100);
  /** A run that only listens. */
  const listening = (): { run: Run; said: string[]; reported: unknown[] } => {
    const said: string[] = [];
    const reported: unknown[] = [];
    return { run: { say: (line: string) => said.push(line), report: (figures: unknown) => reported.push(figures) } as unknown as Run, said, reported };
  };

  it('drops bad samples, settles them with the next good one whatever finishes first, counts and tells', async () => {
    const bad = new Uint8Array(0);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(files.png, raw, cut, bad), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        async (values, concurrency) => {
          const { run, said, reported } = listening();
          const cursor = new Cursor();
          const gate = new Gate({ run, cursor });
          const good = values.flatMap((value, i) => (value === cut || value === bad ? [] : [i]));
          const count = values.length - good.length;
          const out = await collect(images(values).pipe(image({ size: 8, channels: 3, onBadSample: 'skip', concurrency })), gate);
          expect(out.map(({ origin }) => origin.position)).toEqual(good);
          // A finished step with sample i settles i and the bad ones between its predecessor and it: nothing else.
          out.forEach(({ origin }, i) => {
            cursor.settle([origin]);
            for (let p = 0; p < values.length; p++) expect(cursor.settled(0).has(p)).toBe(p <= (good[i] as number));
          });
          expect(reported.at(-1)).toEqual(count === 0 ? undefined : { skipped: { image: count } });
          expect(said.length).toBe(count === 0 ? 0 : 1);
          if (count > 0) expect(said[0]).toMatch(/^image: a sample is left out\. image: the (image has no bytes|PNG bytes are corrupt)/);
        },
      ),
      { seed: 4, numRuns: 25 },
    );
  });

  it('ends with an error where more different samples are bad than may be', async () => {
    const many = images([cut, files.png, new Uint8Array(0), raw, cut]);
    await expect(collect(many.pipe(image({ size: 8, channels: 3, onBadSample: 'skip', maxBad: 1 })))).rejects.toThrow(
      "image.maxBad: 2 different samples are bad, 1 may be; the last: image: the image has no bytes; got Uint8Array of 0 (column image, sample 2, epoch 0). Leave such samples out: onBadSample: 'skip' (column image, sample 2, epoch 0). Repair the data, or raise the limit: maxBad: 10.",
    );
    // The same sample in three epochs is one bad sample, told once.
    const { run, said, reported } = listening();
    const again = images([cut, raw]).pipe(epochs(3), image({ size: 8, channels: 3, onBadSample: 'skip', maxBad: 1 }));
    expect(await collect(again, new Gate({ run }))).toHaveLength(3);
    expect(said).toHaveLength(1);
    expect(reported).toEqual([{ skipped: { image: 1 } }]);
    await expect(collect(images([cut]).pipe(image({ size: 8, channels: 3, onBadSample: 'skip', maxBad: 0 })))).rejects.toThrow(
      '1 different samples are bad, 0 may be',
    );
  });
});

const data = process.env.MASKFLOW_TEST_DATA;
const shard = join(data ?? '', 'cifar10/test/data-00000-of-00001.arrow');
const present = data !== undefined && existsSync(shard);
if (!present) console.log('image on CIFAR-10: skipped, MASKFLOW_TEST_DATA is not set to a folder with cifar10/');

describe.skipIf(!present)('CIFAR-10', () => {
  it('decodes the first 200 JPEG files of the shard as sharp alone does', async () => {
    const column = tableFromIPC(readFileSync(shard)).getChildAt(0);
    const rows = Array.from({ length: 200 }, (_, i) => column?.get(i) as { bytes: Uint8Array });
    const out = await collect(images(rows).pipe(image({ size: 32, channels: 3 })));
    expect(out).toHaveLength(200);
    const direct = await sharp((rows[199] as { bytes: Uint8Array }).bytes)
      .raw()
      .toBuffer();
    expect(bytesOf((out[199] as Out).fields.image)).toEqual([...direct]);
  });
});
