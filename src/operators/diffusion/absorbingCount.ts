// The time-free form of masked diffusion (Zheng et al. 2024, section 3; the discrete form of LLaDA's evaluation): instead of a coin a
// token, a number of hidden tokens drawn uniformly from 1 … L, and so many random tokens. The bound is the same in expectation, with
// less variance and nothing to divide by that could be small.
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { eligibleCount } from '../masks/eligibleCount.js';
import { hideAmong } from '../masks/hideAmong.js';
import { uniformScore } from '../masks/random.js';
import { type Mask, checkedCells } from '../masks/select.js';
import { freshBytes } from '../../core/slab.js';
import { timeIn } from './timeIn.js';

/**
 * Hides exactly max(1, ⌈n · time⌉) of the n tokens that exist and are not special, uniformly at random: with uniform times the
 * number is uniform on 1 … n (use `diffusionTime({ least: 0 })`), and low-discrepancy times spread it over the batch. Reads the
 * column `time`. Weigh its loss by `countWeight`.
 *
 * @throws MaskflowError when used, for a missing time or one outside [0, 1]
 *
 * @example
 * sentences.pipe(diffusionTime({ scope: 'batch', least: 0 }), mask(absorbingCount()), countWeight());
 */
export function absorbingCount(options: Readonly<Record<string, never>> = {}): Mask {
  checkOptions('absorbingCount', options, []);
  const score = uniformScore();
  return {
    recipe: recipe('maskflow/operators', 'absorbingCount'),
    reads: ['time'],
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      const count = eligibleCount(tokens);
      hideAmong(hidden, score.values(tokens, key), tokens, count, hiddenCount(count, timeIn(tokens, 'absorbingCount')), 'uniformScore');
      return hidden;
    },
  };
}

/**
 * max(1, ⌈count · time⌉), 0 where count is 0.
 *
 * @example
 * hiddenCount(16, 0.25); // 4
 */
export function hiddenCount(count: number, time: number): number {
  return Math.min(count, Math.max(1, Math.ceil(count * time)));
}
