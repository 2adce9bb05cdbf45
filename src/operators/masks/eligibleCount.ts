import type { Tokens } from './select.js';

/**
 * Tokens that a mask may hide: those of the first `length` that are not special. Shares and exact counts refer to them,
 * except where a rule says that it counts special tokens (BERT's does).
 *
 * @example
 * eligibleCount({ grid: [5], length: 4, special: Uint8Array.of(1, 0, 0, 1, 1) }); // 2
 */
export function eligibleCount({ length, special }: Pick<Tokens, 'length' | 'special'>): number {
  if (special === undefined) return length;
  let count = length;
  for (let i = 0; i < length; i++) if (special[i] !== 0) count--;
  return count;
}
