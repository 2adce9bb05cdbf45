import { InvalidArgumentError } from 'commander';

/** `7` or `4x8` (height x width) as the size of a patch in pixels. */
export function patch(text: string): number | readonly [number, number] {
  const match = /^(\d+)(?:[x×](\d+))?$/u.exec(text);
  const [height, width] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? match?.[1] ?? 0)];
  if (height < 1 || width < 1) throw new InvalidArgumentError('Expected the side of a patch in pixels, as in 7, or height and width, as in 4x8.');
  return height === width ? height : [height, width];
}
