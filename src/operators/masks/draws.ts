// The draws of one sample at a time, without an allocation a mask: one buffer that every mask begins anew. A rule draws from
// nothing else between `beginDraws` and its last draw, so what it draws depends on its key alone. Words as in `words(key)`.
import type { Key } from '../../core/key.js';
import { philox } from '../../core/philox.js';

const size = 32;
const buffer = new Uint32Array(size);
let [k0, k1, c1, c2, c3, block, at] = [0, 0, 0, 0, 0, 0, size];
let order = new Int32Array(256);
let items = 0;
let placed = 0;

/** The draws that follow are those of `key`, from the first one on. */
export function beginDraws(key: Key): void {
  k0 = key.k0;
  k1 = key.k1;
  c1 = key.c1;
  c2 = key.c2;
  c3 = key.c3;
  block = 0;
  at = size;
}

/** Uniform integer in [0, 2^32). */
export function drawWord(): number {
  if (at === size) {
    philox(buffer, k0, k1, block, c1, c2, c3);
    block += size / 4;
    at = 0;
  }
  return buffer[at++] as number;
}

/** Uniform in [0, 1), 53 bits. */
export function drawUniform(): number {
  return ((drawWord() >>> 5) * 67108864 + (drawWord() >>> 6)) / 9007199254740992;
}

/** Uniform integer in [0, n), unbiased, 1 ≤ n ≤ 2^21 (Lemire 2019: the high word of a product, its short intervals redrawn). */
export function drawBelow(n: number): number {
  for (;;) {
    const product = drawWord() * n;
    const low = product >>> 0;
    // 2^32 mod n is less than n, so the remainder is only computed where it can matter.
    if (low >= n || low >= 4294967296 % n) return (product - low) / 4294967296;
  }
}

/** A uniformly random order of 0 … count − 1 begins; its places are drawn as they are asked for. */
export function beginOrder(count: number): void {
  if (order.length < count) order = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) order[i] = i;
  items = count;
  placed = 0;
}

/** What stands at `place` of the order; places are first asked for from 0 upwards, without a gap (partial Fisher–Yates). */
export function inOrder(place: number): number {
  if (place === placed) {
    const other = placed + drawBelow(items - placed);
    const drawn = order[other] as number;
    order[other] = order[placed] as number;
    order[placed++] = drawn;
  }
  return order[place] as number;
}
