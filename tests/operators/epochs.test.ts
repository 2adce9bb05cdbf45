import fc from 'fast-check';
import { filter, map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { keep } from '../../src/operators/keep.js';
import { numbers, unseen } from '../core/numbers.js';
import { collect, idsOf, rows } from './rows.js';

describe('epochs', () => {
  it.each([
    ['with random access', numbers],
    ['without', rows],
  ] as const)('serves the source n times and counts epoch and position: %s', async (_, make) => {
    const seen = unseen();
    const out = await collect(make(3, { seen }).pipe(epochs(2)));
    expect(out.map(({ fields, origin }) => [fields.n, origin.id, origin.epoch, origin.position])).toEqual([
      [0, 0, 0, 0],
      [1, 1, 0, 1],
      [2, 2, 0, 2],
      [0, 0, 1, 3],
      [1, 1, 1, 4],
      [2, 2, 1, 5],
    ]);
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
  });
  it('reaches the source through stages and operators of samples, wherever it stands among them', async () => {
    const chains = [
      numbers(5).pipe(
        epochs(3),
        keep(({ fields }) => fields.n !== 2),
      ),
      numbers(5).pipe(
        keep(({ fields }) => fields.n !== 2),
        epochs(3),
      ),
      numbers(5).pipe(
        filter(({ fields }) => fields.n !== 2),
        map((x) => x),
        epochs(3),
      ),
    ];
    for (const chain of chains) expect((await collect(chain)).map(({ fields }) => fields.n)).toEqual([0, 1, 3, 4, 0, 1, 3, 4, 0, 1, 3, 4]);
  });
  it('an empty source stays empty', async () => {
    expect(await collect(numbers(0).pipe(epochs(3)))).toEqual([]);
    expect(await collect(rows(0).pipe(epochs(3)))).toEqual([]);
  });
  it('leaves batches of one epoch each, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 9 }), async (length, n, size) => {
        const out = await collect(numbers(length).pipe(epochs(n), batch(size)));
        expect(out).toHaveLength(n * Math.ceil(length / size));
        for (const { origins } of out) expect(new Set(origins.map(({ epoch }) => epoch)).size).toBe(1);
        expect(out.flatMap(idsOf)).toEqual(Array.from({ length: n * length }, (_, i) => i % length));
      }),
      { numRuns: 40 },
    );
  });
  it.each([0, -1, 1.5, Number.NaN])('refuses %s', (n) => expect(() => epochs(n)).toThrow(/^epochs\.n: must be an integer of at least 1; got/));
});
