// The forward process of absorbing diffusion as a mask (Austin et al. 2021, D3PM; Sahoo et al. 2024, MDLM; Nie et al. 2025, LLaDA): each
// token is hidden with probability 1 − α(t), t the row's time. A token's coin does not depend on the time, so a later time hides a
// superset: the forward process itself, not only its marginals.
import { checkOptions } from '../../core/options.js';
import { philox } from '../../core/philox.js';
import { recipe } from '../../core/recipe.js';
import { type Mask, checkedCells } from '../masks/select.js';
import { freshBytes, freshWords } from '../../core/slab.js';
import { linearNoise } from './linearNoise.js';
import { type NoiseSchedule, checkSchedule } from './noiseSchedule.js';
import { timeIn } from './timeIn.js';

export interface AbsorbingOptions {
  /** How the visible share depends on time; default `linearNoise()`. Give the weight stage the same one. */
  readonly schedule?: NoiseSchedule;
}

/**
 * Hides each token that exists and is not special with probability 1 − α(time), independently; reads the column `time` (float32,
 * one a row). The count is random and may be 0: such a row has loss 0.
 *
 * @throws MaskflowError for a schedule that is none; when used, for a missing time or one outside [0, 1]
 *
 * @example
 * sentences.pipe(diffusionTime(), mask(absorbing({ schedule: cosineNoise() })), diffusionWeight({ schedule: cosineNoise() }));
 */
export function absorbing(options: AbsorbingOptions = {}): Mask {
  checkOptions('absorbing', options, ['schedule']);
  const { schedule = linearNoise() } = options;
  checkSchedule('absorbing', schedule);
  return {
    recipe: recipe('maskflow/operators', 'absorbing', { schedule: schedule.recipe }),
    reads: ['time'],
    hide(tokens, { k0, k1, c1, c2, c3 }) {
      const hidden = freshBytes(checkedCells(tokens));
      const { length, special } = tokens;
      const below = schedule.masked(timeIn(tokens, 'absorbing')) * 2 ** 32;
      const coins = philox(freshWords(length), k0, k1, 0, c1, c2, c3);
      for (let i = 0; i < length; i++) hidden[i] = (coins[i] as number) < below && (special === undefined || special[i] === 0) ? 1 : 0;
      return hidden;
    },
  };
}
