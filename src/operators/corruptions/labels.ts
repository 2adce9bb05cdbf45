// The targets of masked language modelling: the ids that were hidden.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Bytes, Integers, Stage } from '../stages.js';
import { hiddenOf, idsOf, refuseColumns } from './hiddenIds.js';

export interface LabelsOptions<From extends string = string, To extends string = string> {
  /** Label of tokens that are not hidden: no id, so negative. Default −100. */
  readonly ignore?: number;
  /** Column of ids. Default `tokens`. */
  readonly column?: From;
  /** Name of the new column. Default `labels`. */
  readonly as?: To;
  /** Stage name; default `labels`. */
  readonly name?: string;
}

/**
 * The ids where the mask is 1, `ignore` elsewhere; int32, as long as `ids`.
 *
 * @example
 * labelsOf(Int32Array.of(5, 6, 7), Uint8Array.of(0, 1, 0)); // Int32Array [-100, 6, -100]
 */
export function labelsOf(ids: Int32Array, mask: Uint8Array, ignore = -100): Int32Array {
  const labels = new Int32Array(ids.length);
  for (let i = 0; i < labels.length; i++) labels[i] = mask[i] === 1 ? (ids[i] as number) : ignore;
  return labels;
}

/** Throws unless `ignore` is a negative 32-bit integer. */
export function checkIgnore(stageName: string, ignore: unknown): void {
  const legal = Number.isInteger(ignore) && (ignore as number) < 0 && (ignore as number) >= -(2 ** 31);
  check(legal, stageName, 'ignore', 'must be a negative integer', ignore, 'Ids count from 0, so only a negative number cannot be one: -100 is usual.');
}

/**
 * Adds `labels`: int32 of the shape of `tokens`, the id of each hidden token and `ignore` for all others, whatever the
 * corruption does to them. Reads `tokens` (int32) and `mask` (uint8).
 *
 * @throws MaskflowError for a missing or ill-typed column, and where there are labels already
 *
 * @example
 * masked.pipe(replaceWithMask({ maskId: 103 }), labels());
 */
export function labels<From extends string = 'tokens', To extends string = 'labels'>(
  options: LabelsOptions<From, To> = {},
): Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }> {
  checkOptions('labels', options, ['ignore', 'column', 'as', 'name']);
  const { ignore = -100, column = 'tokens', as = 'labels', name = 'labels' } = options;
  checkIgnore('labels', ignore);
  const made = recipe('maskflow/operators', 'labels', { ignore, column, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    refuseColumns(batch, as);
    const { mask, cells } = hiddenOf(batch);
    const ids = idsOf(batch, column, cells);
    return withColumns(batch, { [as]: { data: labelsOf(ids.data, mask, ignore), shape: ids.shape } });
  });
  return operator as unknown as Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }>;
}
