// Randomness is a value. A key names a stream of draws; what is drawn depends on the key and on nothing else:
// not on batch size, workers, order of arrival or resume. Keys of samples are injective in (source, id, epoch).
import { MaskflowError } from './errors.js';
import type { Origin } from './batch.js';
import { philox } from './philox.js';

/** A place in Philox's space: key words k0, k1 and the upper counter words c1–c3; draws count c0 from 0. */
export interface Key {
  readonly k0: number;
  readonly k1: number;
  readonly c1: number;
  readonly c2: number;
  readonly c3: number;
}

const LOW = 2 ** 32;
const ids = 2 ** 53;
const sources = 2 ** 11;

/** The key of a whole run. `seed` is an integer in [0, 2^53). */
export function rootKey(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new MaskflowError({ option: 'seed', rule: 'must be an integer from 0 to 2^53 − 1', value: seed, hint: 'Try --seed 0.' });
  }
  return { k0: (seed % LOW) | 0, k1: Math.floor(seed / LOW) | 0, c1: 0, c2: 0, c3: 0 };
}

/** A new key for a named part of `key`: another stage, parameter or purpose. */
export function fold(key: Key, name: string | number): Key {
  const bytes = new TextEncoder().encode(String(name));
  const words = new Uint32Array(4);
  // Absorb the old counter, then the name in blocks of 16 bytes, then its length and type: each block's output keys the next.
  philox(words, key.k0, key.k1, -1, key.c1, key.c2, key.c3);
  for (let at = 0; at < bytes.length; at += 16) {
    const block = new Uint8Array(16);
    block.set(bytes.subarray(at, at + 16));
    const view = new DataView(block.buffer);
    const word = (i: number): number => view.getUint32(4 * i, true);
    philox(words, words[0] as number, words[1] as number, word(0), word(1), word(2), word(3));
  }
  philox(words, words[0] as number, words[1] as number, bytes.length, typeof name === 'number' ? 1 : 0, 0, 0x66_6f_6c_64);
  return { k0: (words[0] as number) | 0, k1: (words[1] as number) | 0, c1: 0, c2: 0, c3: 0 };
}

/** The key of one sample in a stage whose key is `stage`: injective in (source, id, epoch). */
export function sampleKey(stage: Key, origin: Pick<Origin, 'source' | 'id' | 'epoch'>): Key {
  const { source, id, epoch } = origin;
  if (
    !(
      Number.isInteger(source) &&
      source >= 0 &&
      source < sources &&
      Number.isSafeInteger(id) &&
      id >= 0 &&
      Number.isInteger(epoch) &&
      epoch >= 0 &&
      epoch < LOW
    )
  ) {
    throw new MaskflowError({
      rule: 'an origin needs source < 2048, id < 2^53 and epoch < 2^32, none negative',
      value: { source, id, epoch },
      hint: 'All three are whole numbers.',
    });
  }
  return { k0: stage.k0, k1: stage.k1, c1: epoch | 0, c2: (id % LOW) | 0, c3: (Math.floor(id / LOW) + source * 2 ** 21) | 0 };
}

/** The first `count` words of a key, uniform in [0, 2^32); the cheapest draw, and the one that masks rank. */
export function words(key: Key, count: number): Uint32Array {
  return philox(new Uint32Array(count), key.k0, key.k1, 0, key.c1, key.c2, key.c3);
}

/** The draws of one key, one after the other. Two streams of one key give the same draws: make one where it is used, keep none. */
export class Draws {
  readonly #key: Key;
  readonly #buffer = new Uint32Array(64);
  #block = 0;
  #at = 64;
  constructor(key: Key) {
    this.#key = key;
  }

  /** Uniform integer in [0, 2^32). */
  word(): number {
    if (this.#at === 64) {
      const { k0, k1, c1, c2, c3 } = this.#key;
      philox(this.#buffer, k0, k1, this.#block, c1, c2, c3);
      this.#block += 16;
      this.#at = 0;
    }
    return this.#buffer[this.#at++] as number;
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.word() >>> 5) * 67108864 + (this.word() >>> 6)) / 9007199254740992;
    return low + (high - low) * unit;
  }

  /** Standard normal (Box–Muller on 53-bit uniforms; two words a uniform, one normal a pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Standard Gumbel, −ln(−ln u) in float64 with u = (n + ½) / 2^52 in (0, 1), so that both tails reach |x| > 36. */
  gumbel(): number {
    const u = ((this.word() >>> 6) * 67108864 + (this.word() >>> 6) + 0.5) / 4503599627370496;
    return -Math.log(-Math.log(u));
  }

  /** Uniform integer in [0, n), unbiased for 1 ≤ n ≤ 2^53. */
  integer(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1) throw new MaskflowError({ option: 'n', rule: 'must be an integer of at least 1', value: n });
    const limit = n <= LOW ? LOW - (LOW % n) : ids - (ids % n);
    for (;;) {
      const draw = n <= LOW ? this.word() : (this.word() >>> 5) * 67108864 + (this.word() >>> 6);
      if (draw < limit) return draw % n;
    }
  }

  /** `k` of the integers 0 … n − 1 without replacement, in the order drawn (partial Fisher–Yates). */
  choice(n: number, k: number): Int32Array {
    if (!(k >= 0 && k <= n)) throw new MaskflowError({ option: 'k', rule: `must lie in [0, ${n}]`, value: k });
    const pool = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < k; i++) {
      const j = i + this.integer(n - i);
      const drawn = pool[j] as number;
      pool[j] = pool[i] as number;
      pool[i] = drawn;
    }
    return pool.slice(0, k);
  }

  /** A uniform permutation of 0 … n − 1. */
  permutation(n: number): Int32Array {
    return this.choice(n, n);
  }
}

/** `count` uniforms in [0, 1) of a key. */
export function uniforms(key: Key, count: number): Float64Array {
  const draws = new Draws(key);
  return Float64Array.from({ length: count }, () => draws.uniform());
}

/** `count` standard normals of a key. */
export function normals(key: Key, count: number): Float64Array {
  const draws = new Draws(key);
  return Float64Array.from({ length: count }, () => draws.normal());
}

/** `count` standard Gumbel draws of a key. */
export function gumbels(key: Key, count: number): Float64Array {
  const draws = new Draws(key);
  return Float64Array.from({ length: count }, () => draws.gumbel());
}

/** Up to this length a permutation is drawn as an array (4 bytes an element); beyond it is computed index by index. */
const drawn = 2 ** 20;

/**
 * A keyed permutation of 0 … n − 1 as a function of the index: shuffled orders of any length come from it. Up to 2^20 a
 * uniform one (Fisher–Yates); beyond, in constant memory, a balanced Feistel network of six rounds over the next even
 * number of bits, walked until it falls inside (on few bits such networks are visibly not uniform, so they are not used there).
 */
export function permuted(key: Key, n: number): (index: number) => number {
  if (!Number.isSafeInteger(n) || n < 1 || n > 2 ** 48) {
    throw new MaskflowError({ option: 'n', rule: 'must be an integer from 1 to 2^48', value: n });
  }
  const inner = fold(key, 'permuted');
  if (n > drawn) return feistel(inner, n);
  const order = new Draws(inner).permutation(n);
  return (index) => order[index] as number;
}

function feistel({ k0, k1 }: Key, n: number): (index: number) => number {
  const half = Math.ceil(Math.log2(n) / 2);
  const side = 2 ** half;
  const out = new Uint32Array(4);
  return (index) => {
    let x = index;
    do {
      let left = Math.floor(x / side);
      let right = x % side;
      for (let round = 0; round < 6; round++) {
        philox(out, k0, k1, right, round, 0, 0);
        const next = (left ^ ((out[0] as number) & (side - 1))) >>> 0;
        left = right;
        right = next;
      }
      x = left * side + right;
    } while (x >= n);
    return x;
  };
}
