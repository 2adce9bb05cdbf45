import fc from 'fast-check';
import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/core/batch.js';
import { Gate } from '../../src/core/demand/index.js';
import { batch, collate } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { numbers } from '../core/numbers.js';
import { collect, idsOf } from './rows.js';

const sample = <F extends object>(fields: F, id = 0, epoch = 0): Sample<F> => ({ fields, origin: { source: 0, id, epoch, position: id } });

describe('batch: which samples', () => {
  it('keeps order and loses nothing, whatever size, length and epochs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(30), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), async (length, size, n, crossEpochs) => {
        const out = await collect(numbers(length).pipe(epochs(n), batch(size, { crossEpochs })));
        expect(out.flatMap(idsOf)).toEqual(Array.from({ length: n * length }, (_, i) => i % length));
        const sizes = out.map(({ rows }) => rows);
        if (crossEpochs) expect(sizes.slice(0, -1).every((rows) => rows === size)).toBe(true);
        else
          expect(sizes).toEqual(
            Array.from({ length: n }, () => Array.from({ length: Math.ceil(length / size) }, (_, i) => Math.min(size, length - i * size))).flat(),
          );
        for (const { rows, origins, columns } of out) expect([origins.length, columns.n.data.length]).toEqual([rows, rows]);
      }),
      { numRuns: 40 },
    );
  });
  it("last: 'drop' leaves short batches out at the end of every epoch", async () => {
    expect((await collect(numbers(7).pipe(epochs(2), batch(3, { last: 'drop' })))).map(idsOf)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect((await collect(numbers(7).pipe(epochs(2), batch(3, { last: 'drop', crossEpochs: true })))).map(idsOf)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 0, 1],
      [2, 3, 4],
    ]);
    expect(await collect(numbers(2).pipe(batch(3, { last: 'drop' })))).toEqual([]);
  });
  it('what it dropped settles with the batch that follows, not before', async () => {
    const gate = new Gate();
    const out = await collect(numbers(4).pipe(epochs(2), batch(3, { last: 'drop' })), gate);
    gate.cursor.settle(out[0]?.origins ?? []);
    expect(gate.cursor.toJSON()).toEqual({ sources: [{ next: 3, open: [] }] });
    gate.cursor.settle(out[1]?.origins ?? []);
    expect(gate.cursor.toJSON()).toEqual({ sources: [{ next: 7, open: [] }] });
  });
  it("last: 'pad' repeats the last row with weight 0, every batch has a weight", async () => {
    const out = await collect(numbers(5).pipe(batch(3, { last: 'pad' })));
    expect(out.map(idsOf)).toEqual([
      [0, 1, 2],
      [3, 4, 4],
    ]);
    expect(out.map(({ columns }) => [...columns.weight.data])).toEqual([
      [1, 1, 1],
      [1, 1, 0],
    ]);
    expect(out.map(({ columns }) => [...columns.n.data])).toEqual([
      [0, 1, 2],
      [3, 4, 4],
    ]);
    expect(out[1]?.origins[2]).toBe(out[1]?.origins[1]);
  });
  it('keeps the very origins of its samples', async () => {
    const origins: unknown[] = [];
    const out = await collect(
      numbers(4).pipe(
        map((x) => {
          origins.push(x.origin);
          return x;
        }),
        batch(2),
      ),
    );
    expect(out.flatMap((b) => b.origins).every((origin, i) => origin === origins[i])).toBe(true);
  });
  it('refuses bad options by name', () => {
    expect(() => batch(0)).toThrow('batch.size: must be an integer of at least 1; got 0.');
    expect(() => batch(2.5)).toThrow('batch.size: must be an integer of at least 1; got 2.5.');
    expect(() => batch(2, { last: 'cut' as never })).toThrow("batch.last: must be 'keep', 'drop' or 'pad'; got \"cut\".");
    expect(() => batch(2, { crossEpoch: true } as never)).toThrow('batch.crossEpoch: there is no such option. Did you mean crossEpochs?');
  });
});

describe('collate: which columns', () => {
  it('numbers and booleans become float32, tensors keep their type and shape, all else is carried', () => {
    const made = collate(
      [0, 1].map((i) =>
        sample(
          {
            label: i + 0.5,
            seen: i === 1,
            image: { data: Uint8Array.of(i, i + 1), shape: [1, 2] },
            scalar: { data: Int32Array.of(i), shape: [] },
            text: `t${i}`,
            list: [i],
            none: null,
          },
          i,
        ),
      ),
    );
    expect(made).toEqual({
      rows: 2,
      columns: {
        label: { data: Float32Array.of(0.5, 1.5), shape: [2] },
        seen: { data: Float32Array.of(0, 1), shape: [2] },
        image: { data: Uint8Array.of(0, 1, 1, 2), shape: [2, 1, 2] },
        scalar: { data: Int32Array.of(0, 1), shape: [2] },
        text: { rows: 2, values: ['t0', 't1'] },
        list: { rows: 2, values: [[0], [1]] },
        none: { rows: 2, values: [null, null] },
      },
      origins: [0, 1].map((i) => ({ source: 0, id: i, epoch: 0, position: i })),
      program: undefined,
    });
  });
  it('copies: the batch does not change with its samples', () => {
    const data = Float32Array.of(1);
    const made = collate([sample({ x: { data, shape: [1] } })]);
    data[0] = 2;
    expect((made.columns.x as { data: Float32Array }).data[0]).toBe(1);
  });
  it('pads a weight that the samples bring, per sample or per token, by zeros', () => {
    const numbersOnly = collate([sample({ weight: 0.5 }), sample({ weight: 2 }, 1)], 4, true);
    expect(numbersOnly.columns.weight).toEqual({ data: Float32Array.of(0.5, 2, 0, 0), shape: [4] });
    const tokens = collate([sample({ weight: { data: Float32Array.of(1, 2), shape: [2] } })], 2, true);
    expect(tokens.columns.weight).toEqual({ data: Float32Array.of(1, 2, 0, 0), shape: [2, 2] });
  });
  it('does not throw away a weight of another type', () => {
    expect(() => collate([sample({ weight: { data: Uint8Array.of(3), shape: [] } })], 2, true)).toThrow(/^weight: .*float32/);
    expect(() => collate([sample({ weight: 'heavy' })], 2, true)).toThrow(/^weight: .*float32/);
  });
  const first = { n: 1, image: { data: new Float32Array(4), shape: [2, 2] } };
  it.each<[string, object, RegExp]>([
    ['a missing field', { n: 1 }, /^image: every sample must have the fields n, image; got \["n"\] \(sample 9\)\./],
    ['one field more', { ...first, extra: 1 }, /^n: every sample must have the fields n, image; got \["n","image","extra"\] \(sample 9\)\./],
    ['another field', { n: 1, picture: first.image }, /^image: every sample must have the fields n, image/],
    ['text for a number', { ...first, n: 'one' }, /^n: must be a number in every sample, as in the first; got "one" \(sample 9\)\./],
    ['a missing number', { ...first, n: undefined }, /^n: must be a number in every sample, as in the first; got undefined \(sample 9\)\./],
    [
      'another shape',
      { n: 1, image: { data: new Float32Array(4), shape: [4, 1] } },
      /^image: must have one type and shape in every sample: here Float32Array \[2, 2\]; got "Float32Array \[4, 1\]" \(sample 9\)\. Resize, crop or pad in front of batch, or group samples of one shape: groupBy/,
    ],
    ['another rank', { n: 1, image: { data: new Float32Array(4), shape: [4] } }, /here Float32Array \[2, 2\]; got "Float32Array \[4\]"/],
    ['another type', { n: 1, image: { data: new Uint8Array(4), shape: [2, 2] } }, /here Float32Array \[2, 2\]; got "Uint8Array \[2, 2\]"/],
    ['no tensor', { n: 1, image: [1, 2, 3, 4] }, /got \[1,2,3,4\] \(sample 9\)/],
    ['data that its shape denies', { n: 1, image: { data: new Float32Array(3), shape: [2, 2] } }, /^image: .*sample 9/],
    ['more data than its shape says', { n: 1, image: { data: new Float32Array(5), shape: [2, 2] } }, /^image: .*sample 9/],
  ])('names field, rule and sample: %s', (_, second, message) => expect(() => collate([sample<object>(first), sample<object>(second, 9)])).toThrow(message));
  it('fails in the chain with the name of the stage', async () => {
    const chain = numbers(4).pipe(
      map((x) => ({ ...x, fields: { n: x.fields.n === 3 ? 'three' : 3 } })),
      batch(2, { name: 'small' }),
    );
    await expect(collect(chain)).rejects.toThrow(/^small\.n: must be a number in every sample, as in the first; got "three" \(sample 3\)\./);
  });
  it('needs a sample', () => expect(() => collate([])).toThrow('batch: needs at least one sample.'));
});
