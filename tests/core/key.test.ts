import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws, type Key, fold, gumbels, normals, permuted, rootKey, sampleKey, uniforms, words } from '../../src/core/key.js';
import { philox } from '../../src/core/philox.js';

const text = ({ k0, k1, c1, c2, c3 }: Key): string => [k0, k1, c1, c2, c3].join();
const root = rootKey(42);

describe('rootKey', () => {
  it('takes integers from 0 to 2^53 − 1 and keeps them apart', () => {
    const seeds = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
    expect(new Set(seeds.map((seed) => text(rootKey(seed)))).size).toBe(seeds.length);
  });
  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1' as never])('refuses %s', (seed) => {
    expect(() => rootKey(seed)).toThrow(/^seed: must be an integer from 0 to 2\^53 − 1; got .*Try --seed 0\./);
  });
});

describe('fold', () => {
  it('separates names, numbers from their digits, concatenations, orders and long names', () => {
    const long = 'a'.repeat(16);
    const keys = [
      root,
      fold(root, ''),
      fold(root, 'a'),
      fold(root, 'b'),
      fold(root, 'a\0'),
      fold(root, 1),
      fold(root, '1'),
      fold(root, -1),
      fold(fold(root, 'ab'), 'c'),
      fold(fold(root, 'a'), 'bc'),
      fold(root, 'abc'),
      fold(fold(root, 'c'), 'ab'),
      fold(root, long),
      fold(root, `${long}\0`),
      fold(root, `${long}${long}`),
      fold(root, `${long}b${long}`),
      fold(root, `b${long}${long}`),
      fold(root, 'é'),
      fold(root, 'e\u0301'),
      fold(rootKey(43), 'a'),
      fold(sampleKey(root, { source: 0, id: 1, epoch: 0 }), 'a'),
      fold(sampleKey(root, { source: 0, id: 0, epoch: 1 }), 'a'),
      fold(sampleKey(root, { source: 1, id: 0, epoch: 0 }), 'a'),
    ];
    expect(new Set(keys.map(text)).size).toBe(keys.length);
  });
  it('is a function of key and name', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 50 }), fc.string({ maxLength: 50 }), (a, b) => {
        expect(text(fold(root, a)) === text(fold(root, b))).toBe(a === b);
      }),
    );
  });
  it('leaves keys whose draws have nothing to do with each other', () => {
    // 64 keys × 64 words of 32 bits: any repeated word among 4,096 has probability 0.2 %; more than two, 2·10^-9.
    const seen = Array.from({ length: 64 }, (_, i) => [...words(fold(root, `stage ${i}`), 64)]).flat();
    expect(new Set(seen).size).toBeGreaterThanOrEqual(4094);
  });
});

describe('sampleKey', () => {
  const origin = fc.record({
    source: fc.integer({ min: 0, max: 2047 }),
    id: fc.oneof(fc.integer({ min: 0, max: 2 ** 53 - 1 }), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1)),
    epoch: fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1)),
  });
  it('is injective: the origin can be read back from the key', () => {
    fc.assert(
      fc.property(origin, (o) => {
        const { k0, k1, c1, c2, c3 } = sampleKey(root, o);
        expect([k0, k1]).toEqual([root.k0, root.k1]);
        const high = c3 >>> 0;
        expect({ source: high >>> 21, id: (high % 2 ** 21) * 2 ** 32 + (c2 >>> 0), epoch: c1 >>> 0 }).toEqual(o);
      }),
      { numRuns: 2000 },
    );
  });
  it.each([
    [{ source: 2048, id: 0, epoch: 0 }],
    [{ source: 0, id: 2 ** 53, epoch: 0 }],
    [{ source: 0, id: -1, epoch: 0 }],
    [{ source: 0, id: 0, epoch: 2 ** 32 }],
    [{ source: 0, id: Number.NaN, epoch: 0 }],
  ])('refuses %j', (o) => {
    expect(() => sampleKey(root, o)).toThrow(/an origin needs source < 2048, id < 2\^53 and epoch < 2\^32, none negative; got/);
  });
  it('refuses an id between two integers, which would share a key with its neighbour', () => {
    expect(() => sampleKey(root, { source: 0, id: 1.5, epoch: 0 })).toThrow(/an origin needs/);
  });
});

describe('draws', () => {
  const key = sampleKey(fold(root, 'mask'), { source: 1, id: 7, epoch: 2 });
  it('words are the blocks of Philox from counter 0, and a stream is the same words one after the other', () => {
    expect(words(key, 10)).toEqual(philox(new Uint32Array(10), key.k0, key.k1, 0, key.c1, key.c2, key.c3));
    const draws = new Draws(key);
    expect(Uint32Array.from({ length: 200 }, () => draws.word())).toEqual(words(key, 200));
  });
  it('two streams of a key are equal; arrays are prefixes of longer ones', () => {
    for (const many of [uniforms, normals, gumbels]) {
      expect(many(key, 5)).toEqual(many(key, 50).subarray(0, 5));
      expect(many(key, 0)).toHaveLength(0);
    }
    expect(uniforms(key, 3)).not.toEqual(uniforms(fold(key, 'x'), 3));
  });
  it('uniform honours its bounds', () => {
    const draws = new Draws(key);
    for (let i = 0; i < 1000; i++) {
      const x = draws.uniform(-3, 2);
      expect(x >= -3 && x < 2).toBe(true);
    }
    expect(draws.uniform(4, 4)).toBe(4);
  });
  it('every law is finite at both ends of its words', () => {
    class Constant extends Draws {
      readonly #word: number;
      constructor(word: number) {
        super(root);
        this.#word = word;
      }
      override word(): number {
        return this.#word;
      }
    }
    for (const word of [0, 0xffffffff]) {
      const draws = new Constant(word);
      expect(draws.uniform()).toBeGreaterThanOrEqual(0);
      expect(draws.uniform()).toBeLessThan(1);
      expect(Number.isFinite(draws.normal())).toBe(true);
      expect(Number.isFinite(draws.gumbel())).toBe(true);
    }
  });
  it('integers stay below n for any n up to 2^53, and errors name n', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 2 ** 53 - 1 }), fc.constantFrom(1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1)),
        fc.integer({ min: 0, max: 1000 }),
        (n, seed) => {
          const draw = new Draws(rootKey(seed)).integer(n);
          expect(Number.isInteger(draw) && draw >= 0 && draw < n).toBe(true);
        },
      ),
    );
    expect(() => new Draws(root).integer(0)).toThrow(/^n: must be an integer of at least 1; got 0\./);
    expect(() => new Draws(root).integer(1.5)).toThrow(/got 1\.5/);
  });
  it('choice gives k different ones of n, a prefix of the longer choice; errors name k', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.nat(60), fc.nat(1000), (n, k, seed) => {
        const draws = (): Draws => new Draws(rootKey(seed));
        if (k > n) {
          expect(() => draws().choice(n, k)).toThrow(/^k: must lie in \[0, /);
          return;
        }
        const chosen = draws().choice(n, k);
        expect(chosen).toHaveLength(k);
        expect(new Set(chosen).size).toBe(k);
        expect(chosen.every((x) => x >= 0 && x < n)).toBe(true);
        expect(draws().permutation(n).subarray(0, k)).toEqual(chosen);
      }),
    );
  });
});

describe('permuted', () => {
  it('is a bijection for any length and key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.nat(), (n, seed) => {
        const at = permuted(fold(rootKey(seed), 'order'), n);
        const image = Array.from({ length: n }, (_, i) => at(i));
        expect([...image].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
      { numRuns: 150 },
    );
  });
  it('is a bijection at powers of two and beside them', () => {
    for (const n of [255, 256, 257, 65_535, 65_536, 65_537]) {
      const at = permuted(root, n);
      const hit = new Uint8Array(n);
      for (let i = 0; i < n; i++) hit[at(i)] = 1;
      expect(hit.indexOf(0)).toBe(-1);
    }
  });
  it('beyond the lengths that are drawn as an array, no two of many indices meet', () => {
    for (const n of [2 ** 20 + 1, 2 ** 22]) {
      const at = permuted(root, n);
      const hit = new Uint8Array(n);
      for (let i = 0; i < 100_000; i++) hit[at(i)] = 1;
      expect(hit.reduce((sum, h) => sum + h, 0)).toBe(100_000);
    }
  });
  it('stays inside at sizes that no array holds, and two indices never meet', () => {
    for (const n of [2 ** 31 + 1, 2 ** 32, 2 ** 46 + 1, 2 ** 48]) {
      const at = permuted(root, n);
      const image = [0, 1, 2, n - 2, n - 1].map(at);
      expect(image.every((x) => Number.isInteger(x) && x >= 0 && x < n)).toBe(true);
      expect(new Set(image).size).toBe(5);
    }
  });
  it('depends on every part of its key', () => {
    const order = (key: Key): string => Array.from({ length: 50 }, (_, i) => permuted(key, 50)(i)).join();
    const keys = [
      root,
      rootKey(43),
      fold(root, 'a'),
      sampleKey(root, { source: 1, id: 0, epoch: 0 }),
      sampleKey(root, { source: 0, id: 1, epoch: 0 }),
      sampleKey(root, { source: 0, id: 0, epoch: 1 }),
    ];
    expect(new Set(keys.map(order)).size).toBe(keys.length);
  });
  it.each([0, -1, 1.5, 2 ** 48 + 1, Number.NaN])('refuses n = %s', (n) => {
    expect(() => permuted(root, n)).toThrow(/^n: must be an integer from 1 to 2\^48; got/);
  });
});
