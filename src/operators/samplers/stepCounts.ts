// How many masks fall in each step: the plans of LLaDA, MaskGIT and SMDM's code.
import { checkInteger, check } from '../../core/options.js';

export const countPlans = ['even', 'cosine', 'floor'] as const;
/**
 * `even`: floor(masks / steps) each, the first (masks mod steps) one more (LLaDA). `cosine`: masks left after step i of T are
 * floor(L · cos(π/2 · (i + 1)/T)), at least one fewer each time and 0 at the end (MaskGIT). `floor`: of the M left floor(M · (1 − s/t))
 * with float32 times from 1 to 10⁻⁵, as SMDM's code has it: the first step then often reveals nothing and the last one two.
 */
export type CountPlan = (typeof countPlans)[number];

/**
 * Tokens that become visible in each step; they add up to `masks`.
 *
 * @returns Int32Array [steps]
 * @throws MaskflowError for an unknown plan or steps below 1; cosine also for masks above 0 and below the number of steps
 *
 * @example
 * stepCounts(10, 4); // Int32Array [3, 3, 2, 2]
 * stepCounts(16, 4, 'cosine'); // Int32Array [2, 3, 5, 6]
 */
export function stepCounts(masks: number, steps: number, plan: CountPlan = 'even'): Int32Array {
  checkInteger('stepCounts', 'masks', masks, 0);
  checkInteger('stepCounts', 'steps', steps);
  checkPlan('stepCounts', plan);
  if (plan === 'even') return Int32Array.from({ length: steps }, (_, i) => Math.floor(masks / steps) + (i < masks % steps ? 1 : 0));
  return plan === 'cosine' ? cosine(masks, steps) : floor(masks, steps);
}

/** Throws unless `plan` is the name of a plan. */
export function checkPlan(stage: string, plan: unknown): void {
  const hint = `Known: ${countPlans.join(', ')}.`;
  check(countPlans.includes(plan as CountPlan), stage, 'counts', 'must be the name of a plan', plan, hint);
}

function cosine(masks: number, steps: number): Int32Array {
  // With fewer masks than steps the first ones take one each, which is what "at least one" comes to.
  let left = masks;
  return Int32Array.from({ length: steps }, (_, i) => {
    const target = i === steps - 1 ? 0 : Math.floor(masks * Math.cos((Math.PI / 2) * ((i + 1) / steps)));
    const after = Math.max(0, Math.min(left - 1, target));
    const count = left - after;
    left = after;
    return count;
  });
}

function floor(masks: number, steps: number): Int32Array {
  // torch.linspace(1, 1e-5, steps + 1) in float32: from the left in the first half, from the right in the second.
  const end = Math.fround(1e-5);
  const stride = Math.fround((end - 1) / steps);
  const time = (i: number): number =>
    i < Math.floor((steps + 1) / 2) ? Math.fround(1 + Math.fround(stride * i)) : Math.fround(end - Math.fround(stride * (steps - i)));
  let left = masks;
  return Int32Array.from({ length: steps }, (_, i) => {
    const share = Math.fround(1 - Math.fround(time(i + 1) / time(i)));
    const count = i === steps - 1 ? left : Math.floor(Math.fround(left * share));
    left -= count;
    return count;
  });
}
