// The two second-order corrections of the first-hitting sampler, as functions of distributions.

/**
 * Linear extrapolation in time of two distributions to `to`, clipped at 0 and renormalised: now + (to − at) / (at − before) · (now − then).
 *
 * @param now distribution at time `at`
 * @param then distribution at time `before`, which is later in the diffusion and so larger
 *
 * @example
 * extrapolated(Float64Array.of(0.5, 0.5), Float64Array.of(0.6, 0.4), 0.5, 0.6, 0.45); // [0.45, 0.55]
 */
export function extrapolated(now: Float64Array, then: Float64Array, at: number, before: number, to: number): Float64Array {
  const factor = (to - at) / (at - before);
  const result = now.map((p, i) => Math.max(0, p + factor * (p - (then[i] as number))));
  let sum = 0;
  for (let i = 0; i < result.length; i++) sum += result[i] as number;
  for (let i = 0; i < result.length; i++) result[i] = (result[i] as number) / sum;
  return result;
}

/**
 * The mean of two distributions; the second is read from `from` on.
 *
 * @example
 * mixed(Float64Array.of(1, 0), Float64Array.of(0, 1)); // [0.5, 0.5]
 */
export function mixed(now: Float64Array, then: Float64Array, from = 0): Float64Array {
  return now.map((p, i) => (p + (then[from + i] as number)) / 2);
}
