// Philox 4×32-10, a counter-based generator (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011, section 3.3; constants of Random123). 128-bit counter and 64-bit key in, four 32-bit words out:
// no state, so any draw of any sample can be made anywhere, in any order.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const M0L = M0 & 0xffff;
const M0H = M0 >>> 16;
const M1L = M1 & 0xffff;
const M1H = M1 >>> 16;

/**
 * Fills `out` with the words of the consecutive counters (c0, c1, c2, c3), (c0 + 1, c1, c2, c3), …; four words a counter,
 * a last partial block cut. Only c0 counts (mod 2^32); one key and (c1, c2, c3) give 2^34 words.
 */
export function philox(out: Uint32Array, k0: number, k1: number, c0: number, c1: number, c2: number, c3: number): Uint32Array {
  const length = out.length;
  for (let at = 0, block = c0 | 0; at < length; at += 4, block = (block + 1) | 0) {
    let x0 = block;
    let x1 = c1 | 0;
    let x2 = c2 | 0;
    let x3 = c3 | 0;
    let a = k0 | 0;
    let b = k1 | 0;
    for (let round = 0; round < 10; round++) {
      // The high words of the two 32×32-bit products, from 16-bit halves; no partial sum passes 2^32.
      const x0l = x0 & 0xffff;
      const x0h = x0 >>> 16;
      const low0 = Math.imul(x0l, M0L) >>> 0;
      const mid0 = (Math.imul(x0h, M0L) >>> 0) + (low0 >>> 16);
      const cross0 = (Math.imul(x0l, M0H) >>> 0) + (mid0 & 0xffff);
      const high0 = (Math.imul(x0h, M0H) + (mid0 >>> 16) + (cross0 >>> 16)) | 0;
      const x2l = x2 & 0xffff;
      const x2h = x2 >>> 16;
      const low1 = Math.imul(x2l, M1L) >>> 0;
      const mid1 = (Math.imul(x2h, M1L) >>> 0) + (low1 >>> 16);
      const cross1 = (Math.imul(x2l, M1H) >>> 0) + (mid1 & 0xffff);
      const high1 = (Math.imul(x2h, M1H) + (mid1 >>> 16) + (cross1 >>> 16)) | 0;
      const y1 = Math.imul(x2, M1);
      const y3 = Math.imul(x0, M0);
      x0 = high1 ^ x1 ^ a;
      x2 = high0 ^ x3 ^ b;
      x1 = y1;
      x3 = y3;
      a = (a + W0) | 0;
      b = (b + W1) | 0;
    }
    out[at] = x0;
    if (at + 1 < length) out[at + 1] = x1;
    if (at + 2 < length) out[at + 2] = x2;
    if (at + 3 < length) out[at + 3] = x3;
  }
  return out;
}
