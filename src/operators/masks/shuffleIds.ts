import { MaskflowError } from '../../core/errors.js';

/** The three index vectors of MAE's random masking, for one sample of L tokens. */
export interface ShuffleIds {
  /** Int32Array [L]: tokens by rising score; the first `keep` are the visible ones. */
  readonly idsShuffle: Int32Array;
  /** Int32Array [L]: the inverse permutation, `idsRestore[idsShuffle[j]] = j`. */
  readonly idsRestore: Int32Array;
  /** Uint8Array [L]: 1 = hidden, that is `idsRestore[i] ≥ keep`. */
  readonly mask: Uint8Array;
}

/**
 * A stable argsort of scores and what follows from it (MAE, He et al. 2022, "Simple implementation"; official `random_masking`).
 * `select` finds the same mask without sorting; this is for models and tests that need the order of the tokens too.
 *
 * @param scores one number a token; the lowest stay visible, ties go to the lower index; NaN is an error
 * @param keep visible tokens, an integer in [0, L]
 *
 * @example
 * shuffleIds([0.7, 0.1, 0.9, 0.3], 2).mask; // Uint8Array [1, 0, 1, 0]
 */
export function shuffleIds(scores: ArrayLike<number>, keep: number): ShuffleIds {
  const length = scores.length;
  if (!(Number.isInteger(keep) && keep >= 0 && keep <= length)) {
    throw new MaskflowError({ stage: 'shuffleIds', option: 'keep', rule: `must be an integer in [0, ${length}]`, value: keep });
  }
  for (let i = 0; i < length; i++) {
    if (Number.isNaN(scores[i])) throw new MaskflowError({ stage: 'shuffleIds', option: 'scores', rule: `must be numbers, but token ${i} is NaN` });
  }
  // Not a − b: ∞ − ∞ is NaN. Equal scores compare as 0, and the sort is stable.
  const idsShuffle = Int32Array.from({ length }, (_, i) => i).sort((a, b) => {
    const [x, y] = [scores[a] as number, scores[b] as number];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  const idsRestore = new Int32Array(length);
  idsShuffle.forEach((token, place) => {
    idsRestore[token] = place;
  });
  return { idsShuffle, idsRestore, mask: Uint8Array.from(idsRestore, (place) => (place < keep ? 0 : 1)) };
}
