// How many tokens BERT's family hides in a row, and the option that bounds it.
import { check } from '../../core/options.js';

/**
 * The nearest whole number; halves go to the even neighbour, as Python's `round` has it and with it the reference of BERT,
 * whole-word masking and LEM (`Math.round` sends 4.5 to 5).
 *
 * @example
 * roundHalfEven(4.5); // 4
 */
export function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

/**
 * BERT's number of tokens to hide: min(most, max(1, round(length · ratio))), rounded half to even from the product in doubles
 * (Devlin et al. 2019; official `create_pretraining_data.py`). At least 1, even at ratio 0.
 *
 * @param length tokens that exist, special ones included
 *
 * @example
 * countBudget(30, 0.15); // 4
 */
export function countBudget(length: number, ratio: number, most = Number.POSITIVE_INFINITY): number {
  return Math.min(most, Math.max(1, roundHalfEven(length * ratio)));
}

/** Throws unless `most` is an integer of at least 1, or infinite. */
export function checkMost(stage: string, most: unknown): void {
  const legal = most === Number.POSITIVE_INFINITY || (Number.isInteger(most) && (most as number) >= 1);
  check(legal, stage, 'most', 'must be an integer of at least 1', most, 'It is the most tokens that are hidden in a row; leave it out for no bound.');
}
