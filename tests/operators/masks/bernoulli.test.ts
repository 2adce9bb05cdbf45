import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { words } from '../../../src/core/key.js';
import { bernoulli } from '../../../src/operators/masks/index.js';
import { anyTokens, count, keyOf, whole } from './grids.js';

describe('bernoulli', () => {
  it("hides a token where the sample's own word is below ratio · 2^32", () => {
    for (let id = 0; id < 30; id++) {
      const coins = words(keyOf(id), 196);
      expect([...bernoulli({ ratio: 0.3 }).hide(whole(14, 14), keyOf(id))]).toEqual(Array.from(coins, (coin) => (coin < 0.3 * 2 ** 32 ? 1 : 0)));
    }
  });

  it('hides nothing at ratio 0 and every token that exists at ratio 1, on every grid', () => {
    fc.assert(
      fc.property(anyTokens, fc.nat(), (tokens, id) => {
        expect(count(bernoulli({ ratio: 0 }).hide(tokens, keyOf(id)))).toBe(0);
        expect(count(bernoulli({ ratio: 1 }).hide(tokens, keyOf(id)))).toBe(tokens.length);
      }),
    );
  });

  it('hides a superset at a higher ratio', () => {
    const low = bernoulli({ ratio: 0.2 }).hide(whole(400), keyOf(3));
    const high = bernoulli({ ratio: 0.5 }).hide(whole(400), keyOf(3));
    low.forEach((hidden, i) => expect(high[i]).toBeGreaterThanOrEqual(hidden));
  });

  it('carries its recipe and checks its options', () => {
    expect(bernoulli().recipe).toEqual({ module: 'maskflow/operators', name: 'bernoulli', options: { ratio: 0.15 } });
    expect(() => bernoulli({ ratio: -1 })).toThrow('bernoulli.ratio: must lie in [0, 1]; got -1');
    expect(() => bernoulli({ rat: 1 } as never)).toThrow('bernoulli.rat: there is no such option. Did you mean ratio?');
  });
});
