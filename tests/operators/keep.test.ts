import fc from 'fast-check';
import { type Observable, filter, groupBy, mergeMap, tap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/core/batch.js';
import { Cursor, type CursorState } from '../../src/core/cursor.js';
import { Gate, within } from '../../src/core/demand/index.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { mapBounded } from '../../src/operators/flow/index.js';
import { keep, originsOf } from '../../src/operators/keep.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { type Seen, numbers, unseen } from '../core/numbers.js';
import { type S, collect, idsOf, rows } from './rows.js';

describe('keep', () => {
  it('lets through what filter does, samples or batches', async () => {
    const odd = (x: S): boolean => x.fields.n % 2 === 1;
    expect(await collect(numbers(20).pipe(keep(odd)))).toEqual(await collect(numbers(20).pipe(filter(odd))));
    expect(
      (
        await collect(
          numbers(7).pipe(
            batch(3),
            keep((b) => b.rows === 3),
          ),
        )
      ).map(idsOf),
    ).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });
  it('asks its predicate once an item', async () => {
    const asked: number[] = [];
    await collect(numbers(5).pipe(keep((x) => asked.push(x.fields.n) > 0)));
    expect(asked).toEqual([0, 1, 2, 3, 4]);
  });
  it('what it drops settles with the next item that it kept', async () => {
    const gate = new Gate();
    const out = await collect(numbers(10).pipe(keep((x) => x.fields.n % 4 === 3)), gate);
    expect(out.map((x) => x.fields.n)).toEqual([3, 7]);
    gate.cursor.settle([(out[1] as S).origin]);
    expect(gate.cursor.toJSON()).toEqual({ sources: [{ next: 8, open: [[0, 4]] }] });
    gate.cursor.settle([(out[0] as S).origin]);
    expect(gate.cursor.toJSON()).toEqual({ sources: [{ next: 8, open: [] }] });
  });
  it('two of them in a row hand on what the first dropped, dropped batches too', async () => {
    const gate = new Gate();
    const out = await collect(
      numbers(12).pipe(
        keep((x) => x.fields.n % 2 === 1),
        keep((x) => x.fields.n !== 1, { name: 'second' }),
        batch(2),
        keep((b) => idsOf(b).includes(9), { name: 'third' }),
      ),
      gate,
    );
    expect(out.map(idsOf)).toEqual([[7, 9]]);
    gate.cursor.settle(out.flatMap((b) => b.origins));
    expect(gate.cursor.toJSON()).toEqual({ sources: [{ next: 10, open: [] }] });
  });
  it('tells the origins of samples and batches, and refuses unknown options', () => {
    const origin: Origin = { source: 0, id: 1, epoch: 0, position: 1 };
    expect(originsOf({ origin })).toEqual([origin]);
    expect(originsOf({ origins: [origin, origin] })).toEqual([origin, origin]);
    expect(() => keep(() => true, { nmae: 'x' } as never)).toThrow('keep.nmae: there is no such option. Did you mean name?');
  });
});

// Exact resume at the level of demand: after any number of settled batches, what is served from the cursor is what would
// have been served.
interface Recipe {
  readonly length: number;
  readonly epochs: number;
  readonly groups: number;
  readonly size: number;
  readonly seed: number;
  readonly dropper: 'keep' | 'filter';
  readonly last: 'keep' | 'drop' | 'pad';
  readonly crossEpochs: boolean;
  readonly streamed: boolean;
}
/** Drops 30 % of the samples, the same ones every epoch; the rest go into groups of their own size. */
const dropped = (n: number): boolean => (n * 7) % 10 < 3;
const groupOf = (n: number, groups: number): number => ((n * n) >> 2) % groups;

function chain(r: Recipe, seen: Seen = unseen()): Observable<{ readonly origins: readonly Origin[] }> {
  const drop = r.dropper === 'keep' ? keep<S>((x) => !dropped(x.fields.n)) : filter<S>((x) => !dropped(x.fields.n));
  const source = r.streamed ? rows(r.length, { seen }) : numbers(r.length, { seen });
  const grouped = source.pipe(
    epochs(r.epochs),
    shuffle({ buffer: 5 }),
    drop,
    groupBy((x) => groupOf(x.fields.n, r.groups)),
  );
  return grouped.pipe(mergeMap((group) => group.pipe(batch(r.size, { last: r.last as 'keep', crossEpochs: r.crossEpochs }))));
}

type Position = readonly [epoch: number, id: number];
const positions = (b: { readonly origins: readonly Origin[] }): Position[] => b.origins.map(({ epoch, id }) => [epoch, id] as const);

/** Runs until `settled` batches are settled, then is cut off; batches that were read ahead are lost with it. */
async function cutOff(r: Recipe, settled: number, prefetch: number, state?: CursorState): Promise<{ batches: Position[][]; state: CursorState }> {
  const gate = new Gate({ seed: r.seed, prefetch, cursor: new Cursor(state) });
  const batches: Position[][] = [];
  await new Promise<void>((resolve, reject) => {
    const subscription = within({ gate }, () =>
      chain(r)
        .pipe(
          mapBounded(
            async (b) => {
              await null;
              return b;
            },
            { name: 'step' },
          ),
        )
        .subscribe({
          next(b) {
            if (batches.length === settled) return;
            gate.cursor.settle(b.origins);
            batches.push(positions(b));
            if (batches.length === settled)
              setTimeout(() => {
                subscription.unsubscribe();
                resolve();
              });
          },
          error: reject,
          complete: resolve,
        }),
    );
    if (settled === 0)
      setTimeout(() => {
        subscription.unsubscribe();
        resolve();
      });
  });
  const cursor = JSON.parse(JSON.stringify(gate.cursor)) as CursorState;
  await gate.closed();
  return { batches, state: cursor };
}
const rest = async (r: Recipe, state: CursorState, seen?: Seen): Promise<Position[][]> =>
  (await collect(chain(r, seen), { seed: r.seed, cursor: new Cursor(state) })).map(positions);

const recipes = fc.record<Recipe>({
  length: fc.integer({ min: 1, max: 40 }),
  epochs: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 3 }),
  size: fc.constantFrom(7, 1, 3),
  seed: fc.nat(1000),
  dropper: fc.constantFrom('keep', 'filter'),
  last: fc.constantFrom('keep', 'drop', 'pad'),
  crossEpochs: fc.boolean(),
  streamed: fc.boolean(),
});

describe('exact resume behind 30 % dropped samples, groupBy and batch(7)', () => {
  it('for every number of settled batches the continued run serves the rest of the uninterrupted one', async () => {
    await fc.assert(
      fc.asyncProperty(recipes, fc.integer({ min: 1, max: 4 }), async (r, prefetch) => {
        const whole = await rest(r, { sources: [] });
        for (let k = 0; k <= whole.length; k++) {
          const { batches, state } = await cutOff(r, k, prefetch);
          expect(batches).toEqual(whole.slice(0, k));
          expect(await rest(r, state)).toEqual(whole.slice(k));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('cut off again and again, one run from start to end', async () => {
    await fc.assert(
      fc.asyncProperty(recipes, fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 }), async (r, legs) => {
        const whole = await rest(r, { sources: [] });
        let state: CursorState = { sources: [] };
        const served: Position[][] = [];
        for (const leg of legs) {
          const next = await cutOff(r, leg, 2, state);
          served.push(...next.batches);
          state = next.state;
        }
        served.push(...(await rest(r, state)));
        expect(served).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });

  it('with keep the source reads what is open and nothing else; with filter, what was dropped once more', async () => {
    const r: Recipe = { length: 60, epochs: 2, groups: 3, size: 7, seed: 1, dropper: 'keep', last: 'drop', crossEpochs: false, streamed: false };
    const order = (await collect(numbers(r.length).pipe(epochs(r.epochs), shuffle()), { seed: r.seed })).map(({ origin }) => origin);
    const whole = await collect(chain(r), { seed: r.seed });
    expect(whole.length).toBeGreaterThan(6);
    for (let k = 0; k < whole.length; k++) {
      // By hand: used = in one of the first k batches; a dropped position is closed once the next kept one is.
      const used = new Set(whole.slice(0, k).flatMap(({ origins }) => origins.map(({ position }) => position)));
      const nextEnd = Math.max(...(whole[k]?.origins ?? []).map(({ position }) => position));
      let needed = 0;
      let carrier = -1;
      for (let position = order.length - 1; position >= 0; position--) {
        if (!dropped((order[position] as Origin).id)) carrier = position;
        if (position <= nextEnd && !used.has(carrier)) needed++;
      }
      for (const dropper of ['keep', 'filter'] as const) {
        const { state } = await cutOff({ ...r, dropper }, k, 2);
        const seen = unseen();
        let read = -1;
        await collect(
          chain({ ...r, dropper }, seen).pipe(
            tap(() => {
              if (read < 0) read = seen.read.length;
            }),
          ),
          { seed: r.seed, cursor: new Cursor(state) },
        );
        // Short batches that were dropped at the end of epoch 0 close with the next batch of their group, so a few may be read again.
        if (dropper === 'keep') expect(read).toBeLessThanOrEqual(needed);
        else expect(read).toBeGreaterThanOrEqual(Math.min(needed, read));
        if (dropper === 'keep') expect(read).toBeLessThan(order.length / 2);
      }
    }
  });
});
