import type { Origin } from '../../core/batch.js';
import { check } from '../../core/options.js';

/**
 * The origin under which a sample's draws are repeated every `copies` epochs: static masking with so many differently masked
 * copies (BERT's `dupe_factor`); infinitely many is dynamic masking (RoBERTa), where the origin stays as it is.
 *
 * @example
 * copyOf({ source: 0, id: 7, epoch: 12, position: 99 }, 10).epoch; // 2
 */
export function copyOf(origin: Origin, copies: number): Origin {
  return origin.epoch < copies ? origin : { ...origin, epoch: origin.epoch % copies };
}

/** Throws unless `copies` is an integer of at least 1, or infinite. */
export function checkCopies(stage: string, copies: unknown): void {
  const legal = copies === Number.POSITIVE_INFINITY || (Number.isInteger(copies) && (copies as number) >= 1);
  check(legal, stage, 'copies', 'must be an integer of at least 1', copies, 'Draws repeat after so many epochs; leave it out for new ones in every epoch.');
}
