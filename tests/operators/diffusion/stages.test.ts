import { type Observable, lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Batch, Origin } from '../../../src/core/batch.js';
import { Gate, within } from '../../../src/core/demand/index.js';
import { fold, rootKey, sampleKey } from '../../../src/core/key.js';
import {
  absorbing,
  absorbingCount,
  cosineNoise,
  countWeight,
  diffusionTime,
  diffusionWeight,
  hiddenCount,
  linearNoise,
  mask,
  type Bytes,
  type Floats,
  type Integers,
} from '../../../src/operators/index.js';

const origin = (id: number, epoch = 0): Origin => ({ source: 0, id, epoch, position: id });
function rows(ids: readonly number[], L = 16, epoch = 0): Batch<{ tokens: Integers }> {
  const tokens = { data: new Int32Array(ids.length * L).fill(7), shape: [ids.length, L] };
  return { rows: ids.length, columns: { tokens }, origins: ids.map((id) => origin(id, epoch)), program: undefined };
}
const many = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const at = <T>(chain: Observable<T>, seed = 0): Promise<T> => within({ gate: new Gate({ seed }) }, () => lastValueFrom(chain));
const withColumn = <C, A extends object>(batch: Batch<C>, added: A): Batch<C & A> => ({ ...batch, columns: { ...batch.columns, ...added } });
const timesOf = async (ids: readonly number[], options = {}, epoch = 0): Promise<number[]> => [
  ...(await at(of(rows(ids, 4, epoch)).pipe(diffusionTime(options)))).columns.time.data,
];
const failure = (chain: Observable<unknown>): Promise<string> =>
  at(chain).then(
    () => 'nothing failed',
    (error: Error) => error.message,
  );
const float = (...numbers: number[]): Floats => ({ data: Float32Array.from(numbers), shape: [numbers.length] });

describe('diffusionTime', () => {
  it('gives each sample a time of its own, whatever batch it is in', async () => {
    const [a, b, c] = await timesOf([1, 2, 3]);
    expect(await timesOf([3, 9, 1])).toEqual([c, expect.any(Number), a]);
    expect(new Set([a, b, c]).size).toBe(3);
    expect(await timesOf([1, 2, 3], {}, 1)).not.toEqual([a, b, c]);
    expect(await timesOf([1, 2, 3], { copies: 1 }, 1)).toEqual([a, b, c]);
    expect(await timesOf([1, 2, 3], { name: 'other' })).not.toEqual([a, b, c]);
  });

  it('is uniform on (least, 1]', async () => {
    // Kolmogorov–Smirnov of 5,000: 3.2 / √5000 is exceeded with probability 3e-9.
    const times = (await timesOf(many(5000), { least: 0.2 })).sort((x, y) => x - y);
    expect(times[0]).toBeGreaterThan(0.2);
    expect(times.at(-1)).toBeLessThanOrEqual(1);
    expect(Math.max(...times.map((t, i) => Math.abs((t - 0.2) / 0.8 - i / 5000)))).toBeLessThan(3.2 / Math.sqrt(5000));
  });

  it('spreads over a batch on demand', async () => {
    (await timesOf(many(8), { scope: 'batch', least: 0 })).forEach((t, i) => expect(Math.floor(8 * t)).toBe(i));
    const shifted = (await timesOf(many(8), { scope: 'batch', spread: 'shift', least: 0 })).sort();
    for (let i = 1; i < 8; i++) expect((shifted[i] as number) - (shifted[i - 1] as number)).toBeCloseTo(1 / 8, 6);
  });

  it('says what is wrong', async () => {
    expect(() => diffusionTime({ spread: 'bins' })).toThrow('diffusionTime.spread: needs scope: \'batch\'; got "bins"');
    expect(() => diffusionTime({ least: 1 })).toThrow('diffusionTime.least: must lie in [0, 1); got 1');
    expect(() => diffusionTime({ scope: 'run' as never })).toThrow("diffusionTime.scope: must be 'sample' or 'batch'; got \"run\"");
    expect(await failure(of(withColumn(rows([1]), { time: float(0.5) })).pipe(diffusionTime()))).toContain('the batch has a column time already');
  });
});

describe('absorbing', () => {
  const key = (id: number) => sampleKey(fold(rootKey(0), 'mask'), origin(id));
  const hide = (time: number, id: number, schedule = linearNoise()): Uint8Array =>
    absorbing({ schedule }).hide({ grid: [64], length: 64, columns: { time: Float32Array.of(time) } }, key(id));

  it('hides 1 − α(t) of the tokens on average', () => {
    // 64,000 coins: a standard error of at most .002; six of them.
    for (const schedule of [linearNoise(), cosineNoise()]) {
      for (const time of [0.1, 0.5, 0.9]) {
        let hidden = 0;
        for (let id = 0; id < 1000; id++) hidden += hide(time, id, schedule).reduce((a, b) => a + b, 0);
        expect(Math.abs(hidden / 64_000 - schedule.masked(time))).toBeLessThan(0.012);
      }
    }
  });

  it('only ever hides more: a later time hides a superset, time 1 all', () => {
    for (let id = 0; id < 20; id++) {
      const [early, late] = [hide(0.3, id), hide(0.6, id)];
      early.forEach((hidden, i) => expect(late[i]).toBeGreaterThanOrEqual(hidden));
      expect(hide(1, id).every((hidden) => hidden === 1)).toBe(true);
      expect(hide(0, id).every((hidden) => hidden === 0)).toBe(true);
    }
  });

  it('passes over special tokens and padding, on any grid', () => {
    const hidden = absorbing().hide({ grid: [2, 4], length: 6, special: Uint8Array.of(1, 0, 0, 0, 0, 1, 1, 1), columns: { time: Float32Array.of(1) } }, key(0));
    expect([...hidden]).toEqual([0, 1, 1, 1, 1, 0, 0, 0]);
  });

  it('works behind diffusionTime in the mask stage, and says what is missing', async () => {
    const batch = await at(of(rows(many(3))).pipe(diffusionTime(), mask(absorbing())));
    expect(batch.columns.mask.shape).toEqual([3, 16]);
    expect(await failure(of(rows([1])).pipe(mask(absorbing())))).toContain('absorbing reads the column time, and there is none');
    expect(await failure(of(withColumn(rows([1]), { time: float(1.5) })).pipe(mask(absorbing())))).toBe(
      'mask.time: absorbing reads one time in [0, 1] a row; got 1.5 (sample 1, epoch 0). Put diffusionTime() in front of mask.',
    );
    expect(() => absorbing({ schedule: 3 as never })).toThrow('absorbing.schedule: must be a noise schedule; got 3.');
  });
});

describe('absorbingCount', () => {
  it('hides max(1, ⌈n t⌉) tokens, each number equally often', async () => {
    expect([hiddenCount(16, 0.25), hiddenCount(16, 0.26), hiddenCount(16, 1), hiddenCount(16, 0), hiddenCount(0, 0.5)]).toEqual([4, 5, 16, 1, 0]);
    const batch = await at(of(rows(many(8000), 4)).pipe(diffusionTime({ least: 0 }), mask(absorbingCount())));
    const counts = [0, 0, 0, 0];
    for (let row = 0; row < 8000; row++) {
      const hidden = batch.columns.mask.data.subarray(4 * row, 4 * row + 4).reduce((a, b) => a + b, 0);
      counts[hidden - 1] = (counts[hidden - 1] as number) + 1;
    }
    // 2,000 ± 39 each; six of them.
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(234);
    expect(() => absorbingCount({ ratio: 1 } as never)).toThrow('absorbingCount.ratio: there is no such option');
  });
});

describe('weights', () => {
  const masked = (...bits: number[]): { mask: Bytes } => ({ mask: { data: Uint8Array.from(bits), shape: [bits.length / 4, 4] } });

  it('by time: −α′ / (1 − α) a row', async () => {
    const batch = withColumn(withColumn(rows([1, 2], 4), { time: float(0.5, 0.1) }), masked(1, 0, 0, 0, 0, 0, 0, 0));
    const { weight } = (await at(of(batch).pipe(diffusionWeight()))).columns;
    expect(weight.shape).toEqual([2]);
    expect(weight.data[0]).toBe(2);
    expect(weight.data[1]).toBeCloseTo(10, 5);
    const cosine = (await at(of(batch).pipe(diffusionWeight({ schedule: cosineNoise() })))).columns.weight.data;
    expect(cosine[1]).toBeCloseTo(19.95886, 3);
  });

  it('by count: n / hidden, special tokens and padding left out, 0 where nothing is hidden', async () => {
    const special = { data: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), shape: [3, 4] };
    const length = { data: Int32Array.of(4, 2, 4), shape: [3] };
    const batch = withColumn(withColumn(rows([1, 2, 3], 4), { special, length }), masked(0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0));
    expect([...(await at(of(batch).pipe(countWeight()))).columns.weight.data]).toEqual([1.5, 2, 0]);
  });

  it('are made once: by type, and by an error where types cannot see', async () => {
    const batch = withColumn(withColumn(rows([1], 4), { time: float(0.5) }), masked(1, 0, 0, 0));
    // @ts-expect-error: the second one needs a batch without weights.
    const twice = of(batch).pipe(diffusionWeight(), countWeight());
    const once = 'the cross-entropy of masked diffusion is weighted once: by time or by count';
    expect(await failure(twice)).toBe(
      `countWeight.weight: the batch is weighted already, and ${once} (batch of samples 1, epoch 0). Keep diffusionWeight (with absorbing) or countWeight (with absorbingCount), not both.`,
    );
    expect(await failure(of(batch).pipe(diffusionWeight(), countWeight({ as: 'other' })))).toContain(once);
    expect(await failure(of(batch).pipe(countWeight({ as: 'other' }), diffusionWeight()))).toContain(once);
  });

  it('multiply what a batch says of rows that only fill it up', async () => {
    const batch = withColumn(withColumn(rows([1, 2], 4), { time: float(0.5, 0.5), weight: float(1, 0) }), masked(1, 0, 0, 0, 1, 0, 0, 0));
    expect([...(await at(of(batch).pipe(diffusionWeight({ as: 'diffusion' })))).columns.diffusion.data]).toEqual([2, 0]);
  });

  it('say what is missing or wrong', async () => {
    const batch = withColumn(rows([1], 4), masked(1, 0, 0, 0));
    expect(await failure(of(batch as never).pipe(diffusionWeight() as never))).toContain('diffusionWeight.time: there is no column time');
    expect(await failure(of(withColumn(batch, { time: float(0) })).pipe(diffusionWeight()))).toContain('diffusionWeight.time: must lie in (0, 1]; got 0');
    expect(await failure(of(rows([1]) as never).pipe(countWeight() as never))).toContain('countWeight.mask: there is no column mask');
  });
});
