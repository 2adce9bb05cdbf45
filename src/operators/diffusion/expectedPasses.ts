/**
 * Expected network calls of cached ancestral sampling with the linear schedule: N (1 − (1 − 1/N)^(B L)), steps in which at least
 * one of the batch's tokens leaves the mask (Zheng et al. 2024, section 4).
 *
 * @example
 * expectedPasses(10_000, 1024); // 973.36
 */
export function expectedPasses(steps: number, length: number, rows = 1): number {
  return steps * -Math.expm1(rows * length * Math.log1p(-1 / steps));
}
