import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import {
  type Observable,
  type OperatorFunction,
  bufferCount,
  concat,
  concatMap,
  delay,
  expand,
  EMPTY,
  filter,
  from,
  groupBy,
  lastValueFrom,
  map,
  merge,
  mergeMap,
  of,
  partition,
  scan,
  share,
  take,
  tap,
  toArray,
  zip,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/core/batch.js';
import { Gate, type GateOptions, bounded, enterRun, nothing, within } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { bufferBounded, mapBounded, mergeMapBounded, zipBounded } from '../../src/operators/flow/index.js';
import { keep } from '../../src/operators/keep.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { numbers, unseen } from './numbers.js';

type S = Sample<{ n: number }>;
const n = (sample: S): number => sample.fields.n;
const rising = (xs: readonly number[]): boolean => xs.every((x, i) => i === 0 || x > (xs[i - 1] as number));
/** Subscribes at a gate of its own, as a run does. */
async function collect<T>(gate: Gate, chain: Observable<T>): Promise<T[]> {
  const result = await new Promise<T[]>((resolve, reject) => {
    const items: T[] = [];
    within({ gate }, () => chain.subscribe({ next: (item) => items.push(item), error: reject, complete: () => resolve(items) }));
  });
  await gate.closed();
  return result;
}
const gate = (options: GateOptions = {}): Gate => new Gate(options);
/** A slow stage that holds batches; counts how many are in it or wait for it. */
function slow<T>(ms = 0, options: { quiet?: boolean; name?: string } = {}): OperatorFunction<T, T> {
  return mapBounded<T, T>(async (item) => {
    await sleep(ms);
    return item;
  }, options);
}

describe('order and bound through plain RxJS operators', () => {
  const cases: [string, (s: Observable<S>) => Observable<unknown>, (out: unknown[]) => boolean, number?][] = [
    ['slow sink', (s) => s.pipe(map(n), slow()), (out) => rising(out as number[]) && out.length === 200],
    [
      'filter, map, tap, slow sink',
      (s) =>
        s.pipe(
          map(n),
          filter((x) => x % 10 === 0),
          tap(() => {}),
          map((x) => x * 2),
          slow(),
        ),
      (out) => rising(out as number[]) && out.length === 20,
    ],
    [
      'scan',
      (s) =>
        s.pipe(
          map(n),
          scan((a, x) => a + x, 0),
          slow(),
        ),
      (out) => out.at(-1) === (199 * 200) / 2,
    ],
    ['take', (s) => s.pipe(map(n), slow(), take(7)), (out) => out.length === 7],
    [
      'share + zip of branches',
      (s) => {
        const h = s.pipe(map(n), share());
        return zip(h.pipe(slow(1, { name: 'a' })), h.pipe(slow(0, { name: 'b' }))).pipe(map(([a, b]) => (a === b ? a : -1)));
      },
      (out) => rising(out as number[]) && out.length === 200,
      1,
    ],
    [
      'groupBy and batches per group',
      (s) =>
        s.pipe(
          groupBy((x) => n(x) % 3),
          mergeMap((g) => g.pipe(batch(10))),
          slow(),
        ),
      (out) => out.length === 21,
      3,
    ],
    ['concat', (s) => concat(s, numbers(50)).pipe(map(n), slow()), (out) => out.length === 250],
    ['merge', (s) => merge(s, numbers(50)).pipe(map(n), slow()), (out) => out.length === 250, 1],
    [
      'concatMap over shards',
      () =>
        of(1, 2, 3).pipe(
          concatMap(() => numbers(60)),
          map(n),
          slow(),
        ),
      (out) => out.length === 180,
    ],
    [
      'mergeMapBounded over shards',
      () =>
        of(1, 2, 3).pipe(
          mergeMapBounded(() => numbers(60)),
          map(n),
          slow(),
        ),
      (out) => out.length === 180,
    ],
    [
      'partition',
      (s) => {
        const [even, odd] = partition(s.pipe(share()), (x) => n(x) % 2 === 0);
        return merge(even.pipe(slow(0, { name: 'even' })), odd.pipe(slow(0, { name: 'odd' }))).pipe(map(n));
      },
      (out) => out.length === 200,
      1,
    ],
    [
      'expand',
      (s) =>
        s.pipe(
          take(20),
          expand((x) => (x.fields.n < 100 ? of({ ...x, fields: { n: x.fields.n + 100 } }) : EMPTY)),
          slow(),
        ),
      (out) => out.length === 40,
      1,
    ],
    ['zip of sources of equal speed', (s) => zip(s, numbers(200)).pipe(slow()), (out) => out.length === 200, 1],
    ['bufferCount', (s) => s.pipe(bufferCount(16), slow()), (out) => out.length === 13],
  ];
  for (const prefetch of [1, 3]) {
    it.each(cases)(`%s, prefetch ${prefetch}`, async (_, chain, holds, more = 0) => {
      const g = gate({ prefetch });
      const seen = unseen();
      const out = await collect(g, chain(numbers(200, { seen, slow: prefetch === 3 })));
      expect(holds(out)).toBe(true);
      expect(g.mostBatches).toBeLessThanOrEqual(prefetch + more);
      expect(seen.closed).toBe(seen.opened);
      expect(g.idle()).toBe(true);
      expect(g.places.size).toBe(0);
    });
  }

  it('never holds more than `prefetch` batches before a sink 100 times slower than the source (any prefetch, batch size, concurrency)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 8 }),
        fc.boolean(),
        async (prefetch, size, concurrency, slowSource) => {
          const g = gate({ prefetch });
          let inside = 0;
          let most = 0;
          const out = await collect(
            g,
            numbers(size * 12, { slow: slowSource }).pipe(
              mapBounded(async (x) => x, { per: 'sample', concurrency, name: 'decode' }),
              batch(size),
              tap(() => {
                most = Math.max(most, ++inside);
              }),
              slow(1),
              tap(() => inside--),
            ),
          );
          expect(out).toHaveLength(12);
          expect(most).toBeLessThanOrEqual(prefetch);
          expect(g.mostBatches).toBeLessThanOrEqual(prefetch);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('makes batches ahead only while something waits for the event loop', async () => {
    const chain = (step: OperatorFunction<unknown, unknown>, g: Gate): Promise<unknown[]> => collect(g, numbers(60).pipe(batch(4), step));
    // A step on the thread itself: what is made ahead of it would only grow cold.
    const atOnce = gate({ prefetch: 3 });
    await chain(
      mapBounded(async (item) => Promise.resolve(item).then((same) => same)),
      atOnce,
    );
    expect(atOnce.mostBatches).toBe(1);
    // A step elsewhere: the next batches are made meanwhile.
    const elsewhere = gate({ prefetch: 3 });
    await chain(slow(2), elsewhere);
    expect(elsewhere.mostBatches).toBe(3);
    // And between those that wait, none is.
    let waits = true;
    const held: number[] = [];
    const mixed = gate({ prefetch: 3 });
    await chain(
      mapBounded(async (item) => {
        held.push(mixed.batches);
        if (waits) await sleep(2);
        waits = held.length < 5;
        return item;
      }),
      mixed,
    );
    // The one that has just left made room for one.
    expect(held.slice(1, 6)).toEqual([2, 2, 2, 2, 2]);
    // A batch that is worked on at once is not held before.
    expect(held.slice(8)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('keeps order in parallel maps whatever their delays', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 8 }),
        async (delays, concurrency) => {
          const out = await collect(
            gate(),
            numbers(delays.length).pipe(
              mapBounded(
                async (x) => {
                  await sleep(delays[n(x)]);
                  return n(x);
                },
                { per: 'sample', concurrency },
              ),
            ),
          );
          expect(out).toEqual(delays.map((_, i) => i));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('passes a million synchronous items without growing the stack', async () => {
    const out = await collect(
      gate(),
      numbers(1_000_000, { seen: { opened: 0, closed: 0, read: { push: () => 0 } as unknown as number[] } }).pipe(
        map(n),
        scan((a, x) => a + x, 0),
        bufferCount(1000),
        slow(),
      ),
    );
    expect(out).toHaveLength(1000);
  });

  it('serves subscribers outside of a run too', async () => {
    expect(await lastValueFrom(numbers(10).pipe(map(n), slow(), toArray()))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe('bounded twins of operators that hold items', () => {
  it('zipBounded makes the faster source wait', async () => {
    const fast = unseen();
    const g = gate({ prefetch: 2 });
    const read: number[] = [];
    const out = await collect(
      g,
      zipBounded([numbers(100, { seen: fast }), numbers(100, { slow: true })]).pipe(
        tap(() => read.push(fast.read.length)),
        slow(),
      ),
    );
    expect(out.map(([a, b]) => [a.fields.n, b.fields.n])).toEqual(Array.from({ length: 100 }, (_, i) => [i, i]));
    expect(Math.max(...read.map((r, i) => r - i))).toBeLessThanOrEqual(4);
  });
  it('zipBounded ends with its shortest input, without a gate too', async () => {
    expect(await lastValueFrom(zipBounded([numbers(3), numbers(100)]).pipe(toArray()))).toHaveLength(3);
  });
  it('mergeMapBounded works on `concurrency` items and asks for no more', async () => {
    let inside = 0;
    let most = 0;
    const seen = unseen();
    const out = await collect(
      gate(),
      numbers(100, { seen }).pipe(
        mergeMapBounded(
          async (x) => {
            most = Math.max(most, ++inside);
            await sleep(1);
            inside--;
            return n(x);
          },
          { concurrency: 3 },
        ),
        tap((x) => expect(seen.read.length).toBeLessThanOrEqual(x + 8)),
      ),
    );
    expect([...out].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(most).toBe(3);
  });
  it('bufferBounded stops its source when it is full', async () => {
    const seen = unseen();
    const bell = from(sleep(30));
    const out = await collect(
      gate(),
      numbers(100, { seen }).pipe(bufferBounded(bell.pipe(tap(() => expect(seen.read.length).toBeLessThanOrEqual(9))), { limit: 8 }), take(1)),
    );
    expect(out[0]?.map(n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

describe('clean-up', () => {
  it('take(n) and unsubscribe stop the source and close it once', async () => {
    const seen = unseen();
    await collect(gate(), numbers(1_000_000, { seen }).pipe(batch(4), slow(), take(3)));
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
    expect(seen.read.length).toBeLessThan(40);
    const again = unseen();
    const g = gate();
    const subscription = within({ gate: g }, () => numbers(1_000_000, { seen: again }).pipe(batch(4), slow(5)).subscribe());
    await sleep(20);
    subscription.unsubscribe();
    await g.closed();
    expect(again).toMatchObject({ opened: 1, closed: 1 });
    expect(g.places.size).toBe(0);
  });

  const boom =
    (at: number) =>
    (item: unknown): never | unknown => {
      const value =
        typeof item === 'object' && item !== null && 'fields' in item ? (item as S).fields.n : (item as { origins: { id: number }[] }).origins[0]?.id;
      if ((value as number) >= at) throw new Error('boom');
      return item;
    };
  it.each<[string, (s: Observable<S>) => Observable<unknown>, RegExp]>([
    [
      'an asynchronous stage',
      (s) => s.pipe(mapBounded(async (x) => boom(20)(x), { per: 'sample', name: 'decode', concurrency: 4 })),
      /^decode: boom \(sample 20, epoch 0\)/,
    ],
    [
      'a stage of batches',
      (s) =>
        s.pipe(
          batch(4),
          mapBounded(async (x) => boom(20)(x), { name: 'score' }),
          slow(),
        ),
      /^score: boom \(batch of samples 20, 21, 22, 23, epoch 0\)/,
    ],
    [
      'a keep',
      (s) =>
        s.pipe(
          keep((x) => Boolean(boom(20)(x))),
          batch(4),
          slow(),
        ),
      /^keep: boom \(sample 20/,
    ],
    ['an operator of RxJS', (s) => s.pipe(map(boom(20)), slow()), /boom/],
  ])('an error in %s arrives once, with its name, and everything ends', async (_, chain, message) => {
    const seen = unseen();
    const g = gate();
    let told = 0;
    const error = await collect(g, chain(numbers(1000, { seen })).pipe(tap({ error: () => told++ }))).catch((e: Error) => e);
    expect((error as Error).message).toMatch(message);
    expect(told).toBe(1);
    await g.closed();
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
    expect(g.places.size).toBe(0);
    expect(g.batches).toBe(0);
  });
});

describe('made loud', () => {
  it('a source without a gate inside a run is an error that names the cause', async () => {
    const leave = enterRun();
    try {
      const chain = of(1).pipe(
        delay(1),
        concatMap(() => numbers(10)),
        slow(),
      );
      await expect(collect(gate(), chain)).rejects.toThrow(/numbers: a source was subscribed inside a run but outside of its demand.*delay.*mergeMapBounded/);
    } finally {
      leave();
    }
  });

  it('a run that fills up warns once, with the place and the likely operator', async () => {
    const warnings: string[] = [];
    const stuck = (s: Observable<S>): Observable<unknown> =>
      s.pipe(
        keep(() => true),
        concatMap(async (x) => {
          await sleep(0.1);
          return x;
        }),
        batch(400),
        slow(),
      );
    await collect(gate({ warn: (message) => warnings.push(message), warnAfter: 500 }), stuck(numbers(2000)).pipe(take(1)));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      /1,600 samples have entered and nothing has arrived between keep and batch\. A concatMap or mergeMap over slow inner work \(use mergeMapBounded\)/,
    );
    const zipped: string[] = [];
    await collect(
      gate({ warn: (message) => zipped.push(message), warnAfter: 500 }),
      zip(
        numbers(3000),
        of(1).pipe(
          concatMap(() => numbers(3, { slow: true })),
          concatMap(async (x) => {
            await sleep(50);
            return x;
          }),
        ),
      ).pipe(slow()),
    );
    expect(zipped[0]).toMatch(/unequal speed, so a zip or combineLatest .* use zipBounded/);
  });
  it('does not warn when a large batch is gathered or when keep drops nearly everything', async () => {
    const warnings: string[] = [];
    await collect(
      gate({ warn: (message) => warnings.push(message), warnAfter: 50 }),
      numbers(20_000).pipe(
        keep((x) => x.fields.n % 100 === 0),
        batch(20),
        slow(),
      ),
    );
    expect(warnings).toEqual([]);
  });

  it('two stages of one name in a chain are an error, in branches they are not', async () => {
    const twice = numbers(10).pipe(batch(2), slow(), slow());
    await expect(collect(gate(), twice)).rejects.toThrow(
      /mapBounded\.name: two stages of one chain are named "mapBounded".*Give one of them a name of its own/,
    );
    const inGroups = numbers(10).pipe(
      groupBy((x) => n(x) % 2),
      mergeMap((g) => g.pipe(batch(2))),
      take(3),
    );
    expect(await collect(gate(), inGroups)).toHaveLength(3);
    const behindGroups = numbers(10).pipe(
      groupBy((x) => n(x) % 2),
      mergeMap((g) => g.pipe(keep(() => true))),
      keep(() => true),
    );
    await expect(collect(gate(), behindGroups)).rejects.toThrow(/two stages of one chain are named "keep"/);
  });

  it('shuffle and epochs behind a batch, behind a foreign source and over several sources are errors', async () => {
    await expect(collect(gate(), (numbers(10).pipe(batch(2)) as never as Observable<S>).pipe(shuffle()))).rejects.toThrow(
      /shuffle: must stand where single samples flow, but batch above it works on batches/,
    );
    await expect(collect(gate(), from([1, 2]).pipe(epochs(2) as never))).rejects.toThrow(/epochs: must stand where single samples of a maskflow source flow/);
    await expect(collect(gate(), concat(numbers(3), numbers(3)).pipe(shuffle()))).rejects.toThrow(
      /shuffle: orders one source, but samples of a source that was subscribed later/,
    );
    await expect(collect(gate(), merge(numbers(3), numbers(3)).pipe(epochs(2)))).rejects.toThrow(/epochs: orders one source, but samples of 2 sources/);
    await expect(collect(gate(), numbers(3).pipe(epochs(2), epochs(2)))).rejects.toThrow(/two stages of one chain are named "epochs"/);
  });

  it('a second copy of the package in a run is an error', async () => {
    const slot = Symbol.for('maskflow.ambient');
    const realm = globalThis as unknown as Record<symbol, unknown>;
    const mine = realm[slot];
    realm[slot] = { owner: Symbol('other copy'), current: undefined, runs: 1 };
    try {
      await expect(lastValueFrom(numbers(3).pipe(toArray()))).rejects.toThrow(/two copies of maskflow are loaded in one process/);
    } finally {
      realm[slot] = mine;
    }
  });
});

describe('quiescence', () => {
  /** A stage that reads a counter and one that writes it. */
  const chain = (between: OperatorFunction<unknown, unknown>, batchOf?: number) => {
    let weights = 0;
    const scored = numbers(20, { slow: true }).pipe(
      mapBounded(
        async (x) => {
          await sleep((n(x) * 7) % 3);
          return { n: n(x), weights };
        },
        { quiet: true, name: 'score' },
      ),
    );
    return scored.pipe(
      between,
      batchOf === undefined ? map((x) => x) : bufferCount(batchOf),
      mapBounded(
        async (x) => {
          await sleep(1);
          weights++;
          return x;
        },
        { quiet: true, name: 'train' },
      ),
      mapBounded(
        async (x) => {
          const before = weights;
          await sleep(2);
          expect(weights).toBe(before);
          return x;
        },
        { name: 'checkpoint' },
      ),
    );
  };
  it.each<[string, OperatorFunction<unknown, unknown>, number?]>([
    ['plain', map((x) => x)],
    ['a filter between', filter((x) => (x as { n: number }).n % 3 !== 0)],
    ['a collection between', map((x) => x), 4],
    [
      'an asynchronous stage between',
      mapBounded(
        async (x) => {
          await sleep(1);
          return x;
        },
        { concurrency: 4, name: 'between' },
      ),
    ],
  ])('scores are the same for prefetch 1 and 8 and no checkpoint is torn: %s', async (_, between, batchOf) => {
    const one = await collect(gate({ prefetch: 1 }), chain(between, batchOf));
    const eight = await collect(gate({ prefetch: 8 }), chain(between, batchOf));
    expect(eight).toEqual(one);
    expect(one.length).toBeGreaterThan(3);
  });
  it('a slow scoring stage before a collecting batch does not wait for itself', async () => {
    const scored = numbers(40).pipe(
      mapBounded(
        async (x) => {
          await sleep(0);
          return x;
        },
        { per: 'sample', quiet: true, name: 'score' },
      ),
      batch(8),
      slow(1, { quiet: true, name: 'train' }),
    );
    expect(await collect(gate({ prefetch: 1 }), scored)).toHaveLength(5);
  });
  it('sees what is held in both branches of a shared stream', async () => {
    let held = 0;
    const h = numbers(12).pipe(
      mapBounded(
        async (x) => {
          expect(held).toBe(0);
          return x;
        },
        { quiet: true, name: 'score' },
      ),
      share(),
    );
    const branch = (name: string) =>
      h.pipe(
        tap(() => held++),
        mapBounded(
          async (x) => {
            await sleep(2);
            held--;
            return x;
          },
          { name },
        ),
      );
    expect(await collect(gate({ prefetch: 8 }), zip(branch('a'), branch('b')))).toHaveLength(12);
  });
});

describe('bounded', () => {
  it('gathers, flushes and stops', async () => {
    const log: string[] = [];
    const sums = bounded<S, number>(recipe('tests', 'sums'), { per: 'batch' }, () => {
      let sum = 0;
      let count = 0;
      return {
        work(x) {
          sum += n(x);
          return ++count % 3 === 0 ? sum : nothing;
        },
        flush: async () => (count % 3 === 0 ? nothing : sum),
        stop: () => void log.push('stopped'),
      };
    });
    expect(await collect(gate({ prefetch: 1 }), numbers(8).pipe(sums))).toEqual([3, 15, 28]);
    expect(log).toEqual(['stopped']);
  });
});
