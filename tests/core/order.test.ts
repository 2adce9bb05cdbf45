import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochOrder, served } from '../../src/core/demand/index.js';
import { fold, rootKey } from '../../src/core/key.js';

const key = fold(rootKey(3), 'order');
const order = (epoch: number, length: number, shuffled: boolean, rank = 0, world = 1): number[] =>
  Array.from({ length: served(length, { rank, world }) }, (_, k) => epochOrder(key, epoch, length, shuffled, { rank, world })(k));

describe('epochOrder', () => {
  it('shares of any world are a partition of the epoch, and interleave to the order of one process', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 9 }), fc.nat(5), fc.boolean(), (length, world, epoch, shuffled) => {
        const shares = Array.from({ length: world }, (_, rank) => order(epoch, length, shuffled, rank, world));
        const whole = order(epoch, length, shuffled);
        expect([...shares.flat()].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
        shares.forEach((share, rank) => expect(share).toEqual(whole.filter((_, k) => k % world === rank)));
        const lengths = shares.map((share) => share.length);
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
      }),
    );
  });
  it('is as stored without shuffle, another order every epoch and key with it', () => {
    expect(order(2, 6, false)).toEqual([0, 1, 2, 3, 4, 5]);
    const orders = [order(0, 50, true), order(1, 50, true), Array.from({ length: 50 }, (_, k) => epochOrder(fold(key, 'x'), 0, 50, true)(k))];
    expect(new Set(orders.map((o) => o.join())).size).toBe(3);
    expect(order(1, 50, true)).toEqual(orders[1]);
  });
  it('serves one and none', () => {
    expect(order(0, 1, true)).toEqual([0]);
    expect(order(0, 0, true)).toEqual([]);
    expect(served(3, { rank: 4, world: 5 })).toBe(0);
  });
});
