// Options are one object with defaults; an unknown or ill-typed one is an error that names its nearest neighbour.
import { MaskflowError } from './errors.js';
import { nearest } from './nearest.js';

/** Refuses keys of `given` that `known` does not list. Call it first in every factory that takes options. */
export function checkOptions(stage: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new MaskflowError({
      stage,
      option: key,
      rule: 'there is no such option',
      hint: near ? `Did you mean ${near}?` : `Known: ${known.join(', ')}.`,
    });
  }
}

/** Throws unless `holds`; the way an option states its rule in one line. */
export function check(holds: boolean, stage: string, option: string, rule: string, value: unknown, hint?: string): void {
  if (!holds) throw new MaskflowError({ stage, option, rule, value, ...(hint === undefined ? {} : { hint }) });
}

/** Throws unless `value` is an integer of at least `least`. */
export function checkInteger(stage: string, option: string, value: unknown, least = 1): void {
  check(Number.isInteger(value) && (value as number) >= least, stage, option, `must be an integer of at least ${least}`, value);
}
