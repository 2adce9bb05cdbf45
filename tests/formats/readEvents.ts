// A reader of event files, written from the format's description and not from our writer: frames are checked, fields are
// taken apart by wire type, and only what the tests look at is named.
import { crc32c } from '../../src/formats/crc32c.js';

type Field = { readonly field: number; readonly value: number | bigint | Uint8Array };

function fields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const field = tag >> 3;
    switch (tag & 7) {
      case 0:
        out.push({ field, value: varint() });
        break;
      case 1:
        out.push({ field, value: view.getFloat64(at, true) });
        at += 8;
        break;
      case 5:
        out.push({ field, value: view.getFloat32(at, true) });
        at += 4;
        break;
      case 2: {
        const length = Number(varint());
        if (at + length > bytes.length) throw new Error('a field ends behind its message');
        out.push({ field, value: bytes.slice(at, at + length) });
        at += length;
        break;
      }
      default:
        throw new Error(`wire type ${tag & 7}`);
    }
  }
  return out;
}

const get = (list: Field[], field: number): Field['value'] | undefined => list.find((entry) => entry.field === field)?.value;
const text = (value: Field['value'] | undefined): string => new TextDecoder().decode(value as Uint8Array);
const unmask = (masked: number): number => {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
};

export interface ReadEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly version?: string;
  readonly session?: number;
  readonly scalars: Record<string, number>;
  readonly images: Record<string, { height: number; width: number; channels: number; png: Uint8Array }>;
}

/** Data of every record; throws where a checksum or a length is wrong. */
export function readRecords(bytes: Uint8Array): Uint8Array[] {
  const file = Uint8Array.from(bytes);
  const view = new DataView(file.buffer);
  const out: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    if (unmask(view.getUint32(at + 8, true)) !== crc32c(file.subarray(at, at + 8))) throw new Error('checksum of the length');
    const data = file.slice(at + 12, at + 12 + length);
    if (unmask(view.getUint32(at + 12 + length, true)) !== crc32c(data)) throw new Error('checksum of the data');
    out.push(data);
    at += 16 + length;
  }
  return out;
}

export function readEvents(file: Uint8Array): ReadEvent[] {
  return readRecords(file).map((record) => {
    const event = fields(record);
    const result: ReadEvent & { version?: string; session?: number } = {
      wallTime: get(event, 1) as number,
      step: Number(get(event, 2) ?? 0n),
      scalars: {},
      images: {},
    };
    const version = get(event, 3);
    if (version !== undefined) Object.assign(result, { version: text(version) });
    const session = get(event, 7);
    if (session !== undefined) Object.assign(result, { session: Number(get(fields(session as Uint8Array), 1)) });
    for (const { value } of fields((get(event, 5) as Uint8Array | undefined) ?? new Uint8Array(0))) {
      const entry = fields(value as Uint8Array);
      const scalar = get(entry, 2);
      if (scalar !== undefined) result.scalars[text(get(entry, 1))] = scalar as number;
      const image = get(entry, 4);
      if (image === undefined) continue;
      const parts = fields(image as Uint8Array);
      result.images[text(get(entry, 1))] = {
        height: Number(get(parts, 1)),
        width: Number(get(parts, 2)),
        channels: Number(get(parts, 3)),
        png: get(parts, 4) as Uint8Array,
      };
    }
    return result;
  });
}
