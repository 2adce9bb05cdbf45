import type { Signature } from '../core/program.js';

/** A key for all that a program may know of a batch: equal for batches that one compiled graph serves. */
export function signatureKey({ rows, columns, grid }: Signature): string {
  return JSON.stringify([rows, Object.entries(columns).map(([name, { dtype, shape }]) => [name, dtype, ...shape]), grid ?? null]);
}
