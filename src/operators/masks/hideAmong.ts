// The highest scores among the tokens that may be hidden. The others are left out before the ranking, not ranked last: a score
// of −∞ is legal, and an outlier would spoil the histogram. The buffers are reused: nothing is allocated a mask.
import { MaskflowError } from '../../core/errors.js';
import { hideHighest } from './hideHighest.js';
import type { Tokens } from './select.js';

let scores = new Float64Array(256);
let places = new Int32Array(256);
let chosen = new Uint8Array(256);

/**
 * Sets `out[i] = 1` for the `hidden` highest values of tokens that exist and are not special; on ties the lower index stays 0.
 *
 * @param out Uint8Array of at least `length` zeros
 * @param eligible `eligibleCount(tokens)`; where it is `length` the values are ranked as they are
 * @param name whose values they are, for the error about NaN
 */
export function hideAmong(
  out: Uint8Array,
  values: Float64Array | Float32Array | Uint32Array,
  { length, special }: Pick<Tokens, 'length' | 'special'>,
  eligible: number,
  hidden: number,
  name: string,
): void {
  if (special === undefined || eligible === length) {
    hideHighest(out, values, length, hidden, name);
    return;
  }
  if (scores.length < length) {
    scores = new Float64Array(2 * length);
    places = new Int32Array(2 * length);
    chosen = new Uint8Array(2 * length);
  }
  let count = 0;
  for (let i = 0; i < length; i++) {
    if (special[i] !== 0) continue;
    const score = values[i] as number;
    if (Number.isNaN(score)) throw new MaskflowError({ rule: `the score ${name} must be a number for every token, but is NaN for token ${i}` });
    scores[count] = score;
    places[count++] = i;
  }
  chosen.fill(0, 0, count);
  hideHighest(chosen, scores.subarray(0, count), count, hidden, name);
  for (let j = 0; j < count; j++) out[places[j] as number] = chosen[j] as number;
}
