import fc from 'fast-check';
import { NEVER, type Observable, from, lastValueFrom, of, tap, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Batch, Origin } from '../../../src/core/batch.js';
import { Gate, within } from '../../../src/core/demand/index.js';
import { MaskflowError } from '../../../src/core/errors.js';
import { rootKey } from '../../../src/core/key.js';
import {
  type CorruptOptions,
  corrupt,
  countBased,
  drawOutcomes,
  labels,
  labelsOf,
  mask,
  outcomes,
  replaceWithMask,
  replaceWithRandom,
  replaceWithValue,
} from '../../../src/operators/index.js';
import type { Bytes, Floats, Integers } from '../../../src/operators/stages.js';
import { letters } from '../text/letters.js';

type Masked = Batch<{ tokens: Integers; mask: Bytes }>;
const vocabulary = 50;
const maskId = 4;
const origin = (id: number, epoch = 0): Origin => ({ source: 0, id, epoch, position: id });
const at = <T>(seed: number, chain: Observable<T>): Promise<T> => within({ gate: new Gate({ seed }) }, () => lastValueFrom(chain));
const idOf = (id: number, i: number): number => 5 + ((id * 31 + i * 17) % (vocabulary - 5));
const bitOf = (id: number, i: number): number => (((id + 3) * (i + 5) * 2654435761) >>> 13) & 1;

/** Rows of the samples `ids`, 20 + id % 7 tokens long, about half of them hidden, padded to `width` with id 0. */
function masked(ids: readonly number[], width = 30): Masked {
  const cell = (of: (id: number, i: number) => number, pad: number) =>
    ids.flatMap((id) => Array.from({ length: width }, (_, i) => (i < 20 + (id % 7) ? of(id, i) : pad)));
  return {
    rows: ids.length,
    origins: ids.map((id) => origin(id)),
    program: undefined,
    columns: {
      tokens: { data: Int32Array.from(cell(idOf, 0)), shape: [ids.length, width] },
      mask: { data: Uint8Array.from(cell(bitOf, 0)), shape: [ids.length, width] },
    },
  };
}
const rowsOf = ({ data, shape: [rows = 0, width = 0] }: { data: Int32Array | Uint8Array; shape: readonly number[] }): number[][] =>
  Array.from({ length: rows }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]);

async function failure(chain: Observable<unknown>): Promise<string> {
  try {
    await lastValueFrom(chain);
  } catch (error) {
    expect(error).toBeInstanceOf(MaskflowError);
    return (error as MaskflowError).message;
  }
  throw new Error('nothing failed');
}

describe('labels', () => {
  it('are the ids of hidden tokens, and the ignored value elsewhere', async () => {
    expect([...labelsOf(Int32Array.of(5, 6, 7), Uint8Array.of(0, 1, 0))]).toEqual([-100, 6, -100]);
    const given = masked([1, 2]);
    const made = (await at(0, of(given).pipe(labels({ ignore: -1 })))).columns;
    expect(made.labels).toEqual({ data: labelsOf(given.columns.tokens.data, given.columns.mask.data, -1), shape: [2, 30] });
    expect(made.tokens).toBe(given.columns.tokens);
  });

  it('can have another name', async () => {
    const made = (await at(0, of(masked([1])).pipe(labels({ as: 'target' })))).columns;
    expect(made.target.data).toBeInstanceOf(Int32Array);
    expect(made).not.toHaveProperty('labels');
  });
});

describe('replaceWithMask', () => {
  it('puts the mask id in place of every hidden id', async () => {
    const given = masked([1, 2, 3]);
    const { inputs, tokens } = (await at(0, of(given).pipe(replaceWithMask({ maskId })))).columns;
    expect([...inputs.data]).toEqual(Array.from(tokens.data, (id, i) => (given.columns.mask.data[i] === 1 ? maskId : id)));
    expect(tokens.data).toEqual(masked([1, 2, 3]).columns.tokens.data);
  });
});

describe('replaceWithRandom', () => {
  it('changes hidden ids only, to ids of the vocabulary', async () => {
    const given = masked(Array.from({ length: 40 }, (_, id) => id));
    const { inputs } = (await at(0, of(given).pipe(replaceWithRandom({ vocabulary })))).columns;
    const seen = new Set<number>();
    inputs.data.forEach((id, i) => {
      if (given.columns.mask.data[i] === 0) expect(id).toBe(given.columns.tokens.data[i]);
      else seen.add(id);
    });
    for (const id of seen) expect(id >= 0 && id < vocabulary).toBe(true);
    // Special ids (below 5) come too. Some 430 draws: the probability that none of the five is drawn is 0.9^430 = 2e-20.
    expect([...seen].some((id) => id < 5)).toBe(true);
    expect(seen.size).toBeGreaterThan(40);
  });

  it('draws ids by their counts, never one of count 0', async () => {
    const counts = [0, 0, 3, 0, 0, 1, 0];
    const { inputs, mask: hidden } = (await at(0, of(masked([1, 2, 3, 4])).pipe(replaceWithRandom({ vocabulary: 7, counts })))).columns;
    const drawn = [...inputs.data].filter((_, i) => hidden.data[i] === 1);
    expect(new Set(drawn)).toEqual(new Set([2, 5]));
    expect(drawn.filter((id) => id === 2).length).toBeGreaterThan(drawn.filter((id) => id === 5).length);
  });
});

describe('outcomes', () => {
  it('are 0 where nothing is hidden, else mask, random or kept', async () => {
    const given = masked([1, 2, 3]);
    const { outcome } = (await at(0, of(given).pipe(outcomes()))).columns;
    expect(outcome.shape).toEqual([3, 30]);
    outcome.data.forEach((code, i) => {
      if (given.columns.mask.data[i] === 0) expect(code).toBe(0);
      else expect([1, 2, 3]).toContain(code);
    });
    const codes = async (shares: { mask: number; random: number }): Promise<Set<number>> =>
      new Set((await at(0, of(given).pipe(outcomes(shares)))).columns.outcome.data);
    expect(await codes({ mask: 1, random: 0 })).toEqual(new Set([0, 1]));
    expect(await codes({ mask: 0, random: 1 })).toEqual(new Set([0, 2]));
    expect(await codes({ mask: 0, random: 0 })).toEqual(new Set([0, 3]));
    expect(await codes({ mask: 0.5, random: 0.5 })).toEqual(new Set([0, 1, 2]));
  });

  it('are one a span where asked, and spans are runs: touching intervals are one (card: [2,4], [5,6], [9,9])', () => {
    const hidden = new Uint8Array(12);
    for (const i of [2, 3, 4, 5, 6, 9]) hidden[i] = 1;
    const shares = { mask: 0.4, random: 0.3, unit: 'span' } as const;
    let different = 0;
    for (let seed = 0; seed < 100; seed++) {
      const codes = drawOutcomes(new Uint8Array(12), hidden, shares, rootKey(seed));
      expect(new Set(codes.subarray(2, 7)).size).toBe(1);
      if (codes[2] !== codes[9]) different++;
      expect([codes[0], codes[7], codes[8], codes[11]]).toEqual([0, 0, 0, 0]);
    }
    expect(different).toBeGreaterThan(30);
    // Another document begins at token 5: two spans.
    const documents = Int32Array.from({ length: 12 }, (_, i) => (i < 5 ? 0 : 1));
    let apart = 0;
    for (let seed = 0; seed < 100; seed++) {
      const codes = drawOutcomes(new Uint8Array(12), hidden, shares, rootKey(seed), documents);
      expect([codes[2], codes[5]]).toEqual([codes[4], codes[6]]);
      if (codes[4] !== codes[5]) apart++;
    }
    expect(apart).toBeGreaterThan(30);
  });
});

describe('the parts in a chain', () => {
  it('share out the hidden tokens by their outcome, each into a column of its own', async () => {
    const given = masked(Array.from({ length: 30 }, (_, id) => id));
    const made = (
      await at(
        5,
        of(given).pipe(
          outcomes({ mask: 0.5, random: 0.3 }),
          replaceWithMask({ maskId, as: 'partly' }),
          replaceWithRandom({ vocabulary, column: 'partly' }),
          labels(),
        ),
      )
    ).columns;
    let changed = 0;
    made.outcome.data.forEach((code, i) => {
      const [id, input, label] = [made.tokens.data[i], made.inputs.data[i], made.labels.data[i]];
      if (code === 1) expect(input).toBe(maskId);
      if (code === 0 || code === 3) expect(input).toBe(id);
      if (code === 2 && input !== id) changed++;
      expect(label).toBe(code === 0 ? -100 : id);
    });
    expect(changed).toBeGreaterThan(60);
  });
});

describe('corrupt', () => {
  it('labels every hidden token and no other, and leaves what is not hidden', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat({ max: 999 }), { minLength: 1, maxLength: 8 }), fc.nat(), async (ids, seed) => {
        const given = masked(ids);
        const { inputs, labels: targets, tokens, mask: hidden } = (await at(seed, of(given).pipe(corrupt({ maskId, vocabulary })))).columns;
        expect(inputs.shape).toEqual(tokens.shape);
        expect(targets.shape).toEqual(tokens.shape);
        expect(tokens.data).toEqual(masked(ids).columns.tokens.data);
        for (let i = 0; i < tokens.data.length; i++) {
          expect(targets.data[i]).toBe(hidden.data[i] === 1 ? tokens.data[i] : -100);
          if (hidden.data[i] === 0) expect(inputs.data[i]).toBe(tokens.data[i]);
          expect(inputs.data[i]).toBeLessThan(vocabulary);
          expect(inputs.data[i]).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('gives a sample the same inputs in any batch, in any order, however it is padded', async () => {
    const ids = Array.from({ length: 24 }, (_, id) => id);
    for (const options of [
      { maskId, vocabulary },
      { maskId, vocabulary, unit: 'span', mask: 0.3, random: 0.4, counts: ids.concat(new Array(26).fill(1)) },
    ] as const) {
      const trimmed = ({ columns, origins }: Batch<{ inputs: Integers }>): string[] =>
        rowsOf(columns.inputs).map((list, i) => list.slice(0, 20 + ((origins[i] as Origin).id % 7)).join());
      const alone: string[] = [];
      for (const id of ids) alone.push(...trimmed(await at(7, of(masked([id])).pipe(corrupt(options)))));
      const backwards = [...ids].reverse();
      expect(trimmed(await at(7, of(masked(backwards, 64)).pipe(corrupt(options))))).toEqual(backwards.map((id) => alone[id]));
      const pieces = await at(7, from([0, 7, 14].map((first) => masked(ids.slice(first, first === 14 ? 24 : first + 7)))).pipe(corrupt(options), toArray()));
      expect(pieces.flatMap(trimmed)).toEqual(alone);
      expect(trimmed(await at(8, of(masked(ids)).pipe(corrupt(options))))).not.toEqual(alone);
      expect(trimmed(await at(7, of(masked(ids)).pipe(corrupt({ ...options, name: 'other' }))))).not.toEqual(alone);
    }
  });

  it('is the chain of its parts, with draws of its own', async () => {
    const given = masked([1, 2, 3]);
    const all = (await at(0, of(given).pipe(corrupt({ maskId, vocabulary, mask: 1, random: 0 })))).columns;
    const parts = (await at(0, of(given).pipe(replaceWithMask({ maskId }), labels()))).columns;
    expect([all.inputs, all.labels]).toEqual([parts.inputs, parts.labels]);
    const kept = (await at(0, of(given).pipe(corrupt({ maskId, vocabulary, mask: 0, random: 0 })))).columns;
    expect(kept.inputs.data).toEqual(given.columns.tokens.data);
  });

  it('repeats after so many epochs with copies, with the mask', async () => {
    const made = async (epoch: number, copies?: number): Promise<string> => {
      const given = { ...masked([9]), origins: [origin(9, epoch)] };
      const { mask: _, ...columns } = given.columns;
      const option = copies === undefined ? {} : { copies };
      const chain = of({ ...given, columns }).pipe(mask(countBased({ ratio: 0.5 }), option), corrupt({ maskId, vocabulary, ...option }));
      return (await at(0, chain)).columns.inputs.data.join();
    };
    expect(await made(3, 2)).toBe(await made(1));
    expect(await made(2, 2)).toBe(await made(0));
    expect(new Set([await made(0), await made(1), await made(2), await made(3)]).size).toBe(4);
  });

  it('corrupts a grid of ids as well, and a batch of no rows', async () => {
    const given: Batch<{ tokens: Integers }> = {
      rows: 1,
      columns: { tokens: { data: new Int32Array(16).fill(9), shape: [1, 16] } },
      origins: [origin(1)],
      grid: [4, 4],
      program: undefined,
    };
    const { inputs, mask: hidden } = (await at(0, of(given).pipe(mask(countBased({ ratio: 0.5 })), corrupt({ maskId, vocabulary, mask: 1, random: 0 }))))
      .columns;
    expect([inputs.shape, hidden.shape]).toEqual([
      [1, 16],
      [1, 4, 4],
    ]);
    expect([...inputs.data]).toEqual(Array.from(hidden.data, (bit) => (bit === 1 ? maskId : 9)));
    expect((await at(0, of(masked([])).pipe(corrupt({ maskId, vocabulary })))).columns.inputs).toEqual({ data: new Int32Array(0), shape: [0, 30] });
  });

  it('keeps the columns typed', () => {
    from([masked([1])]).pipe(
      corrupt({ maskId, vocabulary }),
      tap(({ columns }) => {
        const inputs: Int32Array = columns.inputs.data;
        const targets: Int32Array = columns.labels.data;
        return [inputs, targets];
      }),
    );
    const unmasked: Observable<Batch<{ tokens: Integers }>> = from([]);
    // @ts-expect-error nothing is hidden yet
    unmasked.pipe(corrupt({ maskId, vocabulary }));
    const frames: Observable<Batch<{ tokens: Floats; mask: Bytes }>> = from([]);
    // @ts-expect-error numbers are no ids
    frames.pipe(corrupt({ maskId, vocabulary }));
  });

  it('says what is wrong', async () => {
    const base = { maskId, vocabulary };
    expect(() => corrupt({ ...base, maskId: 50 })).toThrow('corrupt.maskId: must be below the vocabulary of 50 ids; got 50');
    expect(() => corrupt({ ...base, maskId: -1 })).toThrow('corrupt.maskId: must be an integer of at least 0; got -1');
    expect(() => corrupt({ ...base, vocabulary: 0 })).toThrow('corrupt.vocabulary: must be an integer of at least 1; got 0');
    expect(() => corrupt({ ...base, vocabulary: 2 ** 22 })).toThrow('corrupt.vocabulary: must be at most 2097152');
    expect(() => corrupt({ ...base, mask: 1.1 })).toThrow('corrupt.mask: must lie in [0, 1]; got 1.1');
    expect(() => corrupt({ ...base, mask: 0.8, random: 0.3 })).toThrow('corrupt.random: must be at most 1 − mask');
    expect(() => corrupt({ ...base, unit: 'word' as 'span' })).toThrow("corrupt.unit: must be 'token' or 'span'; got \"word\"");
    expect(() => corrupt({ ...base, ignore: 0 })).toThrow('corrupt.ignore: must be a negative integer; got 0. Ids count from 0');
    expect(() => corrupt({ ...base, copies: 0.5 })).toThrow('corrupt.copies: must be an integer of at least 1; got 0.5');
    expect(() => corrupt({ ...base, counts: [1, 2] })).toThrow('corrupt.counts: must have one number for each of the 50 ids of the vocabulary; got 2');
    expect(() => corrupt({ ...base, maskid: 3 } as never)).toThrow('corrupt.maskid: there is no such option. Did you mean maskId?');
    const given = masked([4]);
    const odd = (columns: object) => of({ ...given, columns } as unknown as Masked);
    const { tokens, mask: hidden } = given.columns;
    expect(await failure(odd({ tokens }).pipe(corrupt(base)))).toBe(
      'corrupt.mask: there is no column mask; got ["tokens"] (batch of samples 4, epoch 0). Put mask(countBased()) in front.',
    );
    expect(await failure(odd({ mask: hidden }).pipe(corrupt(base)))).toContain('corrupt.tokens: there is no column tokens; got ["mask"]');
    expect(await failure(odd({ mask: hidden, tokens: { data: new Float32Array(30), shape: [1, 30] } }).pipe(corrupt(base)))).toContain(
      'corrupt.tokens: the column tokens must be int32 ids, one for each of the 30 tokens of a row; got "Float32Array [1, 30]" (batch of samples 4, epoch 0). For tokens that are no ids take replaceWithValue.',
    );
    expect(await failure(odd({ tokens, mask: { data: new Float32Array(30), shape: [1, 30] } }).pipe(corrupt(base)))).toContain(
      'corrupt.mask: must be uint8 [1, …grid]; got "Float32Array [1, 30]"',
    );
    expect(await failure(odd({ tokens, mask: hidden, labels: tokens }).pipe(corrupt(base)))).toContain(
      'corrupt.labels: the batch has a column labels already, and a stage never replaces what it does not own',
    );
    expect(await failure(odd({ tokens, mask: hidden, documents: hidden }).pipe(corrupt({ ...base, unit: 'span' })))).toContain(
      'corrupt.documents: the column documents must be int32, one number for each token; got "Uint8Array [1, 30]"',
    );
    expect(await failure(odd({ tokens, mask: hidden, outcome: tokens }).pipe(replaceWithMask({ maskId })))).toContain(
      'replaceWithMask.outcome: the column outcome must be uint8, one number for each token',
    );
    expect(await failure(odd({ tokens, mask: hidden, outcome: hidden }).pipe(outcomes()))).toContain(
      'outcomes.outcome: the batch has a column outcome already',
    );
    expect(await failure(odd({ tokens, mask: hidden, inputs: tokens }).pipe(replaceWithMask({ maskId })))).toContain('has a column inputs already');
    expect(await failure(odd({ tokens, mask: hidden }).pipe(labels({ column: 'token' as 'tokens' })))).toContain(
      'labels.token: there is no column token; got ["tokens","mask"] (batch of samples 4, epoch 0). Did you mean tokens?',
    );
    expect(() => replaceWithMask({ maskId: 0.5 })).toThrow('replaceWithMask.maskId: must be an integer of at least 0; got 0.5');
    expect(() => replaceWithRandom({ vocabulary: 3, counts: [0, 0, 0] })).toThrow('replaceWithRandom.counts: must not all be 0');
  });

  describe('by a tokenizer', () => {
    const words = letters();
    const many = masked(Array.from({ length: 400 }, (_, i) => i));
    const letter = { ...many, columns: { ...many.columns, tokens: { ...many.columns.tokens, data: many.columns.tokens.data.map((id) => id % 31) } } };
    const drawn = async (options: Partial<CorruptOptions>): Promise<number[]> => {
      const { inputs } = (await at(1, of(letter).pipe(corrupt({ mask: 0, random: 1, ...options } as CorruptOptions)))).columns;
      return [...inputs.data].filter((_, i) => letter.columns.mask.data[i] === 1);
    };

    it('masks by its mask id and draws no special id', async () => {
      const { inputs } = (await at(1, of(letter).pipe(corrupt({ tokenizer: words, mask: 1, random: 0 })))).columns;
      expect([...inputs.data].every((id, i) => id === (letter.columns.mask.data[i] === 1 ? 4 : letter.columns.tokens.data[i]))).toBe(true);
      const [own, byHand] = [await drawn({ tokenizer: words }), await drawn({ maskId: 4, vocabulary: 31 })];
      const seen = (ids: number[]): number[] => [...new Set(ids)].sort((a, b) => a - b);
      // Some 5,000 draws: an id that may come and does not has a chance of 31 e^-160.
      expect(seen(byHand)).toEqual(Array.from({ length: 31 }, (_, id) => id));
      expect(seen(own)).toEqual([1, ...Array.from({ length: 26 }, (_, id) => id + 5)]);
      // Uniform over 27 ids: χ² of 26 degrees is above 66 once in 25,000 seeds.
      const each = own.length / 27;
      const chi = seen(own).reduce((sum, id) => sum + (own.filter((other) => other === id).length - each) ** 2 / each, 0);
      expect(chi).toBeLessThan(66);
    });

    it('draws by frequency among tokens of text, and is otherwise the same corruption', async () => {
      const counts = Array.from({ length: 31 }, (_, id) => (id < 5 ? 1000 : id === 6 ? 3 : id === 7 ? 1 : 0));
      counts[1] = 0;
      const own = await drawn({ tokenizer: words, counts });
      expect(new Set(own)).toEqual(new Set([6, 7]));
      // 3 of 4 of some 5,000 draws: one standard deviation is 0.0061; five of them.
      expect(Math.abs(own.filter((id) => id === 6).length / own.length - 0.75)).toBeLessThan(0.031);
      const [a, b] = [corrupt({ tokenizer: words, random: 0 }), corrupt({ maskId: 4, vocabulary: 31, random: 0 })];
      expect((await at(2, of(letter).pipe(a))).columns.inputs).toEqual((await at(2, of(letter).pipe(b))).columns.inputs);
    });

    it('says what does not fit', () => {
      expect(() => corrupt({ tokenizer: words, maskId: 4 } as never)).toThrow('corrupt.maskId: is that of the tokenizer and cannot be given beside it; got 4');
      expect(() => corrupt({ tokenizer: {} } as never)).toThrow('corrupt.tokenizer: must be a tokenizer');
      expect(() => corrupt({ tokenizer: { ...words, special: new Uint8Array(31).fill(1) } })).toThrow('corrupt.tokenizer: must have ids that are not special');
      expect(() => corrupt({ tokenizer: words, counts: [1, 2] })).toThrow(
        'corrupt.counts: must have one number for each of the 31 ids of the vocabulary; got 2',
      );
      expect(() => corrupt({ tokenizer: words, counts: Array.from({ length: 31 }, (_, id) => (id === 0 ? 1 : 0)) })).toThrow(
        'corrupt.counts: must not all be 0',
      );
      expect(() => corrupt({ tokenzer: words } as never)).toThrow('Did you mean tokenizer?');
    });
  });

  it('carries its recipe, and its parts theirs; counts stand in it as number and digest', () => {
    const recipes = (chain: Observable<unknown>): unknown[] => {
      const gate = new Gate({ seed: 0 });
      const subscription = within({ gate }, () => chain.subscribe());
      const made = [...gate.places].map(({ recipe: { module, name, options } }) => [module, name, options]);
      subscription.unsubscribe();
      return made;
    };
    const none: Observable<Masked> = NEVER;
    const counts = { ids: 50, digest: expect.stringMatching(/^[0-9a-f]{16}$/u) };
    expect(recipes(none.pipe(corrupt({ maskId, vocabulary, counts: new Array(50).fill(1), copies: 10 })))).toEqual([
      ['maskflow/operators', 'corrupt', { maskId, vocabulary, counts, mask: 0.8, random: 0.1, unit: 'token', ignore: -100, copies: 10 }],
    ]);
    expect(recipes(none.pipe(corrupt({ tokenizer: letters() })))).toEqual([
      ['maskflow/operators', 'corrupt', { tokenizer: letters().recipe, mask: 0.8, random: 0.1, unit: 'token', ignore: -100, copies: Infinity }],
    ]);
    const parts = none.pipe(outcomes(), replaceWithMask({ maskId, as: 'partly' }), replaceWithRandom({ vocabulary, column: 'partly' }), labels());
    expect(recipes(parts).reverse()).toEqual([
      ['maskflow/operators', 'outcomes', { mask: 0.8, random: 0.1, unit: 'token', copies: Infinity }],
      ['maskflow/operators', 'replaceWithMask', { maskId, column: 'tokens', as: 'partly' }],
      ['maskflow/operators', 'replaceWithRandom', { vocabulary, column: 'partly', as: 'inputs', copies: Infinity }],
      ['maskflow/operators', 'labels', { ignore: -100, column: 'tokens', as: 'labels' }],
    ]);
  });
});

describe('replaceWithValue', () => {
  const frames: Batch<{ tokens: Floats; mask: Bytes }> = {
    rows: 2,
    columns: {
      tokens: { data: Float32Array.from({ length: 12 }, (_, i) => i + 1), shape: [2, 3, 2] },
      mask: { data: Uint8Array.of(0, 1, 0, 1, 0, 1), shape: [2, 3] },
    },
    origins: [origin(0), origin(1)],
    program: undefined,
  };

  it('puts one value in place of all numbers of hidden tokens', async () => {
    const { inputs, tokens } = (await at(0, of(frames).pipe(replaceWithValue({ value: -1 })))).columns;
    expect([...inputs.data]).toEqual([1, 2, -1, -1, 5, 6, -1, -1, 9, 10, -1, -1]);
    expect(inputs.shape).toEqual([2, 3, 2]);
    expect(tokens.data[2]).toBe(3);
    const flat = { ...frames, columns: { ...frames.columns, tokens: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] } } };
    expect([...(await at(0, of(flat).pipe(replaceWithValue()))).columns.inputs.data]).toEqual([1, 0, 3, 0, 5, 0]);
  });

  it('says what is wrong', async () => {
    expect(() => replaceWithValue({ value: Number.NaN })).toThrow('replaceWithValue.value: must be a finite number; got NaN');
    expect(await failure(of(masked([1]) as unknown as typeof frames).pipe(replaceWithValue()))).toContain(
      'replaceWithValue.tokens: the column tokens must be float32 [1, 30, …]; got "Int32Array [1, 30]" (batch of samples 1, epoch 0). For ids take replaceWithMask.',
    );
    const short = { ...frames, columns: { ...frames.columns, tokens: { data: new Float32Array(7), shape: [7] } } };
    expect(await failure(of(short).pipe(replaceWithValue()))).toContain('must be float32 [2, 3, …]; got "Float32Array [7]"');
  });
});
