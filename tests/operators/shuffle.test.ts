import fc from 'fast-check';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Cursor } from '../../src/core/cursor.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { mapBounded } from '../../src/operators/flow/index.js';
import { keep } from '../../src/operators/keep.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { numbers, unseen } from '../core/numbers.js';
import { type S, collect, idsOf, rows } from './rows.js';

const upTo = (length: number): number[] => Array.from({ length }, (_, i) => i);
const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);

describe('shuffle of a source with random access', () => {
  it('the order depends on seed and epoch alone: not on batch size, prefetch, slow stages or the number of epochs', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1000),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (seed, length, size, prefetch, slow) => {
          const plain = (await collect(numbers(length).pipe(epochs(3), shuffle()), { seed })).map((x) => x.fields.n);
          const batched = await collect(
            numbers(length, { slow }).pipe(
              shuffle(),
              epochs(3),
              batch(size),
              mapBounded(async (b) => b),
            ),
            { seed, prefetch },
          );
          expect(batched.flatMap(idsOf)).toEqual(plain);
          expect((await collect(numbers(length).pipe(shuffle()), { seed })).map((x) => x.fields.n)).toEqual(plain.slice(0, length));
          for (let epoch = 0; epoch < 3; epoch++) expect(sorted(plain.slice(epoch * length, (epoch + 1) * length))).toEqual(upTo(length));
        },
      ),
      { numRuns: 25 },
    );
  });
  it('another seed and another epoch have another order; the same seed has the same', async () => {
    const of = async (seed: number): Promise<number[]> => (await collect(numbers(40).pipe(epochs(2), shuffle()), { seed })).map((x) => x.fields.n);
    const one = await of(1);
    expect(await of(1)).toEqual(one);
    expect(await of(2)).not.toEqual(one);
    expect(one.slice(40)).not.toEqual(one.slice(0, 40));
    expect(one.slice(0, 40)).not.toEqual(upTo(40));
  });
  it('reads every row once an epoch, and in the order served', async () => {
    const seen = unseen();
    const out = await collect(numbers(20, { seen }).pipe(shuffle()));
    expect(seen.read).toEqual(out.map((x) => x.fields.n));
  });
});

describe('shuffle of a streamed source', () => {
  const served = async (length: number, epochsOf: number, buffer: number, seed = 0, holes: readonly number[] = []): Promise<S[]> =>
    collect(rows(length, { holes }).pipe(epochs(epochsOf), shuffle({ buffer })), { seed });

  it('every epoch is a permutation, with any buffer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(30), fc.integer({ min: 1, max: 40 }), fc.nat(1000), async (length, buffer, seed) => {
        const out = await served(length, 2, buffer, seed);
        const ns = out.map((x) => x.fields.n);
        expect(sorted(ns.slice(0, length))).toEqual(upTo(length));
        expect(sorted(ns.slice(length))).toEqual(upTo(length));
        expect(out.map(({ origin }) => origin.position)).toEqual(upTo(2 * length));
        expect(out.every(({ fields, origin }) => fields.n === origin.id)).toBe(true);
        expect((await served(length, 2, buffer, seed)).map((x) => x.fields.n)).toEqual(ns);
      }),
      { numRuns: 40 },
    );
  });
  it('serves nothing earlier than the buffer allows; a buffer of 1 keeps the order', async () => {
    const out = await served(200, 1, 10);
    out.forEach(({ fields, origin }) => expect(fields.n).toBeLessThan(origin.position + 10));
    expect((await served(50, 1, 1)).map((x) => x.fields.n)).toEqual(upTo(50));
  });
  it('a buffer of all rows gives every order equally often', async () => {
    // Chi-square with 5 degrees of freedom over 1,200 seeds: P(> 35) ≈ 1.5·10^-6.
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 1200; seed++) {
      const order = (await served(3, 1, 100, seed)).map((x) => x.fields.n).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    expect([...counts.values()].reduce((sum, c) => sum + (c - 200) ** 2 / 200, 0)).toBeLessThan(35);
  });
  it('goes on from a cursor: the rest comes in the same order, settled ones are read but not served', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 8 }), fc.uniqueArray(fc.nat(23)), async (length, buffer, settled) => {
        const all = await served(length, 2, buffer, 5);
        const cursor = new Cursor();
        cursor.settle(settled.map((position) => ({ source: 0, id: 0, epoch: 0, position })));
        const rest = await collect(rows(length).pipe(epochs(2), shuffle({ buffer })), { seed: 5, cursor: new Cursor(JSON.parse(JSON.stringify(cursor))) });
        expect(rest).toEqual(all.filter(({ origin }) => !settled.includes(origin.position)));
      }),
      { numRuns: 60 },
    );
  });
  it('bad rows take a position and settle with the next good one', async () => {
    const cursor = new Cursor();
    const [first] = await collect(rows(4, { holes: [0, 1] }), { cursor });
    expect(first?.origin).toEqual({ source: 0, id: 2, epoch: 0, position: 2 });
    cursor.settle([(first as S).origin]);
    expect(cursor.toJSON()).toEqual({ sources: [{ next: 3, open: [] }] });
  });
});

describe('where shuffle may stand', () => {
  it('works through keep and map', async () => {
    const out = await collect(
      numbers(30).pipe(
        keep(({ fields }) => fields.n % 2 === 0),
        map((x) => x),
        shuffle(),
      ),
    );
    expect(sorted(out.map((x) => x.fields.n))).toEqual(upTo(15).map((i) => 2 * i));
    expect(out.map((x) => x.fields.n)).not.toEqual(upTo(15).map((i) => 2 * i));
  });
  it('refuses unknown options and buffers', () => {
    expect(() => shuffle({ bufer: 3 } as never)).toThrow('shuffle.bufer: there is no such option. Did you mean buffer?');
    expect(() => shuffle({ buffer: 0 })).toThrow('shuffle.buffer: must be an integer of at least 1; got 0.');
  });
});
