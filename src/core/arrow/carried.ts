// Carried values (text, bytes, lists, 64-bit integers) as Arrow data: types are inferred once, then held for the whole
// stream, so that every record batch of a file has one schema.
import {
  Binary,
  Bool,
  type Data as ArrowData,
  DataType,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  List,
  Null,
  Struct,
  Type,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  makeData,
  vectorFromArray,
} from 'apache-arrow';
import { isColumn } from '../batch.js';
import { MaskflowError, show } from '../errors.js';

const arrays: readonly (readonly [new (n: number) => ArrayBufferView, () => DataType])[] = [
  [Float32Array, () => new Float32()],
  [Float64Array, () => new Float64()],
  [Int8Array, () => new Int8()],
  [Int16Array, () => new Int16()],
  [Int32Array, () => new Int32()],
  [Uint16Array, () => new Uint16()],
  [Uint32Array, () => new Uint32()],
  [BigInt64Array, () => new Int64()],
  [BigUint64Array, () => new Uint64()],
];

const missing = (value: unknown): value is null | undefined => value === null || value === undefined;

/**
 * The Arrow type of these values: string → Utf8, Uint8Array → Binary, bigint → Int64, boolean → Bool, number → Float64
 * (exact, and the same in every batch), typed array and array → List, plain object → Struct; all null → Null.
 */
export function typeOfValues(name: string, values: readonly unknown[]): DataType {
  const refuse = (value: unknown, expected?: string): never => {
    throw new MaskflowError({
      option: name,
      rule:
        expected === undefined
          ? 'has no Arrow type; text, numbers, booleans, bytes, lists and plain objects have one'
          : `must hold one type in every row: here ${expected}`,
      value,
      hint: 'Convert it with map(…), or leave the column out.',
    });
  };
  const first = values.find((value) => !missing(value));
  if (first === undefined) return new Null();
  const all = (holds: (value: unknown) => boolean, expected: string): void => {
    const other = values.find((value) => !missing(value) && !holds(value));
    if (other !== undefined) refuse(other, expected);
  };
  if (typeof first === 'string') {
    all((value) => typeof value === 'string', 'text');
    return new Utf8();
  }
  if (typeof first === 'number') {
    all((value) => typeof value === 'number', 'a number');
    return new Float64();
  }
  if (typeof first === 'boolean') {
    all((value) => typeof value === 'boolean', 'a boolean');
    return new Bool();
  }
  if (typeof first === 'bigint') {
    all((value) => typeof value === 'bigint', 'a bigint');
    return new Int64();
  }
  if (first instanceof Uint8Array) {
    all((value) => value instanceof Uint8Array, 'bytes');
    return new Binary();
  }
  for (const [kind, type] of arrays) {
    if (first instanceof kind) {
      all((value) => value instanceof kind, kind.name);
      return new List(new Field('item', type(), true));
    }
  }
  if (Array.isArray(first)) {
    all(Array.isArray, 'a list');
    return new List(new Field('item', typeOfValues(name, (values.filter((value) => !missing(value)) as unknown[][]).flat()), true));
  }
  if (
    typeof first === 'object' &&
    first !== null &&
    !isColumn(first) &&
    (Object.getPrototypeOf(first) === Object.prototype || Object.getPrototypeOf(first) === null)
  ) {
    all((value) => typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value), 'an object');
    const objects = values.filter((value) => !missing(value)) as Record<string, unknown>[];
    const names = [...new Set(objects.flatMap((object) => Object.keys(object)))];
    return new Struct(
      names.map(
        (key) =>
          new Field(
            key,
            typeOfValues(
              `${name}.${key}`,
              objects.map((object) => object[key]),
            ),
            true,
          ),
      ),
    );
  }
  return refuse(first);
}

function validity(values: readonly unknown[]): { nullBitmap?: Uint8Array; nullCount: number } {
  let nullCount = 0;
  const bitmap = new Uint8Array(((values.length + 63) >> 6) << 3);
  values.forEach((value, row) => {
    if (missing(value)) nullCount++;
    else bitmap[row >> 3] = (bitmap[row >> 3] as number) | (1 << (row & 7));
  });
  return nullCount === 0 ? { nullCount } : { nullBitmap: bitmap, nullCount };
}

function offsets(name: string, lengths: Iterable<number>, rows: number): Int32Array {
  const result = new Int32Array(rows + 1);
  let row = 0;
  let sum = 0;
  for (const length of lengths) {
    sum += length;
    if (sum > 0x7fffffff) throw new MaskflowError({ option: name, rule: 'holds more than 2 GiB in one batch', hint: 'Use smaller batches.' });
    result[++row] = sum;
  }
  return result;
}

/** Arrow data of `type` that holds `values`, row by row. */
export function dataOfValues(name: string, type: DataType, values: readonly unknown[]): ArrowData {
  const common = { length: values.length, ...validity(values) };
  const wrong = (value: unknown): MaskflowError =>
    new MaskflowError({
      option: name,
      rule: `was ${type} in the first batch and must stay so`,
      value,
      hint: 'Arrow files and streams have one schema: convert the column with map(…), or write it to a file of its own.',
    });
  const each = <T>(read: (value: unknown) => T | undefined, absent: T): T[] =>
    values.map((value) => {
      if (missing(value)) return absent;
      const result = read(value);
      if (result === undefined) throw wrong(value);
      return result;
    });
  const build = (parts: Record<string, unknown>): ArrowData => makeData({ type, ...common, ...parts } as never) as ArrowData;
  switch (type.typeId) {
    case Type.Null: {
      const other = values.find((value) => !missing(value));
      if (other !== undefined) throw wrong(other);
      return makeData({ type: type as Null, length: values.length }) as ArrowData;
    }
    case Type.Utf8:
    case Type.Binary: {
      const encoder = new TextEncoder();
      const read =
        type.typeId === Type.Utf8
          ? (value: unknown) => (typeof value === 'string' ? encoder.encode(value) : undefined)
          : (value: unknown) => (value instanceof Uint8Array ? value : undefined);
      const parts = each<Uint8Array>(read, new Uint8Array(0));
      const valueOffsets = offsets(
        name,
        parts.map((part) => part.byteLength),
        values.length,
      );
      const data = new Uint8Array(valueOffsets[values.length] as number);
      for (let row = 0; row < parts.length; row++) data.set(parts[row] as Uint8Array, valueOffsets[row]);
      return build({ valueOffsets, data });
    }
    case Type.Bool: {
      const bits = new Uint8Array(((values.length + 63) >> 6) << 3);
      each((value) => (typeof value === 'boolean' ? value : undefined), false).forEach((value, row) => {
        if (value) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
      });
      return build({ data: bits });
    }
    case Type.Int:
    case Type.Float: {
      const data = new (type.ArrayType as new (n: number) => { [row: number]: number | bigint })(values.length);
      const large = data instanceof BigInt64Array || data instanceof BigUint64Array;
      if (DataType.isFloat(type) && type.precision === 0) break;
      each<number | bigint>((value) => (typeof value === 'bigint' || typeof value === 'number' ? value : undefined), 0).forEach((value, row) => {
        const stored = large ? (typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : undefined) : Number(value);
        if (stored === undefined) throw wrong(value);
        data[row] = stored;
        if (DataType.isInt(type) && data[row] !== stored) throw wrong(value);
      });
      return build({ data });
    }
    case Type.List: {
      const item = (type.children[0] as Field).type;
      const lists = each<ArrayLike<unknown>>(
        (value) => (Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value) ? (value as ArrayLike<unknown>) : undefined),
        [],
      );
      const valueOffsets = offsets(
        name,
        lists.map((list) => list.length),
        values.length,
      );
      const total = valueOffsets[values.length] as number;
      const Kind = item.ArrayType as new (n: number) => { set(values: ArrayLike<unknown>, at: number): void };
      if ((DataType.isInt(item) || DataType.isFloat(item)) && lists.every((list) => list.length === 0 || list instanceof Kind)) {
        const data = new Kind(total);
        for (let row = 0; row < lists.length; row++) data.set(lists[row] as ArrayLike<unknown>, valueOffsets[row] as number);
        return build({ valueOffsets, child: makeData({ type: item, length: total, nullCount: 0, data } as never) });
      }
      const flat: unknown[] = new Array(total);
      lists.forEach((list, row) => {
        for (let i = 0; i < list.length; i++) flat[(valueOffsets[row] as number) + i] = list[i];
      });
      return build({ valueOffsets, child: dataOfValues(name, item, flat) });
    }
    case Type.Struct: {
      const objects = each<Record<string, unknown>>((value) => (typeof value === 'object' ? (value as Record<string, unknown>) : undefined), {});
      const fields = type.children as Field[];
      const known = new Set(fields.map((field) => field.name));
      const surplus = objects.find((object) => Object.keys(object).some((key) => !known.has(key)));
      if (surplus !== undefined) throw wrong(surplus);
      return build({
        children: fields.map((field) =>
          dataOfValues(
            `${name}.${field.name}`,
            field.type,
            objects.map((object) => object[field.name]),
          ),
        ),
      });
    }
    default:
  }
  try {
    return vectorFromArray(values.map((value) => value ?? null) as never, type as never).data[0] as ArrowData;
  } catch (error) {
    throw new MaskflowError({
      option: name,
      rule: `cannot be written as ${show(String(type))}`,
      cause: error,
      hint: 'Convert it to text, numbers, bytes or lists with map(…).',
    });
  }
}
