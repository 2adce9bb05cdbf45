import { describe, expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from '../../src/formats/crc32c.js';

describe('crc32c', () => {
  // RFC 3720, appendix B.4, and the usual check value of the polynomial.
  it.each<[string, Uint8Array, number]>([
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['rising', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['falling', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ['123456789', new TextEncoder().encode('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
  ])('%s', (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  it('is masked as TFRecord asks: rotated by 15 and shifted by 0xa282ead8', () => {
    const c = 0xe3069283;
    expect(maskedCrc32c(new TextEncoder().encode('123456789'))).toBe(Number(((BigInt(c) >> 15n) | ((BigInt(c) << 17n) & 0xffffffffn)) + 0xa282ead8n) % 2 ** 32);
  });
});
