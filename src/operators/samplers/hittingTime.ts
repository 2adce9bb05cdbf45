import type { NoiseSchedule } from '../diffusion/noiseSchedule.js';

/**
 * Time of the next unmasking event of a row that has `hidden` tokens left at time `time`: the hidden share 1 − α shrinks by the
 * factor u^(1/hidden), the law of the largest of so many uniforms. For the linear schedule time · u^(1/hidden).
 *
 * @param u uniform in (0, 1), both ends excluded
 *
 * @example
 * hittingTime(linearNoise(), 1, 3, 0.5); // 0.7937
 */
export function hittingTime(schedule: NoiseSchedule, time: number, hidden: number, u: number): number {
  return schedule.inverse(schedule.masked(time) * u ** (1 / hidden));
}
