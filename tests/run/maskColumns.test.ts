// Masks of text from Arrow data: the columns of a tokenizer, as tensors and as lists, give the masks of the chain.
import { Bool, Field, Float32, Int32, Int64, List, RecordBatch, Schema, Uint8, Utf8, makeBuilder, makeData, Struct } from 'apache-arrow';
import { lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { toRecordBatch } from '../../src/core/arrow/index.js';
import type { Batch } from '../../src/core/batch.js';
import { Gate, within } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';
import { mask } from '../../src/operators/mask.js';
import { type Mask, random } from '../../src/operators/masks/index.js';
import type { Bytes, Integers } from '../../src/operators/stages.js';
import { recordBatchMasker } from '../../src/run/recordBatchMasker.js';
import { allMasks, row } from '../operators/masks/text.js';

const rows = [3, 9, 5].map((count, id) => row([Array.from({ length: count }, (_, i) => [1 + (i % 2), (i + id) % 5] as const)]));
const width = Math.max(...rows.map(({ length }) => length));
const flat = <A extends Int32Array | Uint8Array>(data: A, of: (one: (typeof rows)[number]) => A, pad: number) => {
  data.fill(pad);
  rows.forEach((one, i) => data.set(of(one), i * width));
  return { data, shape: [rows.length, width] };
};
const cells = rows.length * width;
const text = {
  rows: rows.length,
  origins: rows.map((_, id) => ({ source: 0, id, epoch: 0, position: id })),
  program: undefined,
  columns: {
    tokens: flat(new Int32Array(cells), ({ columns }) => columns.tokens, 1),
    length: { data: Int32Array.from(rows, ({ length }) => length), shape: [rows.length] } as Integers,
    special: flat(new Uint8Array(cells), ({ special }) => special, 1),
    words: flat(new Int32Array(cells), ({ columns }) => columns.words, -1),
    tags: flat(new Uint8Array(cells), ({ columns }) => columns.tags, 0),
    documents: flat(new Int32Array(cells), ({ columns }) => columns.documents, -1),
  },
} satisfies Batch<Record<string, Integers | Bytes>>;
const chained = async (rule: Mask): Promise<Uint8Array> =>
  (await within({ gate: new Gate({ seed: 9 }) }, () => lastValueFrom(of(text).pipe(mask(rule))))).columns.mask.data;

/** Columns of lists as other tools write them: 64-bit integers, truth values. */
function lists(): RecordBatch {
  const column = (name: string, type: Int64 | Bool, of: (one: (typeof rows)[number]) => Int32Array | Uint8Array) => {
    const field = new Field(name, new List(new Field('item', type, false)), false);
    const builder = makeBuilder({ type: field.type });
    for (const one of rows) builder.append(Array.from(of(one), (value) => (type instanceof Bool ? value === 1 : BigInt(value))) as never);
    return [field, builder.finish().flush()] as const;
  };
  const int = new Int64();
  const counter = makeBuilder({ type: new Int32() });
  for (const { length } of rows) counter.append(length);
  const made = [
    [new Field('length', new Int32(), false), counter.finish().flush()] as const,
    column('tokens', int, ({ columns }) => columns.tokens),
    column('special', new Bool(), ({ special }) => special),
    column('words', int, ({ columns }) => columns.words),
    column('tags', int, ({ columns }) => columns.tags),
    column('documents', int, ({ columns }) => columns.documents),
  ];
  const schema = new Schema(made.map(([field]) => field));
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children: made.map(([, data]) => data) }) as never,
  );
}

describe('text columns of Arrow data', () => {
  it('give the masks of the chain, from tensors', async () => {
    const recordBatch = toRecordBatch(text);
    for (const [name, rule] of allMasks(0.4)) {
      const masker = recordBatchMasker(recordBatch.schema, rule, { seed: 9 });
      const made = masker.masks(recordBatch).mask as { data: Uint8Array };
      expect(made.data, name).toEqual(await chained(rule));
      masker.close();
    }
  });

  it('give them from lists of the rows own lengths, of other integer types and truth values', async () => {
    const recordBatch = lists();
    for (const [name, rule] of allMasks(0.4)) {
      const masker = recordBatchMasker(recordBatch.schema, rule, { seed: 9, length: 'length' });
      const made = masker.masks(recordBatch).mask as readonly Uint8Array[];
      const whole = await chained(rule);
      made.forEach((own, i) => expect([...own], name).toEqual([...whole.subarray(i * width, i * width + rows[i]!.length)]));
      masker.close();
    }
  });

  it('of another kind called special are left alone', () => {
    const field = new Field('special', new Utf8(), false);
    const builder = makeBuilder({ type: field.type });
    builder.append('offer');
    const schema = new Schema([field]);
    const recordBatch = new RecordBatch(
      schema,
      makeData({ type: new Struct(schema.fields), length: 1, nullCount: 0, children: [builder.finish().flush()] }) as never,
    );
    const masker = recordBatchMasker(schema, random({ ratio: 1 }), { grid: [4] });
    expect(masker.masks(recordBatch).hidden).toBe(4);
    masker.close();
  });

  it('that are single numbers reach a rule, and what is missing or does not fit is told', () => {
    const number = new Field('time', new Float32(), false);
    const list = new Field('weights', new List(new Field('item', new Uint8(), false)), false);
    const [times, weights] = [makeBuilder({ type: number.type }), makeBuilder({ type: list.type })];
    for (const time of [0.25, 0.5]) times.append(time);
    for (const weight of [[1, 2, 3], [1]]) weights.append(weight as never);
    const schema = new Schema([number, list]);
    const children = [times.finish().flush(), weights.finish().flush()];
    const recordBatch = new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 2, nullCount: 0, children }) as never);
    const seen: unknown[] = [];
    const spy = (reads: string[]): Mask => ({
      recipe: recipe('tests', 'spy'),
      reads,
      hide(tokens) {
        seen.push(tokens.columns);
        return new Uint8Array(3);
      },
    });
    recordBatchMasker(schema, spy(['time']), { grid: [3] }).masks(recordBatch);
    expect(seen).toEqual([{ time: Float32Array.of(0.25) }, { time: Float32Array.of(0.5) }]);
    expect(() => recordBatchMasker(schema, spy(['tags']), { grid: [3] })).toThrow(
      'maskflow.in: spy reads the column tags, and the data has none. Columns: time, weights.',
    );
    expect(() => recordBatchMasker(schema, spy(['weights']), { grid: [3] }).masks(recordBatch)).toThrow(
      'mask.weights: the column weights must hold one number for each of the 3 tokens; got 1 (row 1).',
    );
  });
});
