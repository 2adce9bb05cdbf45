// Small typed arrays cut one after the other from blocks of 64 KB. Node allocates every typed array's memory outside of its
// heap, at about 1 µs each; a mask of 196 tokens takes
// 2 µs in all, and every one of them is watched by the garbage collector. The cut pieces never overlap and are never reused, so a
// piece is an array like any other, except that its `buffer` is larger than itself: take the array, not its buffer.

const blockSize = 65_536;
/** Larger arrays gain nothing and would waste the rest of a block. */
const largest = 8_192;
let slab = new ArrayBuffer(0);
let used = 0;

function room(bytes: number): number {
  if (used + bytes > slab.byteLength) {
    slab = new ArrayBuffer(blockSize);
    used = 0;
  }
  const at = used;
  used += (bytes + 7) & ~7;
  return at;
}

/** `length` zeros. */
export function freshBytes(length: number): Uint8Array {
  if (length > largest) return new Uint8Array(length);
  const at = room(length);
  return new Uint8Array(slab, at, length);
}

/** `length` zeros. */
export function freshWords(length: number): Uint32Array {
  if (4 * length > largest) return new Uint32Array(length);
  const at = room(4 * length);
  return new Uint32Array(slab, at, length);
}

/** `length` zeros. */
export function freshFloats(length: number): Float32Array {
  if (4 * length > largest) return new Float32Array(length);
  const at = room(4 * length);
  return new Float32Array(slab, at, length);
}

/** `length` zeros. */
export function freshDoubles(length: number): Float64Array {
  if (8 * length > largest) return new Float64Array(length);
  const at = room(8 * length);
  return new Float64Array(slab, at, length);
}
