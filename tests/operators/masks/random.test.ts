import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { words } from '../../../src/core/key.js';
import { keepCount, random, shuffleIds, uniformScore } from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf, whole } from './grids.js';

describe('random', () => {
  it("hides the highest of the sample's own words: MAE's ranking of noise", () => {
    for (let id = 0; id < 50; id++) {
      const noise = words(keyOf(id), 196);
      expect(uniformScore().values(whole(14, 14), keyOf(id))).toEqual(noise);
      expect(random().hide(whole(14, 14), keyOf(id))).toEqual(shuffleIds(noise, 49).mask);
    }
  });

  it('hides an exact count of the tokens that exist', () => {
    fc.assert(
      fc.property(anyTokens, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const mask = random({ ratio }).hide(tokens, keyOf(id));
        expect(count(mask)).toBe(tokens.length - keepCount(tokens.length, ratio));
        expect(count(mask.subarray(tokens.length))).toBe(0);
      }),
    );
  });

  it('hides nothing at ratio 0 and everything at ratio 1', () => {
    expect(count(random({ ratio: 0 }).hide(whole(7, 7), keyOf(1)))).toBe(0);
    expect(count(random({ ratio: 1 }).hide(whole(7, 7), keyOf(1)))).toBe(49);
  });

  it('does not depend on the layout, nor on how far a sequence is padded', () => {
    const mask = random().hide(whole(60), keyOf(3));
    expect(random().hide(whole(6, 10), keyOf(3))).toEqual(mask);
    expect(
      random()
        .hide({ grid: [500], length: 60 }, keyOf(3))
        .subarray(0, 60),
    ).toEqual(mask);
  });

  it('is a pure function of its arguments', () => {
    const rule = random();
    const first = rule.hide(whole(14, 14), keyOf(1));
    rule.hide(whole(3, 3), keyOf(2));
    expect(rule.hide(whole(14, 14), keyOf(1))).toEqual(first);
    expect(rule.hide(whole(14, 14), keyOf(1, 1))).not.toEqual(first);
    expect(rule.hide(whole(14, 14), keyOf(2))).not.toEqual(first);
  });

  it('carries its recipe and checks its options', () => {
    expect(random().recipe).toEqual({ module: 'maskflow/operators', name: 'random', options: { ratio: 0.75 } });
    expect(() => random({ ratio: 1.5 })).toThrow('random.ratio: must lie in [0, 1]; got 1.5. It is the share of hidden tokens: 0.75 hides three of four.');
    expect(() => random({ rate: 0.5 } as never)).toThrow('random.rate: there is no such option. Did you mean ratio?');
  });
});
