// The limit of a step's gradients, checked in one place: every executor refuses the same values in the same words.
import { check, checkOptions } from '../core/options.js';

/**
 * The greatest global norm that the limits of `Executor.step` allow the gradients of the mean loss; infinity without a clip.
 *
 * @throws MaskflowError where it is not a positive number, or where another limit is given
 * @example
 * checkClip({ clip: 1 }); // 1
 */
export function checkClip(limits: { readonly clip?: number }): number {
  checkOptions('step', limits, ['clip']);
  const { clip = Number.POSITIVE_INFINITY } = limits;
  check(clip > 0, 'step', 'clip', 'must be a positive number', clip, 'Leave it out to clip nothing.');
  return clip;
}
