import type { Tokens } from './select.js';

/**
 * Sides of the smallest box of the grid, from its origin, that holds all tokens that exist (the first `length` in raster
 * order): what scores with a spatial structure draw in. In 1-D that is [length], so a sequence's mask does not depend on
 * how far its batch was padded.
 *
 * @example
 * extent({ grid: [7, 7], length: 30 }); // [5, 7]
 */
export function extent({ grid, length }: Pick<Tokens, 'grid' | 'length'>): number[] {
  let stride = 1;
  for (const side of grid) stride *= side;
  const sides: number[] = [];
  let inOneSlice = true;
  for (const side of grid) {
    stride = side === 0 ? 0 : stride / side;
    const used: number = inOneSlice ? Math.min(side, Math.ceil(length / Math.max(1, stride))) : side;
    sides.push(used);
    inOneSlice = inOneSlice && used <= 1;
  }
  return sides;
}
