import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type Pixels, coverage, resample } from '../../../src/operators/views/index.js';

const pixels = (height: number, width: number, channels: number, at: (y: number, x: number, c: number) => number): Pixels & { data: Uint8Array } => {
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) =>
    at(Math.floor(i / channels / width), Math.floor(i / channels) % width, i % channels),
  );
  return { data, height, width, channels, unit: 255 };
};
const whole = ({ height, width }: Pixels) => ({ left: 0, top: 0, width, height });

describe('resample', () => {
  it('gives the textbook values', () => {
    const step = pixels(1, 4, 1, (_, x) => [0, 0, 200, 200][x] as number);
    // Bilinear to twice the size: samples at ±¼ of a pixel from the centres.
    expect([...resample(step, whole(step), 1, 8, 'bilinear').data]).toEqual([0, 0, 0, 50, 150, 200, 200, 200]);
    // Nearest.
    expect([...resample(step, whole(step), 1, 2, 'nearest').data]).toEqual([0, 200]);
    // Antialiased bilinear to half the size: a triangle of 4 pixels, (1, 3, 3, 1) / 8, renormalised at the border.
    const ramp = pixels(1, 4, 1, (_, x) => 8 * x);
    expect([...resample(ramp, whole(ramp), 1, 2, 'bilinear').data].map((v) => Math.round(v * 1e4) / 1e4)).toEqual([5.7143, 18.2857]);
    // Catmull-Rom at ¼: (−9, 111, 29, −3) / 128, for the place between pixels 1 and 2 of [0, 0, 128, 128] → 29 − 3 and its mirror.
    const cubic = pixels(1, 4, 1, (_, x) => [0, 0, 128, 128][x] as number);
    const out = resample(cubic, whole(cubic), 1, 8, 'bicubic').data;
    expect(out[3]).toBeCloseTo(26, 4);
    expect(out[4]).toBeCloseTo(102, 4);
    // Overshoot below black is cut.
    expect(out[2]).toBe(0);
  });

  it('keeps constants, keeps the same size as it is, reads nothing outside the box, and commutes with transposing', () => {
    const side = fc.integer({ min: 1, max: 12 });
    const kinds = fc.constantFrom('nearest' as const, 'bilinear' as const, 'bicubic' as const);
    fc.assert(
      fc.property(side, side, side, side, kinds, fc.integer({ min: 0, max: 255 }), (h, w, oh, ow, kind, value) => {
        const framed = pixels(h + 2, w + 2, 3, (y, x) => (y === 0 || x === 0 || y > h || x > w ? 255 - value : value));
        const box = { left: 1, top: 1, width: w, height: h };
        for (const v of resample(framed, box, oh, ow, kind).data) expect(v).toBeCloseTo(value, 3);
        const some = pixels(h, w, 1, (y, x) => (y * 37 + x * 91 + value) % 256);
        const same = resample(some, whole(some), h, w, kind).data;
        some.data.forEach((v, i) => {
          expect(same[i]).toBeCloseTo(v, 3);
        });
        const turned = pixels(w, h, 1, (x, y) => (y * 37 + x * 91 + value) % 256);
        const a = resample(some, whole(some), oh, ow, kind).data;
        const b = resample(turned, whole(turned), ow, oh, kind).data;
        for (let y = 0; y < oh; y++) for (let x = 0; x < ow; x++) expect(Math.abs((a[y * ow + x] as number) - (b[x * oh + y] as number))).toBeLessThan(1e-3);
      }),
      { seed: 4 },
    );
  });

  it('agrees with libvips within a few levels where a smooth image shrinks (enlarged by libvips it lies a quarter of a pixel aside)', async () => {
    const smooth = pixels(40, 60, 3, (y, x, c) => 127 + 100 * Math.sin(x / 7 + c) * Math.cos(y / 5));
    for (const [h, w] of [
      [20, 24],
      [13, 60],
      [39, 17],
    ] as const) {
      for (const [kind, kernel] of [
        ['bicubic', 'cubic'],
        ['bilinear', 'linear'],
      ] as const) {
        const ours = resample(smooth, whole(smooth), h, w, kind).data;
        const theirs = await sharp(smooth.data, { raw: { width: 60, height: 40, channels: 3 } })
          .resize(w, h, { fit: 'fill', kernel })
          .raw()
          .toBuffer();
        const differences = [...ours].map((v, i) => Math.abs(v - (theirs[i] as number)));
        expect(Math.max(...differences), `${kind} ${h}×${w}`).toBeLessThan(4);
      }
    }
  });
});

describe('coverage', () => {
  it('keeps the ratio and cuts both sides alike', () => {
    const wide = pixels(10, 30, 1, (_, x) => (x < 10 ? 0 : x < 20 ? 100 : 200));
    const out = coverage(wide, 10, 10, 'bicubic');
    expect([out.height, out.width]).toEqual([10, 10]);
    expect(new Set(out.data)).toEqual(new Set([100]));
    const tall = coverage(
      pixels(9, 3, 1, (y) => 10 * y),
      3,
      3,
      'nearest',
    );
    expect([...tall.data]).toEqual([30, 30, 30, 40, 40, 40, 50, 50, 50]);
  });
});
