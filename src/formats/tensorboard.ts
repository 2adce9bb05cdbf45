// TensorBoard event files: TFRecord framing (length, masked CRC-32C of the length, data, masked CRC-32C of the data)
// around protocol-buffer messages `tensorboard.Event` (tensorboard/compat/proto/{event,summary}.proto). The few fields
// that we write are encoded by hand; no library is needed. TensorBoard's own reader checks the files in bench/interop.
import { maskedCrc32c } from './crc32c.js';

/** One PNG under a tag; `channels` is 1, 2, 3 or 4 as in the file. */
export interface EventImage {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  /** Must be the first event of a file: `brain.Event:2`. */
  readonly fileVersion?: string;
  /** A session starts: TensorBoard drops what earlier files hold of `step` and later ones. */
  readonly sessionStart?: boolean;
  /** Values by tag; stored as float32. */
  readonly scalars?: Readonly<Record<string, number>>;
  readonly images?: Readonly<Record<string, EventImage>>;
}

/** The event that every file begins with. */
export const fileVersion = 'brain.Event:2';

/**
 * One event as a framed record; a file is a plain sequence of these.
 *
 * @example
 * encodeEvent({ wallTime: Date.now() / 1000, step: 3, scalars: { 'train/loss': 0.5 } });
 */
export function encodeEvent({ wallTime, step, fileVersion: version, sessionStart, scalars = {}, images = {} }: TensorBoardEvent): Uint8Array {
  const values = [
    ...Object.entries(scalars).map(([tag, value]) => message(1, text(1, tag), float(2, value))),
    ...Object.entries(images).map(([tag, { png, width, height, channels }]) =>
      message(1, text(1, tag), message(4, integer(1, height), integer(2, width), integer(3, channels), bytes(4, png))),
    ),
  ];
  return encodeRecord(
    concat([
      double(1, wallTime),
      integer(2, step),
      ...(version === undefined ? [] : [text(3, version)]),
      ...(values.length === 0 ? [] : [message(5, ...values)]),
      ...(sessionStart ? [message(7, integer(1, 1))] : []),
    ]),
  );
}

/** TFRecord framing of `data`. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return record;
}

// Protocol buffers: a field is its number and wire type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes), then the value.
function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  out.push(rest);
  return out;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([field << 3, ...varint(value)]);
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([(field << 3) | 2, ...varint(value.length)]), value]);
}

function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

function message(field: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return bytes(field, concat(parts));
}

function double(field: number, value: number): Uint8Array {
  const out = new Uint8Array(9);
  out[0] = (field << 3) | 1;
  new DataView(out.buffer).setFloat64(1, value, true);
  return out;
}

function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(5);
  out[0] = (field << 3) | 5;
  new DataView(out.buffer).setFloat32(1, value, true);
  return out;
}
