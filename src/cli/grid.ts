import { InvalidArgumentError } from 'commander';

/** `14x14`, `4x7x7` or `49` as the sides of a grid. */
export function grid(text: string): number[] {
  const sides = text.split(/[x×]/u).map(Number);
  if (/^\d+([x×]\d+)*$/u.test(text) && sides.every((side) => Number.isSafeInteger(side) && side >= 1)) return sides;
  throw new InvalidArgumentError('Expected the sides of a grid, as in 14x14 (images), 4x7x7 (video) or 49 (sequences).');
}
