// The weight of masked diffusion's cross-entropy in its time-free form: tokens that may be hidden over tokens that are, so that a row's
// loss is its mean cross-entropy over hidden tokens, and the sequence's bound n times that. Divide by tokens as with `diffusionWeight`.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { hiddenOf } from '../corruptions/hiddenIds.js';
import type { Bytes, Floats, Stage } from '../stages.js';
import { rowWeights } from './weights.js';

export interface CountWeightOptions<As extends string = string> {
  /** Name of the new column. Default `weight`. */
  readonly as?: As;
  /** Stage name; default `countWeight`. */
  readonly name?: string;
}

/**
 * Adds `weight`: float32 [rows], n / hidden, n the tokens of a row that could be hidden; 0 for a row that hides nothing. For
 * `absorbingCount`: exact for a number of hidden tokens uniform on 1 … n.
 *
 * @throws MaskflowError for a missing or ill-typed mask, and a batch that has weights already (with the default name a type error too)
 *
 * @example
 * sentences.pipe(diffusionTime({ least: 0 }), mask(absorbingCount()), countWeight(), replaceWithMask({ maskId }), labels());
 */
export function countWeight<As extends string = 'weight'>(
  options: CountWeightOptions<As> = {},
): Stage<{ readonly mask: Bytes } & { readonly [K in As]?: never }, { readonly [K in As]: Floats }> {
  checkOptions('countWeight', options, ['as', 'name']);
  const { as = 'weight', name = 'countWeight' } = options;
  const operator = stage<AnyBatch, AnyBatch>(recipe('maskflow/operators', 'countWeight', { as }), { name, per: 'batch' }, () => (batch) => {
    const { mask, cells } = hiddenOf(batch);
    return withColumns(
      batch,
      rowWeights(batch, as, mask, cells, (_, hidden, eligible) => (hidden === 0 ? 0 : eligible / hidden)),
    );
  });
  return operator as unknown as Stage<{ readonly mask: Bytes } & { readonly [K in As]?: never }, { readonly [K in As]: Floats }>;
}
