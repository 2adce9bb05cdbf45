// The mask id in place of hidden ids: all of the corruption of masked diffusion, 80 % of that of BERT.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Bytes, Integers, Stage } from '../stages.js';
import { chosenOf, idsOf, outcomeCodes, refuseColumns } from './hiddenIds.js';

export interface ReplaceWithMaskOptions<From extends string = string, To extends string = string> {
  /** Id of the mask token. */
  readonly maskId: number;
  /** Column of ids. Default `tokens`. */
  readonly column?: From;
  /** Name of the new column. Default `inputs`. */
  readonly as?: To;
  /** Stage name; default `replaceWithMask`. */
  readonly name?: string;
}

/**
 * Adds `inputs`: int32, the ids of `tokens` with the mask id where a token is hidden; behind `outcomes` only where the outcome
 * is 1. Reads `tokens` (int32), `mask`, and `outcome` where there is one.
 *
 * @throws MaskflowError for a mask id that is no integer ≥ 0, a missing or ill-typed column, and where there are inputs already
 *
 * @example
 * masked.pipe(replaceWithMask({ maskId: 103 }), labels());
 * masked.pipe(outcomes(), replaceWithMask({ maskId: 103, as: 'partly' }), replaceWithRandom({ vocabulary: 30522, column: 'partly' }));
 */
export function replaceWithMask<From extends string = 'tokens', To extends string = 'inputs'>(
  options: ReplaceWithMaskOptions<From, To>,
): Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }> {
  checkOptions('replaceWithMask', options, ['maskId', 'column', 'as', 'name']);
  const { maskId, column = 'tokens', as = 'inputs', name = 'replaceWithMask' } = options;
  checkInteger('replaceWithMask', 'maskId', maskId, 0);
  const made = recipe('maskflow/operators', 'replaceWithMask', { maskId, column, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    refuseColumns(batch, as);
    const { chosen, code, cells } = chosenOf(batch, outcomeCodes.mask);
    const ids = idsOf(batch, column, cells);
    const data = ids.data.slice();
    for (let i = 0; i < data.length; i++) if (chosen[i] === code) data[i] = maskId;
    return withColumns(batch, { [as]: { data, shape: ids.shape } });
  });
  return operator as unknown as Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }>;
}
