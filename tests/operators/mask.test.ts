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
import { type Mask, bernoulli, block, colorNoise, linguisticEntity, random, select, spans, tlm, wholeWord } from '../../src/operators/masks/index.js';
import type { Bytes, Floats, Integers, ModelStage } from '../../src/operators/stages.js';
import { allMasks, row as textRow } from './masks/text.js';

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

  describe('on text', () => {
    type TextColumns = { tokens: Integers; length: Integers; special: Bytes; words: Integers; tags: Bytes; documents: Integers };
    const sentence = (id: number) =>
      textRow([Array.from({ length: 3 + (id % 9) }, (_, i) => [1 + ((i + id) % 3), (i + id) % 5] as const), [[1 + (id % 2), 1]]], 0);
    /** Batches as tokenize gives them, padded to the longest row or to `least`. */
    function text(ids: readonly number[], least = 0): Batch<TextColumns> {
      const made = ids.map(sentence);
      const width = Math.max(least, ...made.map(({ length }) => length));
      const gathered = <A extends Int32Array | Uint8Array>(data: A, of: (one: ReturnType<typeof sentence>) => A, pad: number) => {
        data.fill(pad);
        made.forEach((one, i) => data.set(of(one), i * width));
        return { data, shape: [ids.length, width] };
      };
      const cells = ids.length * width;
      return {
        rows: ids.length,
        origins: ids.map((id) => origin(id)),
        program: undefined,
        columns: {
          tokens: gathered(new Int32Array(cells), ({ columns }) => columns.tokens, 1),
          length: { data: Int32Array.from(made, ({ length }) => length), shape: [ids.length] },
          special: gathered(new Uint8Array(cells), ({ special }) => special, 1),
          words: gathered(new Int32Array(cells), ({ columns }) => columns.words, -1),
          tags: gathered(new Uint8Array(cells), ({ columns }) => columns.tags, 0),
          documents: gathered(new Int32Array(cells), ({ columns }) => columns.documents, -1),
        },
      };
    }
    const trimmed = (made: Batch<{ mask: Bytes; length: Integers }>): string[] =>
      rowsOf(made).map((bits, i) => {
        const length = made.columns.length.data[i] as number;
        expect(bits.slice(length)).not.toContain('1');
        return bits.slice(0, length);
      });

    it("gives a rule the row's parts of special and of the columns that it reads, and no others", async () => {
      const seen: unknown[] = [];
      const spy: Mask = {
        recipe: recipe('tests', 'spy'),
        reads: ['tags', 'time'],
        readsIfPresent: ['words', 'nothing'],
        hide(tokens) {
          seen.push(tokens);
          return new Uint8Array(tokens.grid[0] as number);
        },
      };
      const given = text([1, 2]);
      const time = { data: Float32Array.of(0.25, 0.75), shape: [2] };
      await at(0, of({ ...given, columns: { ...given.columns, time } }).pipe(mask(spy)));
      const { tags, words, special } = given.columns;
      const width = tags.shape[1] as number;
      expect(seen).toEqual(
        [0, 1].map((i) => ({
          grid: [width],
          length: sentence(i + 1).length,
          special: special.data.subarray(i * width, (i + 1) * width),
          columns: {
            tags: tags.data.subarray(i * width, (i + 1) * width),
            time: time.data.subarray(i, i + 1),
            words: words.data.subarray(i * width, (i + 1) * width),
          },
        })),
      );
    });

    it('gives a row the mask of the rule, in any batch, in any order, however it is padded', async () => {
      const ids = Array.from({ length: 24 }, (_, id) => id);
      const key = fold(rootKey(3), 'mask');
      for (const [name, rule] of allMasks(0.4)) {
        // What the rule says of the row alone, without padding.
        const own = ids.map((id) => rule.hide(sentence(id), sampleKey(key, origin(id))).join(''));
        expect(trimmed(await at(3, of(text(ids)).pipe(mask(rule)))), name).toEqual(own);
        const backwards = [...ids].reverse();
        expect(trimmed(await at(3, of(text(backwards, 64)).pipe(mask(rule)))), name).toEqual(backwards.map((id) => own[id]));
        const pairs = await at(3, from([0, 8, 16].map((first) => text(ids.slice(first, first + 8)))).pipe(mask(rule), toArray()));
        expect(pairs.flatMap(trimmed), name).toEqual(own);
      }
    });

    it('repeats masks after so many epochs with copies, and never without', async () => {
      const epochs = [0, 1, 2, 3, 4, 5];
      const over = async (options: { copies?: number }): Promise<string[]> => {
        const masks: string[] = [];
        for (const epoch of epochs) masks.push(rowsOf(await at(0, of({ ...images([1]), origins: [origin(1, epoch)] }).pipe(mask(random(), options))))[0]!);
        return masks;
      };
      const dynamic = await over({});
      expect(new Set(dynamic).size).toBe(6);
      expect(await over({ copies: 2 })).toEqual([0, 1, 0, 1, 0, 1].map((epoch) => dynamic[epoch]));
      expect(new Set(await over({ copies: 1 })).size).toBe(1);
      expect(() => mask(random(), { copies: 0 })).toThrow('mask.copies: must be an integer of at least 1; got 0');
    });

    it('reports what became of the ratio in each row', async () => {
      const given = text([1, 4, 7]);
      for (const [name, rule] of allMasks(0.3)) {
        const { mask: hidden, maskedShare } = (await at(0, of(given).pipe(mask(rule, { share: true })))).columns;
        expect(maskedShare.shape).toEqual([3]);
        const width = given.columns.tokens.shape[1] as number;
        maskedShare.data.forEach((share, i) => {
          const { length, special } = sentence([1, 4, 7][i]!);
          const may = name === 'tlm' ? length : special.reduce((sum, one) => sum + 1 - one, 0);
          const sum = hidden.data.subarray(i * width, (i + 1) * width).reduce((total, bit) => total + bit, 0);
          expect(share, name).toBe(Math.fround(sum / may));
        });
      }
      const none = { ...given, columns: { ...given.columns, length: { data: new Int32Array(3), shape: [3] } } };
      expect([...(await at(0, of(none).pipe(mask(bernoulli(), { share: true })))).columns.maskedShare.data]).toEqual([0, 0, 0]);
      const taken = { ...given, columns: { ...given.columns, maskedShare: { data: new Float32Array(3), shape: [3] } } };
      expect((await failure(of(taken).pipe(mask(bernoulli(), { share: true })))).message).toContain(
        'mask.maskedShare: the batch has a column maskedShare already',
      );
      expect((await at(0, of(taken).pipe(mask(bernoulli())))).columns.maskedShare).toBe(taken.columns.maskedShare);
      expect(() => mask(random(), { share: 1 as unknown as boolean })).toThrow('mask.share: must be true or false; got 1');
    });

    it('names a column that is missing or does not fit, and where it comes from', async () => {
      const given = text([1, 2]);
      const without = <K extends keyof TextColumns>(name: K) => {
        const { [name]: _, ...columns } = given.columns;
        return of({ ...given, columns }) as unknown as Observable<Batch<TextColumns>>;
      };
      expect((await failure(without('tags').pipe(mask(linguisticEntity())))).message).toBe(
        'mask.tags: linguisticEntity reads the column tags, and there is none (batch of samples 1, 2, epoch 0). It holds 1 = entity, 2 = verb, 4 = noun (added up) for each token, uint8: put a stage that tags words in front of mask. Columns: tokens, length, special, words, documents.',
      );
      const near: Mask = { recipe: recipe('tests', 'near'), reads: ['word'], hide: () => new Uint8Array(0) };
      expect((await failure(of(given).pipe(mask(near)))).message).toContain(
        'near reads the column word, and there is none (batch of samples 1, 2, epoch 0). Did you mean words? Columns:',
      );
      const odd = (name: string, column: unknown) => of({ ...given, columns: { ...given.columns, [name]: column } } as unknown as Batch<TextColumns>);
      expect((await failure(odd('words', { rows: 2, values: [[1], [2]] }).pipe(mask(wholeWord())))).message).toContain(
        'mask.words: wholeWord reads the column words, which must be a tensor of 2 rows; got "a carried column"',
      );
      expect((await failure(odd('words', { data: new Int32Array(2), shape: [2] }).pipe(mask(wholeWord())))).message).toMatch(
        /^mask\.words: the column words must be int32 with one number for each of the \d+ tokens; got "Int32Array of 1" \(sample 1, epoch 0\)\.$/u,
      );
      expect((await failure(odd('special', { data: new Uint8Array(2), shape: [2] }).pipe(mask(random())))).message).toContain(
        'mask.special: the column special must be uint8 with one number for each of the',
      );
      // Nothing is needed where every token may be a word.
      expect((await at(0, without('words').pipe(mask(wholeWord())))).columns.mask.data).toBeInstanceOf(Uint8Array);
      expect((await at(0, without('documents').pipe(mask(spans())))).columns.mask.data).toBeInstanceOf(Uint8Array);
    });

    it('refuses a rule that hides a special token, unless it says that it means to', async () => {
      const all: Mask = { recipe: recipe('tests', 'all'), hide: ({ grid }) => new Uint8Array(grid[0] as number).fill(1) };
      expect((await failure(of(text([1])).pipe(mask(all)))).message).toBe(
        'mask.rule: all hides token 0, which is special (sample 1, epoch 0). Pass over tokens whose tokens.special is 1, as every mask made by select(score) does, or set hidesSpecial: true if it is meant.',
      );
      expect((await at(0, of(text([1])).pipe(mask({ ...all, hidesSpecial: true })))).columns.mask.data[0]).toBe(1);
      const masked = await at(0, of(text([1, 2, 3])).pipe(mask(tlm({ ratio: 1 }))));
      for (const [i, bits] of trimmed(masked).entries()) expect(bits).toBe(`0${'1'.repeat(sentence(i + 1).length - 1)}`);
    });
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
