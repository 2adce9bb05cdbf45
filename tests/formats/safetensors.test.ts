import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../src/core/batch.js';
import { MaskflowError } from '../../src/core/errors.js';
import { decodeSafetensors, encodeSafetensors, safetensorsHeader } from '../../src/formats/safetensors.js';

const column = (data: Column['data'], shape: readonly number[] = [data.length]): Column => ({ data, shape });
const headerOf = (bytes: Uint8Array): string =>
  new TextDecoder().decode(bytes.subarray(8, 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))));
/** A file from a header, written as it stands, and data. */
function file(header: string | object, data: Uint8Array | number = 0, length?: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}
const raw = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const one = (dtype: string, shape: number[], data: Uint8Array): Column['data'] | undefined =>
  decodeSafetensors(file({ x: { dtype, shape, data_offsets: [0, data.length] } }, data)).get('x')?.data;

describe('encodeSafetensors', () => {
  it('writes exactly these bytes', () => {
    const bytes = encodeSafetensors(
      new Map([
        ['b', column(new Uint8Array([7]))],
        ['a', column(new Float32Array([1, -2]), [1, 2])],
      ]),
      { format: 'pt' },
    );
    const header =
      '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}';
    expect(headerOf(bytes).trimEnd()).toBe(header);
    expect(headerOf(bytes).length % 8).toBe(0);
    expect([...bytes.subarray(-9)]).toEqual([0, 0, 128, 63, 0, 0, 0, 192, 7]);
    expect(bytes.length).toBe(8 + Math.ceil(header.length / 8) * 8 + 9);
  });

  const dtypes = fc.constantFrom('float32', 'int32', 'uint8');
  const tensor = fc.tuple(dtypes, fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), fc.integer()).map(([dtype, shape, seed]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length }, (_, i) => (Math.imul(seed + i, 2654435761) >> 3) / (dtype === 'float32' ? 97 : 1));
    return column(dtype === 'float32' ? Float32Array.from(values) : dtype === 'int32' ? Int32Array.from(values) : Uint8Array.from(values), shape);
  });
  const name = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => text !== '__metadata__');
  const tensors = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 12 });

  it('comes back as it was, sorted by name and aligned without copies; the order of the map does not matter', () => {
    fc.assert(
      fc.property(tensors, fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { noNullPrototype: true }), (entries, metadata) => {
        const bytes = encodeSafetensors(new Map(entries), metadata);
        expect(encodeSafetensors(new Map([...entries].reverse()), metadata)).toEqual(bytes);
        const back = decodeSafetensors(bytes);
        expect([...back.keys()]).toEqual(entries.map(([key]) => key).sort());
        for (const [key, value] of entries) {
          expect(back.get(key)).toEqual({ data: value.data, shape: value.shape });
          expect(back.get(key)?.data.buffer).toBe(bytes.buffer);
        }
        expect({ ...safetensorsHeader(bytes).metadata }).toEqual(metadata);
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it('keeps names that JavaScript objects treat in their own way', () => {
    const names = ['10', '9', '__proto__', 'constructor', 'encoder.layer.0.bias', 'ü"\n'];
    const back = decodeSafetensors(encodeSafetensors(new Map(names.map((key, i) => [key, column(new Int32Array([i]))]))));
    expect(new Map([...back].map(([key, { data }]) => [key, data[0]]))).toEqual(new Map(names.map((key, i) => [key, i])));
  });

  it('keeps every bit of floats: NaN payloads, -0, infinities, denormals', () => {
    const bits = Uint32Array.from([0x7fc00001, 0xffc12345, 0x80000000, 0x7f800000, 0xff800000, 1]);
    const back = decodeSafetensors(encodeSafetensors(new Map([['x', column(new Float32Array(bits.buffer))]]))).get('x') as Column;
    expect(raw(back.data)).toEqual(raw(bits));
  });

  it('writes an empty file', () => {
    expect(decodeSafetensors(encodeSafetensors(new Map())).size).toBe(0);
  });

  it.each<[string, Map<string, Column>, string]>([
    ['a shape that does not fit', new Map([['w', column(new Float32Array(5), [2, 3])]]), 'safetensors.w: shape [2, 3] must hold exactly the 5 values given.'],
    ['a fractional shape', new Map([['w', column(new Float32Array(3), [1.5, 2])]]), 'safetensors.w: shape [1.5, 2] must hold exactly the 3 values given.'],
    [
      'the reserved name',
      new Map([['__metadata__', column(new Float32Array(1))]]),
      'a tensor needs a name of well-formed Unicode other than __metadata__; got "__metadata__"',
    ],
    ['half a surrogate pair', new Map([['a\ud800', column(new Float32Array(1))]]), 'well-formed Unicode'],
  ])('refuses %s', (_, map, message) => {
    expect(() => encodeSafetensors(map)).toThrow(message);
    expect(() => encodeSafetensors(map)).toThrow(MaskflowError);
  });
});

describe('decodeSafetensors: types', () => {
  it('F16 is exact', () => {
    const bits = Uint16Array.from([0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e00]);
    const expected = [0, -0, 1, -2, 0.333251953125, 65504, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    expect(one('F16', [12], raw(bits))).toEqual(Float32Array.from(expected));
  });

  it('BF16 is the upper half of a float32', () => {
    expect(one('BF16', [5], raw(Uint16Array.from([0x3f80, 0xc000, 0x8000, 0x7f80, 0x4049])))).toEqual(
      Float32Array.from([1, -2, -0, Number.POSITIVE_INFINITY, 3.140625]),
    );
  });

  it('F64 is rounded to float32', () => {
    expect(one('F64', [3], raw(Float64Array.from([Math.PI, 1e300, -0.1])))).toEqual(Float32Array.from([Math.PI, Number.POSITIVE_INFINITY, -0.1]));
  });

  it('I64 becomes int32 and must fit', () => {
    expect(one('I64', [3], raw(BigInt64Array.from([0n, -2147483648n, 2147483647n])))).toEqual(Int32Array.from([0, -2147483648, 2147483647]));
    expect(() => one('I64', [1], raw(BigInt64Array.from([2147483648n])))).toThrow('safetensors.x: I64 is read as int32 and must fit; got 2147483648n.');
  });

  it('BOOL is 0 or 1', () => {
    expect(one('BOOL', [3], Uint8Array.from([1, 0, 1]))).toEqual(Uint8Array.from([1, 0, 1]));
    expect(() => one('BOOL', [1], Uint8Array.from([2]))).toThrow('BOOL holds 0 and 1 alone; got 2');
  });

  it('copies what is not aligned, whatever the view starts at', () => {
    const bytes = encodeSafetensors(new Map([['x', column(new Float32Array([1, 2, 3]))]]));
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    expect(decodeSafetensors(shifted).get('x')?.data).toEqual(new Float32Array([1, 2, 3]));
    const odd = file(
      { a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }, b: { dtype: 'F64', shape: [1], data_offsets: [1, 9] } },
      Uint8Array.from([9, ...raw(Float64Array.from([0.5]))]),
    );
    expect(decodeSafetensors(odd).get('b')?.data).toEqual(new Float32Array([0.5]));
  });
});

describe('decodeSafetensors: broken files', () => {
  const f32 = (begin: number, end: number, shape = [(end - begin) / 4]): object => ({ dtype: 'F32', shape, data_offsets: [begin, end] });
  it.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'a file has at least 8 bytes; got 0'],
    ['a length beyond the limit', file('{}', 0, 2 ** 40), 'the header must not exceed 100000000 bytes'],
    ['a header behind the end', file('{}', 0, 40), 'the header ends at byte 48, behind the end of the file; got 10'],
    ['no JSON', file('{"a":'), 'the header is not JSON in UTF-8'],
    ['no UTF-8', file('{"a\u00e9"}', 0, 4), 'the header is not JSON in UTF-8'],
    ['a list', file('[]'), 'the header must be a JSON object'],
    ['leading spaces', file(' {}'), 'the header must be a JSON object'],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), '__metadata__ must be an object of texts; got 1'],
    ['metadata as a list', file({ __metadata__: [] }), '__metadata__ must be an object of texts'],
    ['an entry without dtype', file({ x: { shape: [1], data_offsets: [0, 4] } }, 4), 'safetensors.x: needs a dtype and a shape of whole numbers'],
    ['an entry that is null', file({ x: null }), 'needs a dtype and a shape'],
    ['a negative side', file({ x: f32(0, 4, [-1]) }, 4), 'a shape of whole numbers'],
    ['a shape too large to count', file({ x: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), 'needs'],
    [
      'an unknown type',
      file({ x: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4),
      'only F32, F16, BF16, F64, I32, I64, U8, BOOL are read; convert this one first; got "F8_E4M3"',
    ],
    ['offsets of three', file({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4), 'data_offsets must be [begin, end]; got [0,4,8]'],
    ['offsets that run back', file({ x: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4), 'data_offsets must be [begin, end]'],
    ['a size that does not fit', file({ x: f32(0, 8, [3]) }, 8), 'safetensors.x: F32 of shape [3] needs 12 bytes; got 8'],
    ['an overlap', file({ x: f32(0, 8), y: f32(4, 12) }, 12), 'safetensors.y: its data overlaps that of another tensor'],
    ['a hole', file({ x: f32(0, 4), y: f32(8, 12) }, 12), 'safetensors.y: there is a hole before its data'],
    ['a truncated file', file({ x: f32(0, 8) }, 7), 'the file is cut off'],
    ['bytes at the end', file({ x: f32(0, 8) }, 9), 'the file goes on'],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, { file: 'model.safetensors' })).toThrow(message);
    expect(() => decodeSafetensors(bytes, { file: 'model.safetensors' })).toThrow('model.safetensors');
    expect(() => decodeSafetensors(bytes)).toThrow(MaskflowError);
  });

  it('any cut and any changed byte of the header is read right or refused by an error of ours', () => {
    const good = encodeSafetensors(
      new Map([
        ['w', column(new Float32Array(6), [2, 3])],
        ['i', column(new Int32Array(2))],
        ['u', column(new Uint8Array(3))],
      ]),
      { a: 'b' },
    );
    const header = good.length - 35;
    const survives = (bytes: Uint8Array): void => {
      try {
        for (const { data, shape } of decodeSafetensors(bytes).values()) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
      } catch (error) {
        expect(error).toBeInstanceOf(MaskflowError);
      }
    };
    for (let end = 0; end < good.length; end++) expect(() => decodeSafetensors(good.subarray(0, end))).toThrow(MaskflowError);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: header - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const bytes = good.slice();
        bytes[at] = value;
        survives(bytes);
      }),
      { numRuns: 500, seed: 4 },
    );
  });
});
