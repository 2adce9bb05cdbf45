import { MaskflowError } from '../../core/errors.js';
import { drawUniform } from '../masks/draws.js';

/**
 * An index of `weights` from `from` on, in proportion to them, by the draws that are begun: inverse CDF in float64. Weights are
 * numbers ≥ 0 and need not add up to 1; one of weight 0 never comes.
 *
 * @throws MaskflowError where they add up to 0 or are no numbers
 *
 * @example
 * beginDraws(rootKey(0));
 * drawWeighted(Float64Array.of(1, 0, 3)); // 0 or 2
 */
export function drawWeighted(weights: Float64Array, from = 0, count = weights.length): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += weights[from + i] as number;
  if (!(total > 0 && total < Number.POSITIVE_INFINITY)) throw new MaskflowError({ rule: 'weights must be numbers ≥ 0 with a sum above 0', value: total });
  const at = drawUniform() * total;
  let sum = 0;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const weight = weights[from + i] as number;
    if (weight === 0) continue;
    sum += weight;
    if (at < sum) return i;
    last = i;
  }
  return last;
}
