import { check, checkInteger } from '../../core/options.js';
import { drawBelow, drawUniform } from '../masks/draws.js';
import { type Counts, checkCounts } from '../masks/counts.js';

/** Ids below this are drawn without bias from one 32-bit word. */
const largest = 2 ** 21;

/**
 * Random ids, from the draws that are begun: uniform over the vocabulary, special ids among them (BERT's reference excludes
 * none), or in proportion to `counts` (SpanBERT draws from the token stream: ids of count 0 never come).
 *
 * @throws MaskflowError for a vocabulary that is no integer from 1 to 2^21, and counts that do not fit it
 *
 * @example
 * const id = drawIds('corrupt', 30522);
 * beginDraws(key);
 * id(); // an integer in [0, 30522)
 */
export function drawIds(stageName: string, vocabulary: number, counts?: Counts): () => number {
  checkInteger(stageName, 'vocabulary', vocabulary);
  check(vocabulary <= largest, stageName, 'vocabulary', `must be at most ${largest}`, vocabulary);
  if (counts === undefined) return () => drawBelow(vocabulary);
  checkCounts(stageName, counts);
  check(counts.length === vocabulary, stageName, 'counts', `must have one number for each of the ${vocabulary} ids of the vocabulary`, counts.length);
  let sum = 0;
  const upTo = Float64Array.from(counts, (count) => (sum += count));
  // The first id whose cumulative count is above the draw; the last that has one where rounding has reached the sum.
  let last = vocabulary - 1;
  while (counts[last] === 0) last--;
  return () => {
    const at = drawUniform() * sum;
    let [low, high] = [0, last];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
