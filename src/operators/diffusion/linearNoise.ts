// The linear schedule: log-linear in MDLM (Sahoo et al. 2024), where `margin` is its ε; LLaDA and SMDM write p = (1 − ε) t + ε, here `floor`.
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type NoiseSchedule, asTime } from './noiseSchedule.js';

export interface LinearNoiseOptions {
  /** ε of 1 − α = (1 − ε) t: a token may stay visible at t = 1 (MDLM trains with 10⁻³). The weight is 1/t all the same. Default 0. */
  readonly margin?: number;
  /** ε of 1 − α = (1 − ε) t + ε: a token may be hidden at t = 0 (LLaDA, SMDM: 10⁻³ in training). The weight is 1/(1 − α). Default 0. */
  readonly floor?: number;
}

/**
 * α = 1 − t, weight 1/t. With `floor` the hidden share is uniform on [ε, 1]; the references weight by its inverse, which for
 * uniform t is exact for that law, and 1/(1 − ε) times −α′/(1 − α).
 *
 * @throws MaskflowError for options outside [0, 1), or both of them
 *
 * @example
 * linearNoise().weight(0.5); // 2
 */
export function linearNoise(options: LinearNoiseOptions = {}): NoiseSchedule {
  checkOptions('linearNoise', options, ['margin', 'floor']);
  const { margin = 0, floor = 0 } = options;
  for (const [name, value] of Object.entries({ margin, floor })) {
    check(typeof value === 'number' && value >= 0 && value < 1, 'linearNoise', name, 'must lie in [0, 1)', value, 'It is an ε: 0.001 is usual.');
  }
  check(margin === 0 || floor === 0, 'linearNoise', 'floor', 'excludes margin', floor, 'MDLM has margin, LLaDA and SMDM have floor.');
  const slope = 1 - margin - floor;
  const masked = (time: number): number => slope * time + floor;
  return {
    recipe: recipe('maskflow/operators', 'linearNoise', { margin, floor }),
    alpha: (time) => 1 - masked(time),
    masked,
    derivative: () => -slope,
    inverse: (share) => asTime((share - floor) / slope),
    weight: (time) => (floor === 0 ? 1 / time : 1 / masked(time)),
  };
}
