// What a Gumbel-max draw really draws from when its noise is cut off (Zheng et al. 2024, section 5.2 and appendix): uniforms of 24 bits
// give g ≤ 16.64, and every class then loses to larger ones a little. Negligible for one draw, it adds up where one class is "stay
// hidden" with probability near 1 in thousands of steps. For measurements: the samplers of this package draw otherwise.

/** Largest Gumbel noise of a uniform of so many bits, −ln(−ln(1 − 2^−bits)): 16.6355 for 24, 36.7368 for 53. */
export function largestGumbel(bits: number): number {
  return -Math.log(-Math.log1p(-(2 ** -bits)));
}

/**
 * Class probabilities of argmax(ln p + g), g Gumbel noise conditioned to be at most `cut`, in closed form.
 *
 * @param probabilities any order, numbers > 0 with sum 1
 *
 * @example
 * truncatedGumbel(Float64Array.of(0.5, 0.3, 0.2), 0); // [0.790552, 0.182381, 0.027067]
 */
export function truncatedGumbel(probabilities: Float64Array, cut: number): Float64Array {
  const order = Int32Array.from(probabilities.keys()).sort((a, b) => (probabilities[a] as number) - (probabilities[b] as number) || a - b);
  const count = order.length;
  const scale = Math.exp(-cut);
  // Above the i-th smallest: S_i = Σ of it and all larger ones, added from the largest down would lose small ones; from the end it keeps them.
  const above = new Float64Array(count + 1);
  for (let i = count - 1; i >= 0; i--) above[i] = (above[i + 1] as number) + (probabilities[order[i] as number] as number);
  const result = new Float64Array(count);
  let sum = 0;
  let before = 0;
  for (let i = 0; i < count; i++) {
    const p = probabilities[order[i] as number] as number;
    const [share, left] = [above[i] as number, count - i];
    // exp(a) − exp(b) with a ≥ b, as exp(a) (1 − exp(b − a)): both are near 1 where the cut is far.
    const a = (left - share / p) * scale;
    const b = before === 0 ? Number.NEGATIVE_INFINITY : (left - share / before) * scale;
    sum += (-Math.exp(a) * Math.expm1(b - a)) / share;
    result[order[i] as number] = p * sum;
    before = p;
  }
  return result;
}
