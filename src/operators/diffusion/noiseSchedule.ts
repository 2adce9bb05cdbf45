import { check } from '../../core/options.js';
import type { Recipe } from '../../core/recipe.js';

/**
 * The forward process of absorbing diffusion: at time t a token is still visible with probability α(t), independently of all others.
 * All functions are exact and of float64; t lies in [0, 1].
 */
export interface NoiseSchedule {
  readonly recipe: Recipe;
  /** Probability that a token is visible. */
  alpha(time: number): number;
  /** 1 − α(t), without its rounding error where it is small: the expected share of hidden tokens. */
  masked(time: number): number;
  /** α′(t), below 0. */
  derivative(time: number): number;
  /** The time at which the share `masked` is hidden, kept within [2⁻⁵³, 1]. */
  inverse(masked: number): number;
  /** Factor of the cross-entropy summed over hidden tokens: −α′(t) / (1 − α(t)), for t > 0. */
  weight(time: number): number;
}

/** Throws unless `schedule` is one. */
export function checkSchedule(stage: string, schedule: unknown): void {
  const given = schedule as NoiseSchedule | undefined;
  const legal = typeof given?.masked === 'function' && typeof given.inverse === 'function';
  check(legal, stage, 'schedule', 'must be a noise schedule', schedule, 'Try linearNoise(), cosineNoise() or md4Noise().');
}

/** Times are told to networks and divided by: never 0. */
export const asTime = (time: number): number => Math.min(1, Math.max(2 ** -53, time));
