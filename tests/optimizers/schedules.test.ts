import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { constant, cosine, linear } from '../../src/optimizers/index.js';

test('card: base 2.4e-3, warm-up of 40 epochs, 800 epochs', () => {
  const schedule = cosine({ peak: 2.4e-3, warmupEpochs: 40 });
  const at = (epoch: number): number => schedule.at({ step: 0, progress: epoch / 800, epochs: 800 });
  expect(at(0)).toBe(0);
  expect(at(20)).toBeCloseTo(1.2e-3, 12);
  expect(at(40)).toBeCloseTo(2.4e-3, 12);
  expect(at(420)).toBeCloseTo(1.2e-3, 12);
  expect(at(800)).toBeCloseTo(0, 12);
});

test('a floor is reached at the end', () => {
  expect(cosine({ peak: 1, floor: 0.1 }).at({ step: 0, progress: 1 })).toBeCloseTo(0.1, 12);
  expect(linear({ peak: 1, floor: 0.2 }).at({ step: 0, progress: 0.5 })).toBeCloseTo(0.6, 12);
  expect(linear({ peak: 1, warmupEpochs: 2 }).at({ step: 0, progress: 0.6, epochs: 10 })).toBeCloseTo(0.5, 12);
});

describe('a warm-up in steps', () => {
  test('multiplies the curve and gives no step the rate 0', () => {
    expect(constant({ peak: 1, warmup: 4 }).at({ step: 0 })).toBe(0.25);
    expect(constant({ peak: 1, warmup: 4 }).at({ step: 3 })).toBe(1);
    expect(constant({ peak: 1, warmup: 4 }).at({ step: 1000 })).toBe(1);
    expect(cosine({ peak: 2, warmup: 10 }).at({ step: 4, progress: 0.5 })).toBeCloseTo(0.5, 12);
    expect(linear({ peak: 2, warmup: 10 }).at({ step: 4, progress: 0.25 })).toBeCloseTo(0.75, 12);
  });
});

test('schedules are pure, finite and stay within [0, peak]', () => {
  const moments = fc.record({ step: fc.nat(1e6), progress: fc.double({ min: 0, max: 1, noNaN: true }), epochs: fc.integer({ min: 1, max: 1000 }) });
  const warm = fc.oneof(fc.record({ warmup: fc.nat(1000) }), fc.record({ warmupEpochs: fc.nat(1000) }));
  fc.assert(
    fc.property(moments, warm, fc.constantFrom(cosine, linear, constant), (moment, warmup, make) => {
      const schedule = make({ peak: 0.3, ...warmup });
      const rate = schedule.at(moment);
      expect(rate).toBe(schedule.at({ ...moment }));
      expect(rate).toBeGreaterThanOrEqual(0);
      expect(rate).toBeLessThanOrEqual(0.3 + 1e-12);
    }),
  );
});

test('errors name the way out', () => {
  expect(() => cosine({ peak: 1 }).at({ step: 3 })).toThrow(
    'cosine: needs the length of the run, which is not known here. Put epochs(n) behind a source with a length, limit the run by steps, or use constant({ peak }).',
  );
  expect(() => cosine({ peak: 1, warmupEpochs: 1 }).at({ step: 3, progress: 0.1 })).toThrow(
    'cosine: warmupEpochs needs the number of epochs, which is not known here',
  );
  expect(() => cosine({ peak: 1, warmup: 5, warmupEpochs: 1 })).toThrow('cosine.warmupEpochs: cannot stand beside warmup');
  expect(() => linear({ peak: 1, floor: 2 })).toThrow('linear.floor: must lie in [0, 1]; got 2');
  expect(() => constant({ peak: Number.NaN })).toThrow('constant.peak');
  expect(() => cosine({ peak: 1, warmpu: 3 } as never)).toThrow('cosine.warmpu: there is no such option. Did you mean warmup?');
  expect(() => cosine({ peak: 1, warmup: 0.5 })).toThrow('cosine.warmup: must be an integer of at least 0');
});
