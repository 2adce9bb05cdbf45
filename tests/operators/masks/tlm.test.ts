import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { words } from '../../../src/core/key.js';
import { tlm } from '../../../src/operators/masks/index.js';
import { anyRatio, count, keyOf } from './grids.js';
import { anyRow, hiddenIn, row } from './text.js';

const counts = Array.from({ length: 95 }, (_, id) => (id < 5 ? 0 : id));

describe('tlm', () => {
  it('flips a coin for every position but the first and padding, special ones too', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const coins = words(keyOf(id), tokens.length);
        const expected = Array.from(tokens.special, (_, i) => (i > 0 && i < tokens.length && (coins[i] as number) < ratio * 2 ** 32 ? 1 : 0));
        expect([...tlm({ ratio }).hide(tokens, keyOf(id))]).toEqual(expected);
      }),
    );
    const pair = row([[[1, 0]], [[1, 0]]], 2);
    expect(hiddenIn(tlm({ ratio: 1 }).hide(pair, keyOf(0)))).toEqual([1, 2, 3, 4]);
  });

  it('with counts hides exactly ⌈length · ratio⌉ tokens, or all that have a count', () => {
    fc.assert(
      fc.property(anyRow, anyRatio, fc.nat(), (tokens, ratio, id) => {
        const mask = tlm({ ratio, counts }).hide(tokens, keyOf(id));
        const n = tokens.special.reduce((sum, one) => sum + 1 - one, 0);
        expect(count(mask)).toBe(Math.min(n, Math.ceil(tokens.length * ratio)));
        for (const i of hiddenIn(mask)) expect(tokens.special[i]).toBe(0);
      }),
    );
  });

  it('never hides ids of count 0, the first token, and special ones, whatever their count', () => {
    const tokens = { grid: [6], length: 6, special: Uint8Array.of(0, 0, 0, 0, 1, 0), columns: { tokens: Int32Array.of(1, 0, 1, 2, 1, 0) } };
    for (let id = 0; id < 20; id++) expect(hiddenIn(tlm({ ratio: 1, counts: [0, 5, 0.5] }).hide(tokens, keyOf(id)))).toEqual([2, 3]);
  });

  it('carries its recipe and checks its options', () => {
    expect(tlm().recipe.options).toEqual({ ratio: 0.15 });
    const { options } = tlm({ counts: [1, 2] }).recipe;
    expect(options).toEqual({ ratio: 0.15, counts: { ids: 2, digest: expect.stringMatching(/^[0-9a-f]{16}$/u) }, alpha: 0.5 });
    expect(tlm({ counts: Float32Array.of(1, 2) }).recipe.options).toEqual(options);
    expect(tlm({ counts: [1, 3] }).recipe.options).not.toEqual(options);
    expect(tlm().reads).toBeUndefined();
    expect(tlm({ counts }).reads).toEqual(['tokens']);
    expect(() => tlm({ ratio: 2 })).toThrow('tlm.ratio: must lie in [0, 1]; got 2');
    expect(() => tlm({ alpha: 0.5 })).toThrow('tlm.alpha: needs counts; got 0.5. Give counts: how often each id occurs in the corpus.');
    expect(() => tlm({ counts, alpha: -1 })).toThrow('tlm.alpha: must be a number of at least 0; got -1');
    expect(() => tlm({ counts: [1, -1] })).toThrow('tlm.counts: must be numbers of at least 0, as for id 1; got -1');
    expect(() => tlm({ counts: [0, 0] })).toThrow('tlm.counts: must not all be 0; got 0');
    expect(() => tlm({ counts: [] })).toThrow('tlm.counts: must have one number for every id');
    expect(() => tlm({ counts: [1] }).hide({ grid: [2], length: 2, columns: { tokens: Int32Array.of(0, 3) } }, keyOf(0))).toThrow(
      'counts: has 1 numbers, none for the id of token 1; got 3',
    );
    expect(() => tlm({ counts }).hide({ grid: [2], length: 2 }, keyOf(0))).toThrow('tokens: there is no column tokens, which the mask reads');
  });
});
