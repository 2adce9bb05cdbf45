import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedPlan, askedUnit } from '../../src/models/askedPlan.js';

describe('askedPlan', () => {
  it('lists the positions with a label in order, and says of each position which slot reads it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 5 }), { minLength: 1, maxLength: 200 }), (labels) => {
        const { asked, askedSlots } = askedPlan({ data: Int32Array.from(labels), shape: [1, labels.length] });
        const positions = labels.flatMap((label, at) => (label >= 0 ? [at] : []));
        expect([...asked.data].filter((at) => at >= 0)).toEqual(positions);
        expect([...asked.data.subarray(positions.length)].every((at) => at === -1)).toBe(true);
        expect(asked.data.length % askedUnit(labels.length)).toBe(0);
        expect([...askedSlots.data]).toEqual(labels.map((label, at) => (label >= 0 ? positions.indexOf(at) : -1)));
        expect(asked.shape).toEqual([asked.data.length]);
        expect(askedSlots.shape).toEqual([1, labels.length]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('has a few sizes: sixteen for a batch of any mask', () => {
    expect(askedUnit(4096)).toBe(256);
    expect(askedUnit(10)).toBe(8);
    expect(askedUnit(4000)).toBe(256);
    const sizes = new Set(
      Array.from(
        { length: 4097 },
        (_, count) => askedPlan({ data: Int32Array.from({ length: 256 }, (__, i) => (i < count ? 1 : -100)), shape: [8, 32] }).asked.data.length,
      ),
    );
    expect(sizes.size).toBe(16);
  });

  it('has one unit of empty slots where nothing is asked', () => {
    expect([...askedPlan({ data: new Int32Array(16).fill(-100), shape: [2, 8] }).asked.data]).toEqual(new Array(8).fill(-1));
  });
});
