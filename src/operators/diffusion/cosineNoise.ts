import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type NoiseSchedule, asTime } from './noiseSchedule.js';

export interface CosineNoiseOptions {
  /** ε: the share that is still visible at t = 1. Default 0.001. */
  readonly margin?: number;
}

/**
 * MDLM's cosine schedule (Sahoo et al. 2024, `noise_schedule.py`): α = ε + (1 − ε) cos(π t / 2). Hides few tokens for most t.
 *
 * @throws MaskflowError for a margin outside [0, 1)
 *
 * @example
 * cosineNoise().alpha(0.5); // 0.7074
 */
export function cosineNoise(options: CosineNoiseOptions = {}): NoiseSchedule {
  checkOptions('cosineNoise', options, ['margin']);
  const { margin = 1e-3 } = options;
  check(typeof margin === 'number' && margin >= 0 && margin < 1, 'cosineNoise', 'margin', 'must lie in [0, 1)', margin);
  // 1 − cos x = 2 sin²(x / 2), which keeps its digits where x is small.
  const masked = (time: number): number => 2 * (1 - margin) * Math.sin((Math.PI * time) / 4) ** 2;
  const derivative = (time: number): number => (-Math.PI / 2) * (1 - margin) * Math.sin((Math.PI * time) / 2);
  return {
    recipe: recipe('maskflow/operators', 'cosineNoise', { margin }),
    alpha: (time) => margin + (1 - margin) * Math.cos((Math.PI * time) / 2),
    masked,
    derivative,
    inverse: (share) => asTime((4 / Math.PI) * Math.asin(Math.min(1, Math.sqrt(share / (2 * (1 - margin)))))),
    weight: (time) => -derivative(time) / masked(time),
  };
}
