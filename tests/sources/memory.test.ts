import { describe, expect, test } from 'vitest';
import { MaskflowError } from '../../src/core/errors.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { memory } from '../../src/sources/memory.js';
import { all, failure } from './arrowFiles.js';

describe('memory', () => {
  test('serves records by id, in any order, as often as asked', async () => {
    const items = Array.from({ length: 7 }, (_, i) => ({ text: `t${i}`, label: i }));
    const samples = await all(memory(items).pipe(epochs(3), shuffle()));
    expect(samples).toHaveLength(21);
    for (const { fields, origin } of samples) expect(fields).toBe(items[origin.id]);
    for (let epoch = 0; epoch < 3; epoch++) expect(new Set(samples.slice(7 * epoch, 7 * epoch + 7).map(({ origin }) => origin.id)).size).toBe(7);
  });

  test('serves columns row by row: numbers, views of tensors, elements', async () => {
    const pixels = { data: Uint8Array.from({ length: 12 }, (_, i) => i), shape: [3, 2, 2] };
    const samples = await all(memory({ columns: { pixels, label: { data: Int32Array.of(5, 6, 7), shape: [3] }, name: ['a', 'b', 'c'] } }));
    expect(samples.map(({ fields }) => fields.label)).toEqual([5, 6, 7]);
    expect(samples.map(({ fields }) => fields.name)).toEqual(['a', 'b', 'c']);
    expect(samples[1]?.fields.pixels).toEqual({ data: Uint8Array.of(4, 5, 6, 7), shape: [2, 2] });
    expect((samples[1]?.fields.pixels as typeof pixels | undefined)?.data.buffer).toBe(pixels.data.buffer);
    const [first] = await all(memory({ columns: { pixels } }).pipe(batch(3)));
    expect(first?.columns.pixels).toEqual(pixels);
  });

  test('refuses what cannot be data', async () => {
    expect(() => memory([])).toThrow('memory: needs at least one row. An empty data set would end the run without a step.');
    expect(() => memory({ columns: {} })).toThrow('memory.columns: must name at least one column; got {}.');
    expect(() => memory({ columns: { a: [1, 2], b: [1] } })).toThrow('memory.b: must have as many rows as "a": 2; got 1.');
    expect(() => memory({ columns: { a: { data: new Uint8Array(5), shape: [2, 3] } } })).toThrow(
      'memory.a: must hold 6 elements for its shape, rows first; got 5.',
    );
    expect(() => memory({ columns: { a: 'text' as never } })).toThrow('memory.a: must be an array or a tensor column {data, shape}; got "text".');
    const error = await failure(memory<object>([{ a: 1 }, { b: 1 }]));
    expect(error).toBeInstanceOf(MaskflowError);
    expect(error.message).toBe('memory: every record must have the fields of the first: a; got ["b"] (row 1).');
  });
});
