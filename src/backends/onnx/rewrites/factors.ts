// A product of several values, however its Mul, Div and scalar factors are nested, read as one list.
import type { Draft } from './draft.js';

export interface Factors {
  /** Product of the constant scalars. */
  readonly number: number;
  /** The other factors with their powers: 1, −1 for a divisor. */
  readonly values: ReadonlyMap<string, number>;
}

/** Looks through at most `depth` levels of Mul, Div, Neg, Reciprocal and Pow by a constant; `stops` are not looked into. */
export function factorsOf(draft: Draft, name: string, depth: number, stops: ReadonlySet<string> = new Set()): Factors {
  const values = new Map<string, number>();
  let number = 1;
  const visit = (value: string, power: number, left: number): void => {
    const constant = draft.number(value);
    if (constant !== undefined && !stops.has(value)) {
      number *= constant ** power;
      return;
    }
    const node = left > 0 && !stops.has(value) ? draft.producer(value) : undefined;
    const [x, y] = (node?.inputs ?? []) as [string, string];
    if (node?.op === 'Mul') {
      visit(x, power, left - 1);
      visit(y, power, left - 1);
    } else if (node?.op === 'Div') {
      visit(x, power, left - 1);
      visit(y, -power, left - 1);
    } else if (node?.op === 'Neg') {
      number *= -1;
      visit(x, power, left - 1);
    } else if (node?.op === 'Reciprocal') visit(x, -power, left - 1);
    else if (node?.op === 'Pow' && draft.number(y) !== undefined) visit(x, power * (draft.number(y) as number), left - 1);
    else values.set(value, (values.get(value) ?? 0) + power);
  };
  visit(name, 1, depth);
  return { number, values };
}

/** Equal but for the rounding of float32 factors. */
export const nearly = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-5 * Math.abs(b);
