// safetensors: 8 bytes of header length, a JSON header (name → dtype, shape, place), then the raw little-endian data.
// Specification: https://github.com/huggingface/safetensors#format. Files of ours are deterministic: header entries in
// the order of their names, data in the order of element size and then of name, so that every tensor is aligned without
// a hole (holes are illegal). Reading checks everything that the reference reader checks before it touches any data.
import { type Column, type DType, dtypeOf, sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';

const stage = 'safetensors';
/** Limit of the reference reader: a header is never larger, whatever the first eight bytes say. */
const maxHeader = 100_000_000;
const dtypes = { float32: 'F32', int32: 'I32', uint8: 'U8' } as const satisfies Record<DType, string>;
const bytesOf: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, F64: 8, I32: 4, I64: 8, U8: 1, BOOL: 1 };
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export interface SafetensorsOptions {
  /** Name of the file, for error messages. */
  readonly file?: string;
}

/** What the header says of one tensor; `begin` and `end` count bytes from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Named tensors as the bytes of a safetensors file (F32, I32, U8). Equal input gives equal bytes, whatever the order of
 * the map. A name that is not well-formed Unicode, the reserved `__metadata__`, and data that does not fill its shape
 * are errors.
 *
 * @example
 * writeFileSync('model.safetensors', encodeSafetensors(new Map([['bias', { data: new Float32Array(4), shape: [4] }]]), { format: 'pt' }));
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, Column>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  needLittleEndian();
  const names = [...tensors.keys()].sort();
  const column = (name: string): Column => tensors.get(name) as Column;
  for (const name of names) checkTensor(name, column(name));
  // 1. Places: largest elements first, so that each begins at a multiple of its size.
  const places = new Map<string, number>();
  let length = 0;
  for (const size of [4, 1]) {
    for (const name of names) {
      const { data } = column(name);
      if (data.BYTES_PER_ELEMENT !== size) continue;
      places.set(name, length);
      length += data.byteLength;
    }
  }
  // 2. The header, written entry by entry: an object literal would reorder names that look like numbers.
  const entries = names.map((name) => {
    const { data, shape } = column(name);
    const begin = places.get(name) as number;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: dtypes[dtypeOf(data)], shape, data_offsets: [begin, begin + data.byteLength] })}`;
  });
  if (metadata !== undefined) {
    const pairs = Object.keys(metadata).sort();
    entries.unshift(`"__metadata__":{${pairs.map((key) => `${JSON.stringify(key)}:${JSON.stringify(String(metadata[key]))}`).join(',')}}`);
  }
  const header = new TextEncoder().encode(`{${entries.join(',')}}`);
  const padded = Math.ceil(header.length / 8) * 8;
  if (padded > maxHeader) throw new MaskflowError({ stage, rule: `the header must not exceed ${maxHeader} bytes`, value: padded });
  // 3. The file.
  const bytes = new Uint8Array(8 + padded + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.fill(0x20, 8, 8 + padded);
  bytes.set(header, 8);
  for (const [name, begin] of places) {
    const { data } = column(name);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + padded + begin);
  }
  return bytes;
}

function checkTensor(name: string, { data, shape }: Column): void {
  if (name === '__metadata__' || /\p{Surrogate}/u.test(name)) {
    throw new MaskflowError({ stage, rule: 'a tensor needs a name of well-formed Unicode other than __metadata__', value: name });
  }
  if (shape.every((side) => Number.isSafeInteger(side) && side >= 0) && sizeOf(shape) === data.length) return;
  throw new MaskflowError({ stage, option: name, rule: `shape [${shape.join(', ')}] must hold exactly the ${data.length} values given` });
}

/**
 * The tensors of a safetensors file, in the order of their names. F32, I32 and U8 are views of `bytes` where their place
 * is aligned (always so in files of ours), else copies. F16 and BF16 become float32 exactly; F64 is rounded to float32
 * (beyond its range: infinite); I64 becomes int32 and must fit; BOOL becomes uint8. Other types, and every header that is
 * cut off, overlaps, leaves holes or contradicts itself, are errors.
 *
 * @example
 * const weights = decodeSafetensors(readFileSync('model.safetensors'), { file: 'model.safetensors' });
 */
export function decodeSafetensors(bytes: Uint8Array, options: SafetensorsOptions = {}): Map<string, Column> {
  const { entries } = safetensorsHeader(bytes, options);
  return new Map(entries.map((entry) => [entry.name, { data: valuesOf(bytes, entry, options), shape: entry.shape }]));
}

/** The header alone, checked: entries in the order of their names, and the metadata (text by text). */
export function safetensorsHeader(
  bytes: Uint8Array,
  { file }: SafetensorsOptions = {},
): { readonly entries: readonly SafetensorsEntry[]; readonly metadata: Readonly<Record<string, string>> } {
  const refuse = (rule: string, more: { value?: unknown; option?: string; cause?: unknown } = {}): never => {
    throw new MaskflowError({ stage, rule, ...more, ...(file === undefined ? {} : { where: file }), hint: 'Copy or download the file again.' });
  };
  if (bytes.length < 8) refuse('a file has at least 8 bytes', { value: bytes.length });
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > maxHeader) refuse(`the header must not exceed ${maxHeader} bytes; this is no safetensors file, or a broken one`, { value: length });
  if (8 + length > bytes.length) refuse(`the header ends at byte ${8 + length}, behind the end of the file`, { value: bytes.length });
  const header = parse(bytes.subarray(8, 8 + length), refuse);
  const start = 8 + length;
  const metadata: Record<string, string> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') {
      entries.push(entryOf(name, value, start, refuse));
      continue;
    }
    if (!isObject(value)) refuse('__metadata__ must be an object of texts', { value });
    for (const [key, text] of Object.entries(value as object)) {
      if (typeof text !== 'string') refuse('__metadata__ must be an object of texts', { value: text, option: key });
      metadata[key] = text as string;
    }
  }
  // The data must be covered from end to end, without overlap and without hole.
  let covered = start;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) refuse(begin < covered ? 'its data overlaps that of another tensor' : 'there is a hole before its data', { option: name });
    covered = end;
  }
  if (covered !== bytes.length)
    refuse(`the tensors end at byte ${covered}; the file ${covered > bytes.length ? 'is cut off' : 'goes on'}`, { value: bytes.length });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, metadata };
}

type Refuse = (rule: string, more?: { value?: unknown; option?: string; cause?: unknown }) => never;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(header: Uint8Array, refuse: Refuse): Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header));
  } catch (cause) {
    return refuse('the header is not JSON in UTF-8', { cause });
  }
  return isObject(parsed) && header[0] === 0x7b ? parsed : refuse('the header must be a JSON object', { value: parsed });
}

function entryOf(name: string, value: unknown, start: number, refuse: Refuse): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : ({} as Readonly<Record<string, unknown>>);
  const count = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;
  if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(count))
    return refuse('needs a dtype and a shape of whole numbers', { option: name, value });
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(count) || offsets[1] < offsets[0]) {
    return refuse('data_offsets must be [begin, end]', { option: name, value: offsets });
  }
  const size = bytesOf[dtype];
  if (size === undefined) return refuse(`only ${Object.keys(bytesOf).join(', ')} are read; convert this one first`, { option: name, value: dtype });
  const needed = sizeOf(shape as number[]) * size;
  if (needed !== offsets[1] - offsets[0])
    refuse(`${dtype} of shape [${shape.join(', ')}] needs ${needed} bytes`, { option: name, value: offsets[1] - offsets[0] });
  return { name, dtype, shape: shape as number[], begin: start + offsets[0], end: start + offsets[1] };
}

function valuesOf(bytes: Uint8Array, entry: SafetensorsEntry, { file }: SafetensorsOptions): Column['data'] {
  needLittleEndian();
  const { name, dtype, begin, end } = entry;
  const size = bytesOf[dtype] as number;
  const at = bytes.byteOffset + begin;
  // An aligned view where there is one, else an aligned copy.
  const [buffer, offset] = at % size === 0 ? [bytes.buffer, at] : [bytes.slice(begin, end).buffer, 0];
  const count = (end - begin) / size;
  const refuse = (rule: string, value: unknown): never => {
    throw new MaskflowError({ stage, option: name, rule, value, ...(file === undefined ? {} : { where: file }) });
  };
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, offset, count);
    case 'I32':
      return new Int32Array(buffer, offset, count);
    case 'U8':
      return new Uint8Array(buffer, offset, count);
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer, offset, count), half);
    case 'BF16':
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer, offset, count), (bits) => bits << 16).buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, offset, count));
    case 'BOOL': {
      const flags = new Uint8Array(buffer, offset, count);
      for (const flag of flags) if (flag > 1) refuse('BOOL holds 0 and 1 alone', flag);
      return flags;
    }
    default: {
      const wide = new BigInt64Array(buffer, offset, count);
      const narrow = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        narrow[i] = Number(wide[i]);
        if (BigInt(narrow[i] as number) !== wide[i]) refuse('I64 is read as int32 and must fit', wide[i]);
      }
      return narrow;
    }
  }
}

/** IEEE 754 binary16, bits to value. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function needLittleEndian(): void {
  if (!littleEndian) throw new MaskflowError({ stage, rule: 'is written for little-endian machines', hint: 'Use an x86-64 or ARM machine.' });
}
