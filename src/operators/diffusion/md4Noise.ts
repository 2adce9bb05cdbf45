import { recipe } from '../../core/recipe.js';
import { type NoiseSchedule, asTime } from './noiseSchedule.js';

/**
 * MD4's cosine schedule (Shi et al. 2024): α = 1 − cos(π (1 − t) / 2). Hides many tokens for most t; good with few sampling steps.
 *
 * @example
 * md4Noise().weight(0.5); // π / 2
 */
export function md4Noise(): NoiseSchedule {
  // cos(π (1 − t) / 2) = sin(π t / 2).
  const masked = (time: number): number => Math.sin((Math.PI * time) / 2);
  const derivative = (time: number): number => (-Math.PI / 2) * Math.cos((Math.PI * time) / 2);
  return {
    recipe: recipe('maskflow/operators', 'md4Noise'),
    alpha: (time) => 1 - masked(time),
    masked,
    derivative,
    inverse: (share) => asTime((2 / Math.PI) * Math.asin(Math.min(1, share))),
    weight: (time) => -derivative(time) / masked(time),
  };
}
