import fc from 'fast-check';
import { type Observable, from, lastValueFrom, of, share, tap, toArray, zip } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { AnyBatch, Batch, Origin, Sample } from '../../src/core/batch.js';
import { Gate, within } from '../../src/core/demand/index.js';
import { MaskflowError } from '../../src/core/errors.js';
import { fold, rootKey, sampleKey } from '../../src/core/key.js';
import { recipe } from '../../src/core/recipe.js';
import { batch } from '../../src/operators/batch.js';
import { mask } from '../../src/operators/mask.js';
import { type Mask, block, colorNoise, random, select } from '../../src/operators/masks/index.js';
import type { Bytes, Floats, Integers, ModelStage } from '../../src/operators/stages.js';

const origin = (id: number, epoch = 0): Origin => ({ source: 0, id, epoch, position: id });
/** A batch of images of 4×4 tokens, two numbers a token, all of them `value`. */
function images(ids: readonly number[], value = 0, grid: readonly number[] = [4, 4]): Batch<{ tokens: Floats }> {
  const length = grid.reduce((product, side) => product * side, 1);
  const data = new Float32Array(ids.length * length * 2).fill(value);
  return { rows: ids.length, columns: { tokens: { data, shape: [ids.length, length, 2] } }, origins: ids.map((id) => origin(id)), grid, program: undefined };
}
const withColumn = <C>(of: Batch<{ tokens: Floats }>, columns: C): Batch<{ tokens: Floats } & C> => ({ ...of, columns: { ...of.columns, ...columns } });
/** Runs a chain at a gate of its own, with a seed. */
const at = <T>(seed: number, chain: Observable<T>): Promise<T> => within({ gate: new Gate({ seed }) }, () => lastValueFrom(chain));
const rowsOf = ({ rows, columns }: Batch<{ mask: Bytes }>): string[] => {
  const cells = columns.mask.data.length / rows;
  return Array.from({ length: rows }, (_, row) => columns.mask.data.subarray(row * cells, (row + 1) * cells).join(''));
};
const small = { patterns: 4, side: 16 } as const;
const rules: readonly (readonly [string, Mask])[] = [
  ['random', random()],
  ['block', block()],
  ['colorNoise', colorNoise(small)],
];
/** Hides the tokens of the highest score column. */
const byScore: Mask = select({ recipe: recipe('tests', 'column'), values: ({ score, length }) => score ?? new Float32Array(length) }, { ratio: 0.5 });

async function failure(chain: Observable<unknown>): Promise<MaskflowError> {
  try {
    await lastValueFrom(chain);
  } catch (error) {
    expect(error).toBeInstanceOf(MaskflowError);
    return error as MaskflowError;
  }
  throw new Error('nothing failed');
}

describe('mask', () => {
  it('adds a column uint8 [rows, …grid] and changes nothing else', async () => {
    const given = images([3, 1, 4]);
    for (const [, rule] of rules) {
      const result = await at(0, of(given).pipe(mask(rule)));
      expect(result.columns.mask.shape).toEqual([3, 4, 4]);
      expect(result.columns.mask.data).toBeInstanceOf(Uint8Array);
      expect(result.columns.tokens).toBe(given.columns.tokens);
      expect(result.origins).toBe(given.origins);
      expect(result.grid).toBe(given.grid);
      expect(given.columns).not.toHaveProperty('mask');
    }
  });

  it("gives each row the rule's mask under the key of (seed, stage, sample)", async () => {
    for (const [, rule] of rules) {
      const result = await at(5, of(images([3, 1, 4])).pipe(mask(rule, { name: 'hide' })));
      const key = fold(rootKey(5), 'hide');
      expect(rowsOf(result)).toEqual([3, 1, 4].map((id) => rule.hide({ grid: [4, 4], length: 16 }, sampleKey(key, origin(id))).join('')));
    }
  });

  it('depends on seed, name, epoch and source', async () => {
    const base = rowsOf(await at(0, of(images([1])).pipe(mask(random()))));
    const one = images([1]);
    expect(rowsOf(await at(0, of(images([1])).pipe(mask(random()))))).toEqual(base);
    expect(rowsOf(await at(1, of(one).pipe(mask(random()))))).not.toEqual(base);
    expect(rowsOf(await at(0, of(one).pipe(mask(random(), { name: 'other' }))))).not.toEqual(base);
    expect(rowsOf(await at(0, of({ ...one, origins: [origin(1, 1)] }).pipe(mask(random()))))).not.toEqual(base);
    expect(rowsOf(await at(0, of({ ...one, origins: [{ ...origin(1), source: 1 }] }).pipe(mask(random()))))).not.toEqual(base);
    expect(rowsOf(await at(0, of({ ...one, origins: [{ ...origin(1), position: 99 }] }).pipe(mask(random()))))).toEqual(base);
  });

  it('gives a sample the same mask in any batch and any order', async () => {
    const all = Array.from({ length: 40 }, (_, id) => id);
    for (const [, rule] of rules) {
      const alone = new Map<number, string>();
      for (const id of all) alone.set(id, rowsOf(await at(0, of(images([id])).pipe(mask(rule))))[0] as string);
      await fc.assert(
        fc.asyncProperty(fc.shuffledSubarray(all, { minLength: 1 }), fc.integer({ min: 1, max: 9 }), async (ids, size) => {
          const samples = ids.map(
            (id): Sample<{ tokens: Floats }> => ({ fields: { tokens: { data: new Float32Array(16), shape: [16, 1] } }, origin: origin(id) }),
          );
          const batches = await at(0, from(samples).pipe(batch(size), mask(rule), toArray()));
          // Without a grid the layout is the one axis of the tokens: compare under it.
          const own = new Map(all.map((id) => [id, rule.hide({ grid: [16], length: 16 }, sampleKey(fold(rootKey(0), 'mask'), origin(id))).join('')]));
          for (const made of batches) expect(rowsOf(made)).toEqual(made.origins.map(({ id }) => own.get(id)));
        }),
        { numRuns: 20 },
      );
      const together = rowsOf(await at(0, of(images([...all].reverse())).pipe(mask(rule))));
      expect(together).toEqual([...all].reverse().map((id) => alone.get(id)));
    }
  });

  it('never looks at the data', async () => {
    for (const [, rule] of rules) {
      const dark = await at(0, of(images([1, 2, 3], 0)).pipe(mask(rule)));
      const bright = await at(0, of(withColumn(images([1, 2, 3], 255), { score: { data: new Float32Array(48).fill(7), shape: [3, 16] } })).pipe(mask(rule)));
      expect(bright.columns.mask.data).toEqual(dark.columns.mask.data);
    }
    const seen: unknown[] = [];
    const spy: Mask = {
      recipe: recipe('tests', 'spy'),
      hide(tokens) {
        seen.push(Object.keys(tokens).sort());
        return new Uint8Array(16);
      },
    };
    await at(0, of(withColumn(images([1]), { score: { data: new Float32Array(16), shape: [1, 16] } })).pipe(mask(spy)));
    expect(seen).toEqual([['grid', 'length']]);
  });

  it("gives a rule the row's own score where a column is named", async () => {
    const data = Float32Array.from({ length: 32 }, (_, i) => (i < 16 ? i : -i));
    for (const shape of [
      [2, 16],
      [2, 4, 4],
    ]) {
      const result = await at(0, of(withColumn(images([1, 2]), { loss: { data, shape } })).pipe(mask(byScore, { score: 'loss' })));
      expect(rowsOf(result)).toEqual(['0000000011111111', '1111111100000000']);
    }
  });

  it('respects a column length, float32 or int32', async () => {
    for (const data of [Float32Array.of(16, 4, 0), Int32Array.of(16, 4, 0)]) {
      for (const [, rule] of rules) {
        const [full, part, none] = rowsOf(await at(0, of(withColumn(images([1, 2, 3], 0, [16]), { length: { data, shape: [3] } })).pipe(mask(rule)))) as [
          string,
          string,
          string,
        ];
        expect(full.length).toBe(16);
        expect(part.slice(0, 4)).toContain('1');
        expect(part.slice(4)).toBe('0'.repeat(12));
        expect(none).toBe('0'.repeat(16));
      }
    }
  });

  it('works without tokens where there is a grid, and without a grid where there are tokens', async () => {
    const bare: AnyBatch = { rows: 1, columns: {}, origins: [origin(0)], grid: [2, 3, 4], program: undefined };
    const made = await at(0, (of(bare) as unknown as Observable<Batch<{ tokens: Floats }>>).pipe(mask(random())));
    expect(made.columns.mask.shape).toEqual([1, 2, 3, 4]);
    const ids: Batch<{ tokens: Integers }> = {
      rows: 1,
      columns: { tokens: { data: new Int32Array(7), shape: [1, 7] } },
      origins: [origin(0)],
      program: undefined,
    };
    expect((await at(0, of(ids).pipe(mask(random())))).columns.mask.shape).toEqual([1, 7]);
  });

  it('takes a batch of no rows', async () => {
    expect((await at(0, of(images([])).pipe(mask(random())))).columns.mask).toEqual({ data: new Uint8Array(0), shape: [0, 4, 4] });
  });

  it('refuses a second mask of the same name in a chain', async () => {
    const error = await failure(of(images([1])).pipe(mask(random()), mask(block()) as never));
    expect(error.message).toContain('mask.name: two stages of one chain are named "mask"');
  });

  it('refuses to replace a mask, but masks the branches of a stream apart', async () => {
    const error = await failure(of(images([1])).pipe(mask(random()), mask(block(), { name: 'mask2' })));
    expect(error.message).toBe(
      'mask2.mask: the batch has a column mask already, and a stage never replaces what it does not own (batch of samples 1, epoch 0). Mask it once, or drop the column in front with map.',
    );
    const shared = of(images([1]), images([2])).pipe(share());
    const pairs = await at(0, zip(shared.pipe(mask(random())), shared.pipe(mask(random(), { name: 'teacher' }))).pipe(toArray()));
    for (const [a, b] of pairs) expect(rowsOf(a)).not.toEqual(rowsOf(b));
  });

  it('keeps the columns typed', () => {
    from([images([1])]).pipe(
      mask(random()),
      tap((made) => {
        const hidden: Uint8Array = made.columns.mask.data;
        const tokens: Float32Array = made.columns.tokens.data;
        return [hidden, tokens];
      }),
    );
    const describedBy = (model: ModelStage<{ tokens: Floats; mask: Bytes }, 'prediction'>) => of(images([1])).pipe(mask(random()), model);
    expect(describedBy).toBeTypeOf('function');
    const unlabelled: Observable<Batch<{ image: Floats }>> = from([]);
    // @ts-expect-error there are no tokens in front of a view
    unlabelled.pipe(mask(random()));
  });

  it('names stage, sample and way out', async () => {
    const samples = images([4, 5]);
    const lengths = (...values: number[]) => withColumn(samples, { length: { data: Float32Array.from(values), shape: [2] } });
    expect((await failure(of(lengths(16, 17)).pipe(mask(random())))).message).toBe(
      'mask.length: must be an integer from 0 to 16, the tokens of a grid of [4, 4]; got 17 (sample 5, epoch 0).',
    );
    for (const bad of [-1, 2.5, Number.NaN]) expect((await failure(of(lengths(bad, 1)).pipe(mask(random())))).message).toContain('(sample 4, epoch 0)');
    const carried = withColumn(samples, { length: { rows: 2, values: ['3', '4'] } });
    expect((await failure(of(carried).pipe(mask(random())))).message).toContain(
      'mask.length: the column length must hold one float32 or int32 number for each of the 2 rows; got "a carried column"',
    );
    expect((await failure(of(samples).pipe(mask(byScore, { score: 'los' })))).message).toContain(
      'mask.score: there is no column "los" (batch of samples 4, 5, epoch 0). Columns: tokens.',
    );
    expect(
      (await failure(of(withColumn(samples, { loss: { data: new Float32Array(2), shape: [2] } })).pipe(mask(byScore, { score: 'loss' })))).message,
    ).toContain('mask.score: the column loss must be float32 with one number for each of the 16 tokens; got "Float32Array [2]"');
    const missing = Float32Array.from({ length: 32 }, (_, i) => (i === 20 ? Number.NaN : 0));
    expect((await failure(of(withColumn(samples, { loss: { data: missing, shape: [2, 16] } })).pipe(mask(byScore, { score: 'loss' })))).message).toBe(
      'mask: the score column must be a number for every token, but is NaN for token 4 (sample 5, epoch 0).',
    );
    const bare = of({ rows: 1, columns: {}, origins: [origin(0)], program: undefined }) as unknown as Observable<Batch<{ tokens: Floats }>>;
    expect((await failure(bare.pipe(mask(random())))).message).toContain('mask.grid: the batch has neither a grid nor a tensor column tokens');
    const short: Mask = { recipe: recipe('tests', 'short'), hide: () => new Uint8Array(3) };
    expect((await failure(of(samples).pipe(mask(short)))).message).toContain(
      'mask.rule: short must give one byte for each of the 16 cells; got 3 (sample 4, epoch 0)',
    );
    expect(() => mask(undefined as never)).toThrow('mask.rule: must be a mask; got undefined. Try mask(random({ ratio: 0.75 })).');
    expect(() => mask(random(), { nam: 'x' } as never)).toThrow('mask.nam: there is no such option. Did you mean name?');
  });
});
