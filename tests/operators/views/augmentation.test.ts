import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold, rootKey, sampleKey } from '../../../src/core/key.js';
import { applyJitter, checkColorJitter, checkCrop, cropBox, flips, jitterOf, normalization } from '../../../src/operators/views/index.js';

const stageKey = fold(rootKey(7), 'image');
const keyOf = (id: number, epoch = 0) => sampleKey(stageKey, { source: 0, id, epoch });

/** Counts numbers in [0, 1] in ten bins. */
function binned(shares: readonly number[]): number[] {
  return Array.from({ length: 10 }, (_, bin) => shares.filter((share) => Math.min(9, Math.max(0, Math.floor(share * 10))) === bin).length);
}
/** χ² of counts that should be equal. */
function chi2(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('cropBox', () => {
  it('lies inside the image, is a function of its arguments, and keeps area and ratio up to rounding or falls back to the centre', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 600 }), (id, width, height) => {
        const box = cropBox(keyOf(id), width, height);
        expect(cropBox(keyOf(id), width, height)).toEqual(box);
        expect(Math.min(box.left, box.top)).toBeGreaterThanOrEqual(0);
        expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(1);
        expect(box.left + box.width).toBeLessThanOrEqual(width);
        expect(box.top + box.height).toBeLessThanOrEqual(height);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it('draws areas uniformly in scale and places uniformly', () => {
    // χ² with 9 degrees of freedom over 10 bins, 20,000 draws: false alarm 1e-6 at 46.5, twice; the seed is fixed.
    const area: number[] = [];
    const left: number[] = [];
    const n = 20_000;
    for (let id = 0; id < n; id++) {
      const box = cropBox(keyOf(id), 4000, 4000, { scale: [0.2, 0.5], ratio: [1, 1] });
      const share = (box.width * box.height) / 4000 ** 2;
      expect(share).toBeGreaterThan(0.2 - 0.001);
      expect(share).toBeLessThan(0.5 + 0.001);
      area.push((share - 0.2) / 0.3);
      left.push(box.left / (4000 - box.width + 1));
    }
    expect(chi2(binned(area))).toBeLessThan(46.5);
    expect(chi2(binned(left))).toBeLessThan(46.5);
  });

  it('draws ratios uniformly in their logarithm', () => {
    // As above; scale small enough that no draw is rejected.
    const ratios: number[] = [];
    const n = 20_000;
    for (let id = 0; id < n; id++) {
      const box = cropBox(keyOf(id), 10_000, 10_000, { scale: [0.2, 0.3] });
      ratios.push((Math.log(box.width / box.height) - Math.log(3 / 4)) / Math.log(16 / 9));
    }
    expect(chi2(binned(ratios))).toBeLessThan(46.5);
  });

  it('falls back to the largest centred box of a legal ratio', () => {
    expect(cropBox(keyOf(1), 1000, 30, { scale: [0.9, 1] })).toEqual({ left: 480, top: 0, width: 40, height: 30 });
    expect(cropBox(keyOf(1), 30, 1000, { scale: [0.9, 1] })).toEqual({ left: 0, top: 480, width: 30, height: 40 });
    expect(cropBox(keyOf(1), 100, 100, { scale: [1, 1], ratio: [0.5, 0.9] })).toEqual({ left: 5, top: 0, width: 90, height: 100 });
    expect(cropBox(keyOf(1), 110, 100, { scale: [1, 1], ratio: [0.5, 2] })).toEqual({ left: 0, top: 0, width: 110, height: 100 });
    expect(cropBox(keyOf(1), 100, 1, { scale: [1, 1], ratio: [0.1, 0.2] })).toEqual({ left: 49, top: 0, width: 1, height: 1 });
  });

  it('refuses what makes no sense', () => {
    expect(() => checkCrop('image', { scale: [0, 1] })).toThrow(
      'image.randomResizedCrop.scale: must be two shares of the area with 0 < least ≤ largest ≤ 1; got [0,1]. Try [0.2, 1].',
    );
    expect(() => checkCrop('image', { scale: [0.5, 0.4] })).toThrow('got [0.5,0.4]');
    expect(() => checkCrop('image', { ratio: [2, 1] })).toThrow(
      'image.randomResizedCrop.ratio: must be two ratios width / height with 0 < least ≤ largest; got [2,1]. Try [3/4, 4/3].',
    );
    expect(() => checkCrop('image', { scal: [0.2, 1] } as never)).toThrow('image.randomResizedCrop.scal: there is no such option. Did you mean scale?');
  });
});

describe('flips', () => {
  it('holds its probability and differs between samples and epochs', () => {
    const n = 20_000;
    const count = (p: number, epoch = 0): number => Array.from({ length: n }, (_, id) => Number(flips(keyOf(id, epoch), p))).reduce((a, b) => a + b);
    expect(count(0)).toBe(0);
    expect(count(1)).toBe(n);
    // Five standard deviations either way: false alarm 6e-7 each; the seed is fixed.
    for (const p of [0.1, 0.5]) expect(Math.abs(count(p) - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    const both = Array.from({ length: n }, (_, id) => Number(flips(keyOf(id), 0.5) && flips(keyOf(id, 1), 0.5))).reduce((a, b) => a + b);
    expect(Math.abs(both - n / 4)).toBeLessThan(5 * Math.sqrt((n * 3) / 16));
  });
});

describe('colour jitter', () => {
  const all = { brightness: 0.4, contrast: [0.5, 0.6], saturation: 2, hue: 0.1 } as const;

  it('draws factors in their ranges and every order', () => {
    const orders = new Map<string, number>();
    const n = 12_000;
    for (let id = 0; id < n; id++) {
      const jitter = jitterOf(keyOf(id), all);
      const factor = Object.fromEntries(jitter.map((step) => [step.change, step.factor]));
      expect(Math.abs((factor.brightness as number) - 1)).toBeLessThanOrEqual(0.4);
      expect(Math.abs((factor.contrast as number) - 0.55)).toBeLessThanOrEqual(0.05 + 1e-12);
      expect(Math.abs((factor.saturation as number) - 1.5)).toBeLessThanOrEqual(1.5);
      expect(Math.abs(factor.hue as number)).toBeLessThanOrEqual(0.1);
      const order = jitter.map(({ change }) => change[0]).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(24);
    // χ² with 23 degrees of freedom: false alarm 1e-6 at 72; the seed is fixed.
    expect(chi2([...orders.values()])).toBeLessThan(72);
  });

  it("keeps one change's factor when another is switched on, and leaves out those of strength 0", () => {
    const [alone] = jitterOf(keyOf(3), { brightness: 0.4, hue: 0 });
    expect(jitterOf(keyOf(3), { brightness: 0.4, hue: 0 })).toHaveLength(1);
    expect(jitterOf(keyOf(3), all)).toContainEqual(alone);
    expect(jitterOf(keyOf(3), {})).toEqual([]);
  });

  const changed = (pixels: number[], change: 'brightness' | 'contrast' | 'saturation' | 'hue', factor: number, channels: 1 | 3 = 3): number[] => {
    const data = Float32Array.from(pixels);
    applyJitter(data, channels, [{ change, factor }]);
    return [...data].map((v) => Number(v.toFixed(5)));
  };

  it("computes torchvision's four changes", () => {
    expect(changed([0.2, 0.4, 0.8], 'brightness', 1.5)).toEqual([0.3, 0.6, 1]);
    // Mean of the grey image: 0.299 · 1 + 0.587 · 0 = 0.299 and 0, so 0.1495, and half of that is added.
    expect(changed([1, 0, 0, 0, 0, 0], 'contrast', 0.5)).toEqual([0.57475, 0.07475, 0.07475, 0.07475, 0.07475, 0.07475]);
    expect(changed([0.2, 0.4], 'contrast', 0, 1)).toEqual([0.3, 0.3]);
    expect(changed([1, 0, 0], 'saturation', 0)).toEqual([0.299, 0.299, 0.299]);
    expect(changed([0.2, 0.4], 'saturation', 0, 1)).toEqual([0.2, 0.4]);
    expect(changed([1, 0, 0], 'hue', 1 / 3)).toEqual([0, 1, 0]);
    expect(changed([1, 0, 0], 'hue', -1 / 3)).toEqual([0, 0, 1]);
    expect(changed([0.8, 0.4, 0.4], 'hue', 0.5)).toEqual([0.4, 0.8, 0.8]);
    expect(changed([0.3, 0.3, 0.3], 'hue', 0.2)).toEqual([0.3, 0.3, 0.3]);
    expect(changed([0.2, 0.4], 'hue', 0.3, 1)).toEqual([0.2, 0.4]);
  });

  it('factor 1 (hue 0) changes nothing beyond rounding, and results stay in [0, 1]', () => {
    const unit = fc.float({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(unit, unit, unit), { minLength: 1, maxLength: 6 }),
        fc.constantFrom('brightness' as const, 'contrast' as const, 'saturation' as const, 'hue' as const),
        fc.double({ min: -0.5, max: 3, noNaN: true }),
        (colours, change, any) => {
          const data = Float32Array.from(colours.flat());
          const same = Float32Array.from(data);
          applyJitter(same, 3, [{ change, factor: change === 'hue' ? 0 : 1 }]);
          same.forEach((v, i) => {
            expect(v).toBeCloseTo(data[i] as number, 5);
          });
          applyJitter(data, 3, [{ change, factor: change === 'hue' ? Math.min(any, 0.5) : Math.max(any, 0) }]);
          for (const v of data) expect(v >= 0 && v <= 1).toBe(true);
        },
      ),
      { seed: 4 },
    );
  });

  it('refuses what makes no sense', () => {
    expect(() => checkColorJitter('image', { hue: 0.6 })).toThrow(
      'image.colorJitter.hue: must be a strength in [0, 0.5] or a range inside [−0.5, 0.5]; got 0.6.',
    );
    expect(() => checkColorJitter('image', { brightness: -1 })).toThrow(
      'image.colorJitter.brightness: must be a strength of at least 0 or a range [least, largest] of factors of at least 0; got -1.',
    );
    expect(() => checkColorJitter('image', { contrast: [2, 1] })).toThrow('got [2,1]');
    expect(() => checkColorJitter('image', { colour: 1 } as never)).toThrow('image.colorJitter.colour: there is no such option.');
  });
});

describe('normalization', () => {
  it('reads numbers, lists and imagenet, and refuses the rest', () => {
    expect(normalization('image', { mean: 0.5, std: 0.25 }, 3)).toEqual({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
    expect(normalization('image', 'imagenet', 3)?.mean).toEqual([0.485, 0.456, 0.406]);
    expect(normalization('image', false, 1)).toBeUndefined();
    expect(() => normalization('image', 'imagenet', 1)).toThrow(
      "image.normalize: 'imagenet' has statistics of three colour channels: channels must be 3; got 1.",
    );
    expect(() => normalization('image', { mean: [0.5, 0.5], std: 1 }, 3)).toThrow(
      'image.normalize.mean: must be a number, or one for each of 3 channels; got [0.5,0.5].',
    );
    expect(() => normalization('image', { mean: 0, std: 0 }, 1)).toThrow(
      'image.normalize.std: must be a positive number, or one for each of 1 channels; got 0.',
    );
    expect(() => normalization('image', 'cifar' as never, 3)).toThrow('image.normalize: must be \'imagenet\', false or { mean, std }; got "cifar".');
  });
});
