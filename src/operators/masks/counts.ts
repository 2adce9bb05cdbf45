// How often each id of a vocabulary occurs: read by masks and corruptions that go by corpus frequency.
import { fold, rootKey } from '../../core/key.js';
import { check } from '../../core/options.js';

/** One number ≥ 0 for every id, in order of ids: counts of a corpus, or shares. */
export type Counts = ArrayLike<number>;

/** Throws unless `counts` holds finite numbers ≥ 0 and at least one that is not 0. */
export function checkCounts(stage: string, counts: Counts): void {
  const hint = 'Count the ids of the corpus, special ones left at 0.';
  check(typeof counts === 'object' && counts !== null && counts.length > 0, stage, 'counts', 'must have one number for every id', counts, hint);
  let sum = 0;
  for (let id = 0; id < counts.length; id++) {
    const count = counts[id] as number;
    check(typeof count === 'number' && count >= 0 && Number.isFinite(count), stage, 'counts', `must be numbers of at least 0, as for id ${id}`, count, hint);
    sum += count;
  }
  check(sum > 0, stage, 'counts', 'must not all be 0', sum, hint);
}

/** Counts in a recipe: too many to write down, so their number and 64 bits that differ where they do. */
export function countsRecipe(counts: Counts): { readonly ids: number; readonly digest: string } {
  const { k0, k1 } = fold(rootKey(0), Array.prototype.join.call(counts, ','));
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return { ids: counts.length, digest: hex(k0) + hex(k1) };
}
