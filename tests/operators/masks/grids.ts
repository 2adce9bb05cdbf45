// Grids of one to three axes and samples on them, for properties of masks; and the keys of samples.
import fc from 'fast-check';
import { type Key, fold, rootKey, sampleKey } from '../../../src/core/key.js';
import type { Tokens } from '../../../src/operators/masks/index.js';

export const anyGrid = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 300 })),
  fc.tuple(fc.integer({ min: 1, max: 17 }), fc.integer({ min: 1, max: 17 })),
  fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 })),
);

/** A grid and a length on it: often the whole grid. */
export const anyTokens: fc.Arbitrary<Tokens> = anyGrid.chain((grid) => {
  const cells = grid.reduce((product, side) => product * side, 1);
  return fc.oneof(fc.constant(cells), fc.integer({ min: 0, max: cells })).map((length) => ({ grid, length }));
});

export const anyRatio = fc.oneof(fc.constantFrom(0, 1, 0.75, 0.4, 0.9), fc.double({ min: 0, max: 1, noNaN: true }));

const stageKey = fold(rootKey(7), 'mask');
/** The key of sample `id` in a stage of a run. */
export const keyOf = (id: number, epoch = 0): Key => sampleKey(stageKey, { source: 0, id, epoch });

export const whole = (...grid: number[]): Tokens => ({ grid, length: grid.reduce((product, side) => product * side, 1) });
export const count = (mask: Uint8Array): number => mask.reduce((sum, hidden) => sum + hidden, 0);
