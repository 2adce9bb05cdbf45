// What ranking samplers look at, read from one position's logits in two passes of float64.
import { MaskflowError } from '../../core/errors.js';
import type { Drawable } from './drawToken.js';

export interface TokenStats {
  /** The most probable id, the lowest on ties. */
  readonly best: number;
  /** Its probability, and that of the next one (0 where there is no other). */
  readonly first: number;
  readonly second: number;
  /** Shannon entropy in nats. */
  readonly entropy: number;
  /** ln Σ exp(logit): the probability of an id is exp(logit − logSum). */
  readonly logSum: number;
}

/**
 * Best token, the two largest probabilities and the entropy of softmax(logits[from … from + vocabulary)), ids of `never` left out.
 *
 * @throws MaskflowError for logits that are NaN or +∞, or all −∞
 *
 * @example
 * tokenStats({ logits: Float32Array.of(Math.log(0.6), Math.log(0.3), Math.log(0.1)), vocabulary: 3, never: [] }, 0).entropy; // 0.8979
 */
export function tokenStats({ logits, vocabulary, never }: Drawable, from: number): TokenStats {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  let next = Number.NEGATIVE_INFINITY;
  // Ids that never come cut the vocabulary into runs, so that the loops test nothing.
  const runs = runsOf(vocabulary, never);
  for (let run = 0; run < runs.length; run += 2) {
    for (let id = runs[run] as number; id < (runs[run + 1] as number); id++) {
      const logit = logits[from + id] as number;
      if (logit > largest) {
        next = largest;
        largest = logit;
        best = id;
      } else if (logit > next) next = logit;
    }
  }
  let sum = 0;
  let weighted = 0;
  for (let run = 0; run < runs.length; run += 2) {
    for (let id = runs[run] as number; id < (runs[run + 1] as number); id++) {
      const below = (logits[from + id] as number) - largest;
      const weight = Math.exp(below);
      sum += weight;
      if (weight !== 0) weighted += weight * below;
    }
  }
  if (!(Number.isFinite(largest) && Number.isFinite(sum))) {
    throw new MaskflowError({ rule: 'logits must be numbers below +∞, one of them above −∞', value: largest });
  }
  const logOver = Math.log(sum);
  return { best, first: 1 / sum, second: Math.exp(next - largest) / sum, entropy: Math.max(0, logOver - weighted / sum), logSum: largest + logOver };
}

/** Begin and end, begin and end, … of the ids that may come. */
function runsOf(vocabulary: number, never: readonly number[]): number[] {
  const runs: number[] = [];
  let begin = 0;
  for (const id of never) {
    if (id >= vocabulary) break;
    if (id > begin) runs.push(begin, id);
    begin = id + 1;
  }
  if (begin < vocabulary) runs.push(begin, vocabulary);
  return runs;
}
