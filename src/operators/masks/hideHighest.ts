// Top-k without a sort: one histogram between the least and the greatest score finds the bucket in which the threshold
// lies, and only that bucket's few tokens are compared with one another. Linear in the number of tokens; where all scores
// fall into one bucket (outliers, infinities) that bucket is sorted. The buffers are reused: nothing is allocated a mask.
import { MaskflowError } from '../../core/errors.js';

const buckets = 128;
const histogram = new Int32Array(buckets);
let scores = new Float64Array(256);
let candidates = new Int32Array(257);
let ranked = new Float64Array(256);

/**
 * Sets `out[i] = 1` for the `hidden` highest of the first `length` values; on ties the lower index stays 0.
 *
 * @param out Uint8Array of at least `length` zeros
 * @param name whose values they are, for the error about NaN
 */
export function hideHighest(out: Uint8Array, values: Float64Array | Float32Array | Uint32Array, length: number, hidden: number, name: string): void {
  if (scores.length < values.length) {
    scores = new Float64Array(2 * values.length);
    candidates = new Int32Array(2 * values.length + 1);
    ranked = new Float64Array(2 * values.length);
  }
  // One copy into one type: the loops below would run at half the speed if they met three types of array.
  scores.set(values);
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const score = scores[i] as number;
    if (Number.isNaN(score)) throw new MaskflowError({ rule: `the score ${name} must be a number for every token, but is NaN for token ${i}` });
    if (score < least) least = score;
    if (score > most) most = score;
  }
  if (hidden <= 0) return;
  if (hidden >= length) {
    out.fill(1, 0, length);
    return;
  }
  const scale = (buckets - 1) / (most - least);
  let count = 0;
  let missing = hidden;
  if (scale > 0 && scale < Number.POSITIVE_INFINITY) {
    // Rounding is monotone, so a higher score never falls into a lower bucket.
    histogram.fill(0);
    for (let i = 0; i < length; i++) {
      const bucket = (((scores[i] as number) - least) * scale) | 0;
      histogram[bucket] = (histogram[bucket] as number) + 1;
    }
    let threshold = buckets - 1;
    while (missing > (histogram[threshold] as number)) missing -= histogram[threshold--] as number;
    // Without branches, which noise would mispredict at every other token: x >>> 31 is 1 where x is negative.
    for (let i = 0; i < length; i++) {
      const bucket = (((scores[i] as number) - least) * scale) | 0;
      out[i] = (threshold - bucket) >>> 31;
      candidates[count] = i;
      count += ((bucket ^ threshold) - 1) >>> 31;
    }
  } else {
    for (let i = 0; i < length; i++) candidates[count++] = i;
  }
  hideCandidates(out, count, missing);
}

/** Hides the `missing` highest of the first `count` candidates, which stand in order of their index. */
function hideCandidates(out: Uint8Array, count: number, missing: number): void {
  for (let j = 0; j < count; j++) ranked[j] = scores[candidates[j] as number] as number;
  if (count > 32) {
    ranked.subarray(0, count).sort();
  } else {
    for (let j = 1; j < count; j++) {
      const score = ranked[j] as number;
      let k = j;
      for (; k > 0 && (ranked[k - 1] as number) > score; k--) ranked[k] = ranked[k - 1] as number;
      ranked[k] = score;
    }
  }
  const threshold = ranked[count - missing] as number;
  let ties = missing;
  for (let j = 0; j < count; j++) if ((scores[candidates[j] as number] as number) > threshold) ties--;
  for (let j = count - 1; j >= 0; j--) {
    const token = candidates[j] as number;
    const score = scores[token] as number;
    if (score > threshold || (score === threshold && ties-- > 0)) out[token] = 1;
  }
}
