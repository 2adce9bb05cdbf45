import {
  Field,
  FixedSizeList,
  Float32,
  Int64,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Utf8,
  makeData,
  tableFromIPC,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromRecordBatch, toRecordBatch } from '../../src/core/arrow/index.js';
import { type Batch, type Carried, type Column, type Data, type Origin, carriedAt, sizeOf } from '../../src/core/batch.js';
import type { Program } from '../../src/core/program.js';

type Columns = Record<string, Column | Carried>;

const origin = (id: number): Origin => ({ source: 1, id, epoch: 2, position: 2 ** 40 + id });
const batchOf = (rows: number, columns: Columns, grid?: readonly number[]): Batch<Columns> => ({
  rows,
  columns,
  origins: Array.from({ length: rows }, (_, id) => origin(id)),
  ...(grid && { grid }),
  program: undefined,
});
const tensor = (kind: 'float32' | 'int32' | 'uint8', shape: readonly number[], start = 0): Column => {
  const data: Data = new { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[kind](sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = start + i;
  return { data, shape };
};
const throughIpc = (recordBatch: RecordBatch): RecordBatch => {
  const writer = new RecordBatchStreamWriter();
  writer.write(recordBatch);
  writer.finish();
  return tableFromIPC(writer.toUint8Array(true)).batches[0] as RecordBatch;
};
const column = (batch: Batch<Columns>, name: string): Column => {
  const found = batch.columns[name];
  if (found === undefined || !('data' in found)) throw new Error(`${name} is no tensor`);
  return found;
};
/** A carried column's values, with Arrow's own containers turned into plain ones. */
const plain = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as number[]);
  if (Symbol.iterator in value && 'toArray' in value) return Array.from(value as Iterable<unknown>, plain);
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries('toJSON' in value ? (value as { toJSON(): object }).toJSON() : value).map(([k, v]) => [k, plain(v)]));
};
const carried = (batch: Batch<Columns>, name: string): unknown[] => {
  const found = batch.columns[name];
  if (found === undefined || 'data' in found) throw new Error(`${name} is a tensor`);
  return Array.from({ length: batch.rows }, (_, row) => plain(carriedAt(found, row)));
};

describe('tensor columns', () => {
  test('share their memory with the record batch, both ways', () => {
    const memory = new ArrayBuffer(1000);
    const tokens = { data: new Float32Array(memory, 64, 2 * 3 * 4), shape: [2, 3, 4] };
    const label = { data: new Int32Array(memory, 400, 2), shape: [2] };
    const mask = { data: new Uint8Array(memory, 501, 6), shape: [2, 3] };
    const recordBatch = toRecordBatch(batchOf(2, { tokens, label, mask }));
    const [first, second, third] = recordBatch.data.children;
    expect(first?.children[0]?.values.buffer).toBe(memory);
    expect(first?.children[0]?.values.byteOffset).toBe(64);
    expect(second?.values.buffer).toBe(memory);
    expect(third?.children[0]?.values.byteOffset).toBe(501);
    const back = fromRecordBatch(recordBatch);
    for (const [name, given] of Object.entries({ tokens, label, mask })) {
      const got = column(back, name);
      expect(got.data.buffer).toBe(memory);
      expect(got.data.byteOffset).toBe(given.data.byteOffset);
      expect(got).toEqual(given);
    }
  });

  test('are views of the bytes that an IPC message was read into', () => {
    const writer = new RecordBatchStreamWriter();
    writer.write(toRecordBatch(batchOf(3, { tokens: tensor('float32', [3, 2, 2]), mask: tensor('uint8', [3, 5]) })));
    writer.finish();
    const bytes = Uint8Array.from(writer.toUint8Array(true));
    const back = fromRecordBatch(tableFromIPC(bytes).batches[0] as RecordBatch);
    expect(column(back, 'tokens').data.buffer).toBe(bytes.buffer);
    expect(column(back, 'mask').data.buffer).toBe(bytes.buffer);
  });

  test('are fixed_shape_tensor with the shape of a row, primitives at rank 1', () => {
    const { fields } = toRecordBatch(batchOf(2, { tokens: tensor('float32', [2, 7, 3]), label: tensor('int32', [2]) })).schema;
    expect(String(fields[0]?.type)).toBe('FixedSizeList[21]<Float32>');
    expect(Object.fromEntries(fields[0]?.metadata ?? [])).toEqual({
      'ARROW:extension:name': 'arrow.fixed_shape_tensor',
      'ARROW:extension:metadata': '{"shape":[7,3]}',
    });
    expect(String(fields[1]?.type)).toBe('Int32');
    expect(fields[1]?.metadata.size).toBe(0);
  });

  test('honour slices of a record batch, without copying', () => {
    const tokens = tensor('float32', [6, 2, 2]);
    const recordBatch = toRecordBatch(batchOf(6, { tokens, label: tensor('uint8', [6]), name: { rows: 6, values: ['a', 'b', 'c', 'd', 'e', 'f'] } }), {
      origins: true,
    });
    const back = fromRecordBatch(recordBatch.slice(2, 5));
    expect(back.rows).toBe(3);
    expect(column(back, 'tokens')).toEqual({ data: tokens.data.subarray(8, 20), shape: [3, 2, 2] });
    expect(column(back, 'tokens').data.buffer).toBe(tokens.data.buffer);
    expect([...column(back, 'label').data]).toEqual([2, 3, 4]);
    expect(carried(back, 'name')).toEqual(['c', 'd', 'e']);
    expect(back.origins.map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(column(fromRecordBatch(throughIpc(recordBatch.slice(2, 5))), 'tokens')).toEqual(column(back, 'tokens'));
  });

  const withMetadata = (metadata: string, data = new Float32Array(12).map((_, i) => i)): RecordBatch => {
    const item = new Field('item', new Float32(), false);
    const field = new Field(
      't',
      new FixedSizeList(6, item),
      false,
      new Map([
        ['ARROW:extension:name', 'arrow.fixed_shape_tensor'],
        ['ARROW:extension:metadata', metadata],
      ]),
    );
    const rows = data.length / 6;
    const child = makeData({ type: new Float32(), length: data.length, data });
    return new RecordBatch(
      new Schema([field]),
      makeData({ type: new Struct([field]), length: rows, nullCount: 0, children: [makeData({ type: field.type, length: rows, child })] }),
    );
  };

  test('with a permutation become a transposed copy in logical order', () => {
    const { data, shape } = column(fromRecordBatch(withMetadata('{"shape":[2,3],"permutation":[1,0]}')), 't');
    expect(shape).toEqual([2, 3, 2]);
    expect([...data]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    const same = withMetadata('{"shape":[2,3],"permutation":[0,1]}');
    expect(column(fromRecordBatch(same), 't').data.buffer).toBe(same.data.children[0]?.children[0]?.values.buffer);
    // The specification's example: stored [100, 200, 500], permutation [2, 0, 1], logical [500, 100, 200]; here [1, 2, 3].
    const turned = column(fromRecordBatch(withMetadata('{"shape":[1,2,3],"permutation":[2,0,1]}')), 't');
    expect(turned.shape).toEqual([2, 3, 1, 2]);
    expect([...turned.data].slice(0, 6)).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test.each([
    ['{"shape":[2,2]}', /t: the metadata of arrow.fixed_shape_tensor must be \{"shape": \[…\]\} with 6 elements a row; got/],
    ['nonsense', /the metadata of arrow.fixed_shape_tensor/],
    ['{"shape":[2,3],"permutation":[0,0]}', /t: permutation must name each of the 2 axes once; got \[0,0\]/],
  ])('with wrong metadata %s are refused', (metadata, message) => {
    expect(() => fromRecordBatch(withMetadata(metadata))).toThrow(message);
  });

  test('must fit their shape and the rows', () => {
    expect(() => toRecordBatch(batchOf(2, { x: { data: new Float32Array(5), shape: [2, 3] } }))).toThrow(
      'x: must hold 6 elements for its shape [2, 3], rows first; got 5.',
    );
    expect(() => toRecordBatch(batchOf(2, { x: tensor('uint8', [3]) }))).toThrow("x: must have one row for each of the batch's 2; got 3.");
  });
});

describe('round trip', () => {
  const kinds: Record<string, fc.Arbitrary<unknown>> = {
    text: fc.string({ unit: 'grapheme' }),
    bytes: fc.uint8Array({ maxLength: 20 }),
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    flag: fc.boolean(),
    number: fc.double(),
    words: fc.array(fc.string(), { maxLength: 4 }),
    nested: fc.array(fc.array(fc.double({ noNaN: true }), { maxLength: 3 }), { maxLength: 3 }),
    record: fc.record({ bytes: fc.uint8Array({ maxLength: 4 }), path: fc.string() }),
  };
  const batches = fc.integer({ min: 1, max: 6 }).chain((rows) =>
    fc
      .record({
        tensors: fc.dictionary(
          fc.constantFrom('a', 'b', 'c'),
          fc
            .tuple(
              fc.constantFrom('float32' as const, 'int32' as const, 'uint8' as const),
              fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
              fc.integer({ min: 0, max: 50 }),
            )
            .map(([kind, rest, start]) => tensor(kind, [rows, ...rest], start)),
        ),
        carried: fc.record(
          Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, fc.array(fc.option(kind, { freq: 8 }), { minLength: rows, maxLength: rows })])),
        ),
        grid: fc.option(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }), { nil: undefined }),
        origins: fc.boolean(),
      })
      .map(({ tensors, carried: values, grid, origins }) => ({
        batch: batchOf(rows, { ...tensors, ...Object.fromEntries(Object.entries(values).map(([name, v]) => [name, { rows, values: v }])) }, grid),
        origins,
      })),
  );

  test('keeps every column, the grid and the origins, directly and through IPC bytes, once and twice', () => {
    fc.assert(
      fc.property(batches, ({ batch, origins }) => {
        const once = toRecordBatch(batch, { origins });
        const direct = fromRecordBatch(once, { firstId: 5 });
        const bytes = fromRecordBatch(throughIpc(once), { firstId: 5 });
        const again = fromRecordBatch(throughIpc(toRecordBatch(bytes, { origins: true })));
        for (const back of [direct, bytes, again]) {
          expect(back.grid).toEqual(batch.grid);
          expect(Object.keys(back.columns)).toEqual(Object.keys(batch.columns));
          expect(back.origins.map(({ id }) => id)).toEqual(batch.origins.map(({ id }) => (origins ? id : 5 + id)));
          if (origins) expect(back.origins).toEqual(batch.origins);
          for (const [name, given] of Object.entries(batch.columns)) {
            if ('data' in given) expect(back.columns[name]).toEqual(given);
            else expect(carried(back, name)).toEqual(Array.from({ length: batch.rows }, (_, row) => plain(carriedAt(given, row))));
          }
        }
      }),
      { numRuns: 150, seed: 4 },
    );
  });

  test('typed arrays are lists of their own type, Arrow vectors pass untouched, metadata of their fields is kept', () => {
    const vector = vectorFromArray(['x', null, 'y'], new Utf8());
    const floats = [Float32Array.of(1.5), new Float32Array(0), Float32Array.of(2, 3)];
    const recordBatch = toRecordBatch(batchOf(3, { wave: { rows: 3, values: floats }, v: { rows: 3, arrow: vector } }));
    expect(recordBatch.schema.fields.map(({ type }) => String(type))).toEqual(['List<Float32>', 'Utf8']);
    expect(recordBatch.data.children[1]).toBe(vector.data[0]);
    expect(carried(fromRecordBatch(recordBatch), 'wave')).toEqual([[1.5], [], [2, 3]]);
    const field = new Field('when', new Int64(), false, new Map([['ARROW:extension:name', 'my.type']]));
    const source = new RecordBatch(
      new Schema([field]),
      makeData({ type: new Struct([field]), length: 1, nullCount: 0, children: [makeData({ type: new Int64(), data: BigInt64Array.of(7n) })] }),
    );
    const again = toRecordBatch(fromRecordBatch(source)).schema.fields[0];
    expect(again?.metadata.get('ARROW:extension:name')).toBe('my.type');
    expect(again?.nullable).toBe(false);
  });

  test('numbers of other types and numbers with nulls are carried, not converted', () => {
    const long = vectorFromArray([1n, 2n], new Int64());
    const holes = vectorFromArray([1, null], new Float32());
    const fields = [new Field('long', long.type, true), new Field('holes', holes.type, true)];
    const data = makeData({ type: new Struct(fields), length: 2, nullCount: 0, children: [long.data[0] as never, holes.data[0] as never] });
    const back = fromRecordBatch(new RecordBatch(new Schema(fields), data));
    expect(carried(back, 'long')).toEqual([1n, 2n]);
    expect(carried(back, 'holes')).toEqual([1, null]);
  });
});

describe('lists of varying length', () => {
  test('a tensor column is written as rows cut to `length`, or whole', () => {
    const mask = { data: Uint8Array.of(1, 0, 1, 0, 1, 1, 0, 0, 1), shape: [3, 3] };
    const batch = batchOf(3, { mask, length: { data: Int32Array.of(2, 3, 0), shape: [3] } });
    const recordBatch = toRecordBatch(batch, { lists: ['mask'] });
    expect(String(recordBatch.schema.fields[0]?.type)).toBe('List<Uint8>');
    expect(carried(fromRecordBatch(throughIpc(recordBatch)), 'mask')).toEqual([[1, 0], [0, 1, 1], []]);
    const whole = toRecordBatch(batchOf(3, { mask }), { lists: ['mask'] });
    expect(whole.data.children[0]?.children[0]?.values.buffer).toBe(mask.data.buffer);
    expect(carried(fromRecordBatch(whole), 'mask')).toEqual([
      [1, 0, 1],
      [0, 1, 1],
      [0, 0, 1],
    ]);
  });

  test('lengths that do not fit and unknown names are errors', () => {
    const mask = tensor('uint8', [1, 3]);
    expect(() => toRecordBatch(batchOf(1, { mask, length: tensor('int32', [1], 4) }), { lists: ['mask'] })).toThrow(
      'length: must be an integer from 0 to the 3 cells of mask; got 4 (row 0 of the batch).',
    );
    expect(() => toRecordBatch(batchOf(1, { mask }), { lists: ['masks'] })).toThrow('lists: names a column that the batch lacks; there are mask; got "masks".');
  });
});

describe('what is refused', () => {
  test('a batch that carries a program, by type and at run time', () => {
    const batch = { ...batchOf(1, { x: tensor('uint8', [1]) }), program: {} as Program<'loss'> };
    // @ts-expect-error a program cannot go into Arrow
    expect(() => toRecordBatch(batch)).toThrow(
      'a batch that carries a program (behind model or loss) cannot become Arrow: only host data can. Put the file, pipe or worker in front of model(…)',
    );
  });

  test.each<[string, readonly unknown[], RegExp]>([
    ['a mixture', ['a', 1], /^x: must hold one type in every row: here text; got 1\./],
    ['a function', [() => 1], /^x: has no Arrow type; text, numbers, booleans, bytes, lists and plain objects have one; got function/],
    ['a date', [new Date(0)], /^x: has no Arrow type/],
    ['a mixture inside of a list', [['a'], [2]], /^x: must hold one type in every row/],
    ['a mixture inside of an object', [{ y: true }, { y: 1n }], /^x\.y: must hold one type in every row: here a boolean; got 1n/],
  ])('%s', (_, values, message) => {
    expect(() => toRecordBatch(batchOf(values.length, { x: { rows: values.length, values } }))).toThrow(message);
  });

  test('a column named origin beside origins, and unknown options', () => {
    expect(() => toRecordBatch(batchOf(1, { origin: tensor('uint8', [1]) }), { origins: true })).toThrow(
      'origin: the batch has a column of this name, so its origins cannot be written beside it. Rename the column.',
    );
    expect(() => toRecordBatch(batchOf(1, {}), { origin: true } as never)).toThrow('toRecordBatch.origin: there is no such option. Did you mean origins?');
    expect(() => fromRecordBatch(toRecordBatch(batchOf(1, {})), { first: 1 } as never)).toThrow('fromRecordBatch.first: there is no such option.');
  });

  test('a grid that is none', () => {
    const { schema, data } = toRecordBatch(batchOf(1, { x: tensor('uint8', [1]) }));
    const wrong = new RecordBatch(new Schema(schema.fields, new Map([['maskflow.grid', '[7,-1]']])), data);
    expect(() => fromRecordBatch(wrong)).toThrow('grid: the schema\'s maskflow.grid must be a JSON list of positive integers; got "[7,-1]".');
  });

  test('a later batch with another schema than the first', () => {
    const first = toRecordBatch(batchOf(1, { t: tensor('float32', [1, 4]), s: { rows: 1, values: ['a'] } }, [4])).schema;
    const then =
      (columns: Columns, grid: readonly number[] = [4]) =>
      () =>
        toRecordBatch(batchOf(1, columns, grid), { schema: first });
    const s = { rows: 1, values: ['b'] };
    expect(then({ t: tensor('float32', [1, 4]), s })).not.toThrow();
    expect(then({ t: tensor('float32', [1, 4]), s: { rows: 1, values: [null] } })).not.toThrow();
    expect(then({ t: tensor('float32', [1, 5]), s })).toThrow(
      't: was FixedSizeList[4]<Float32> {"shape":[4]} in the first batch and must stay so; got "FixedSizeList[5]<Float32> {\\"shape\\":[5]}". Arrow files and streams have one schema: pad to one length',
    );
    expect(then({ t: tensor('float32', [1, 2, 2]), s })).toThrow('{"shape":[4]} in the first batch');
    expect(then({ t: tensor('int32', [1, 4]), s })).toThrow('t: was FixedSizeList[4]<Float32>');
    expect(then({ t: tensor('float32', [1, 4]) })).toThrow('columns: must be those of the first batch: t, s; got "t".');
    expect(then({ t: tensor('float32', [1, 4]), s: { rows: 1, values: [1] } })).toThrow('s: was Utf8 in the first batch and must stay so; got 1.');
    expect(then({ t: tensor('float32', [1, 4]), s }, [2, 2])).toThrow('grid: was [4] in the first batch and must stay so; got "[2,2]".');
  });
});
