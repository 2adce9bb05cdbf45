/**
 * Tokens that stay visible: ⌊length · (1 − ratio)⌋, the floor of the double-precision product as the reference computes it
 * (MAE, He et al. 2022, section 3; official `random_masking`). So 10 tokens at ratio 0.9 keep 0: the product is 0.999….
 *
 * @param length tokens that exist, ≥ 0
 * @param ratio share of hidden tokens, in [0, 1]
 *
 * @example
 * keepCount(196, 0.75); // 49
 */
export function keepCount(length: number, ratio: number): number {
  return Math.floor(length * (1 - ratio));
}
