import { expect, it } from 'vitest';
import { placesWithin } from '../../src/models/placesWithin.js';

it('counts tokens of each part of a row from 0, and nothing on padding', () => {
  const of = (parts: number[], shape: [number, number]): number[] => [...placesWithin({ data: Int32Array.from(parts), shape }).data];
  // The card's vector: </s> a </s> </s> b as two texts of three and two tokens.
  expect(of([0, 0, 0, 1, 1], [1, 5])).toEqual([0, 1, 2, 0, 1]);
  // Two rows: the second begins anew although its part has the same number.
  expect(of([0, 0, 0, 0], [2, 2])).toEqual([0, 1, 0, 1]);
  expect(of([0, 0, 1, -1, -1, -1], [1, 6])).toEqual([0, 1, 0, 0, 0, 0]);
});
