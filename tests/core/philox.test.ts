import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox } from '../../src/core/philox.js';

const hex = (words: Uint32Array): string[] => [...words].map((word) => word.toString(16).padStart(8, '0'));
const block = (k0: number, k1: number, c0: number, c1: number, c2: number, c3: number): Uint32Array => philox(new Uint32Array(4), k0, k1, c0, c1, c2, c3);

/** The same generator from 64-bit integers, written from the paper: slow, and nothing in common with ours. */
function reference(key: readonly number[], counter: readonly number[]): Uint32Array {
  let [k0, k1] = key.map((word) => BigInt(word >>> 0)) as [bigint, bigint];
  let [x0, x1, x2, x3] = counter.map((word) => BigInt(word >>> 0)) as [bigint, bigint, bigint, bigint];
  const low = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * x0;
    const p1 = 0xcd9e8d57n * x2;
    [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & low, (p0 >> 32n) ^ x3 ^ k1, p0 & low];
    k0 = (k0 + 0x9e3779b9n) & low;
    k1 = (k1 + 0xbb67ae85n) & low;
  }
  return Uint32Array.from([x0, x1, x2, x3].map(Number));
}

describe('philox', () => {
  // Known answers of Random123 (tests/kat_vectors), philox4x32 with 10 rounds.
  it.each([
    ['zeros', [0, 0], [0, 0, 0, 0], ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']],
    ['ones', [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], ['408f276d', '41c83b0e', 'a20bc7c6', '6d5451fd']],
    ['digits of pi', [0xa4093822, 0x299f31d0], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], ['d16cfe09', '94fdcceb', '5001e420', '24126ea1']],
  ] as const)('gives the published answer: %s', (_, [k0, k1], [c0, c1, c2, c3], answer) => {
    expect(hex(block(k0, k1, c0, c1, c2, c3))).toEqual(answer);
    expect(hex(reference([k0, k1], [c0, c1, c2, c3]))).toEqual(answer);
  });

  const word = fc.integer({ min: 0, max: 0xffffffff });
  it('agrees with 64-bit arithmetic on any key and counter, signed or not', () => {
    fc.assert(
      fc.property(fc.tuple(word, word), fc.tuple(word, word, word, word), (key, counter) => {
        const [k0, k1] = key;
        const [c0, c1, c2, c3] = counter;
        expect(block(k0, k1, c0, c1, c2, c3)).toEqual(reference(key, counter));
        expect(block(k0 | 0, k1 | 0, c0 | 0, c1 | 0, c2 | 0, c3 | 0)).toEqual(reference(key, counter));
      }),
    );
  });

  it('counts c0 block by block, wraps it at 2^32, and cuts the last block', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), word, word, (length, c0, c1) => {
        const words = philox(new Uint32Array(length), 1, 2, c0, c1, 3, 4);
        for (let at = 0; at < length; at += 4) {
          expect([...words.subarray(at, at + 4)]).toEqual([...reference([1, 2], [c0 + at / 4, c1, 3, 4])].slice(0, length - at));
        }
      }),
    );
    expect(philox(new Uint32Array(8), 1, 2, 0xffffffff, 5, 6, 7).subarray(4)).toEqual(block(1, 2, 0, 5, 6, 7));
  });

  it('returns the array that it filled', () => {
    const out = new Uint32Array(3);
    expect(philox(out, 0, 0, 0, 0, 0, 0)).toBe(out);
  });

  it('changes half of the output when one bit of key or counter changes', () => {
    // 192 flips of 128 bits: the mean count of changed bits has standard deviation √32 / √192 ≈ 0.41; ±2.5 fails by chance once in 10^9.
    const input = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0];
    const run = (x: readonly number[]): Uint32Array => block(x[4] as number, x[5] as number, x[0] as number, x[1] as number, x[2] as number, x[3] as number);
    const base = run(input);
    let changed = 0;
    for (let bit = 0; bit < 192; bit++) {
      const flipped = run(input.map((value, i) => (i === bit >> 5 ? value ^ (1 << (bit & 31)) : value)));
      flipped.forEach((value, i) => {
        for (let x = (value ^ (base[i] as number)) >>> 0; x !== 0; x &= x - 1) changed++;
      });
    }
    expect(Math.abs(changed / 192 - 64)).toBeLessThan(2.5);
  });
});
