import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEvent, encodeRecord, fileVersion } from '../../src/formats/tensorboard.js';
import { readEvents, readRecords } from './readEvents.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('encodeEvent', () => {
  // Bytes made by TensorBoard's own classes: Event(wall_time=1.5, step=300, summary=Summary(value=[Summary.Value(tag='a',
  // simple_value=0.5)])).SerializeToString(), and RecordWriter's framing of b'abc'.
  it('writes the bytes that TensorBoard writes', () => {
    const [data] = readRecords(encodeEvent({ wallTime: 1.5, step: 300, scalars: { a: 0.5 } }));
    expect(hex(data as Uint8Array)).toBe('09000000000000f83f10ac022a0a0a080a0161150000003f');
    expect(hex(encodeRecord(new TextEncoder().encode('abc')))).toBe('0300000000000000b099490e6162636e57f121');
  });

  it('comes back as it was', () => {
    const scalar = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.float());
    fc.assert(
      fc.property(fc.double(), fc.maxSafeNat(), fc.uniqueArray(scalar, { selector: ([tag]) => tag, maxLength: 6 }), (wallTime, step, scalars) => {
        fc.pre(!scalars.some(([tag]) => tag === '__proto__'));
        const [event] = readEvents(encodeEvent({ wallTime, step, scalars: Object.fromEntries(scalars) }));
        expect(event?.wallTime).toEqual(wallTime);
        expect(event?.step).toBe(step);
        expect(event?.scalars).toEqual(Object.fromEntries(scalars));
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it('writes versions, session starts and images', () => {
    const png = Uint8Array.from({ length: 300 }, (_, i) => i);
    const file = Buffer.concat([
      encodeEvent({ wallTime: 1, step: 0, fileVersion }),
      encodeEvent({ wallTime: 2, step: 41, sessionStart: true }),
      encodeEvent({ wallTime: 3, step: 41, scalars: { loss: 1 }, images: { digits: { png, width: 20, height: 10, channels: 3 } } }),
    ]);
    expect(readEvents(file)).toEqual([
      { wallTime: 1, step: 0, version: 'brain.Event:2', scalars: {}, images: {} },
      { wallTime: 2, step: 41, session: 1, scalars: {}, images: {} },
      { wallTime: 3, step: 41, scalars: { loss: 1 }, images: { digits: { height: 10, width: 20, channels: 3, png } } },
    ]);
  });

  it('is protected: any changed byte is noticed', () => {
    const good = encodeEvent({ wallTime: 1.5, step: 7, scalars: { loss: 0.25 } });
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at] = (bad[at] as number) ^ 1;
      expect(() => readRecords(bad)).toThrow();
    }
  });
});
