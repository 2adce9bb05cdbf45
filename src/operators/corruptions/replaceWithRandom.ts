// Random ids in place of hidden ones: 10 % of BERT's corruption (Devlin et al. 2019, section 3.1).
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { type Key, sampleKey } from '../../core/key.js';
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { checkCopies, copyOf } from '../masks/copyOf.js';
import { type Counts, countsRecipe } from '../masks/counts.js';
import { beginDraws } from '../masks/draws.js';
import type { Bytes, Integers, Stage } from '../stages.js';
import { drawIds } from './drawIds.js';
import { chosenOf, idsOf, outcomeCodes, refuseColumns } from './hiddenIds.js';

export interface ReplaceWithRandomOptions<From extends string = string, To extends string = string> {
  /** Number of ids, special ones and the mask's included. */
  readonly vocabulary: number;
  /** How often each id occurs in the corpus: ids are then drawn by frequency (SpanBERT). Default: all alike. */
  readonly counts?: Counts;
  /** Column of ids. Default `tokens`. */
  readonly column?: From;
  /** Name of the new column. Default `inputs`. */
  readonly as?: To;
  /** Draws of a sample repeat after so many epochs, as in `mask`. Default: never. */
  readonly copies?: number;
  /** Stage name, the key of its draws; default `replaceWithRandom`. */
  readonly name?: string;
}

/** Replaces, in `ids` itself, those where `chosen` is `code` by draws of `draw`; each row under the key of its sample. */
export function replaceByDraws(
  ids: Int32Array,
  { chosen, code, cells }: { readonly chosen: Uint8Array; readonly code: number; readonly cells: number },
  draw: () => number,
  origins: AnyBatch['origins'],
  key: Key,
  copies: number,
): void {
  for (let row = 0, i = 0; row < origins.length; row++) {
    beginDraws(sampleKey(key, copyOf(origins[row] as AnyBatch['origins'][number], copies)));
    for (const end = i + cells; i < end; i++) if (chosen[i] === code) ids[i] = draw();
  }
}

/**
 * Adds `inputs`: int32, the ids of `tokens` with a random one where a token is hidden; behind `outcomes` only where the outcome
 * is 2. A fresh draw for each token; it may be a special id, or the id that was there. Reads `tokens` (int32), `mask`, and
 * `outcome` where there is one.
 *
 * @throws MaskflowError for a vocabulary that is no integer from 1 to 2^21, counts that do not fit it, a missing or ill-typed
 * column, and where there are inputs already
 *
 * @example
 * masked.pipe(replaceWithRandom({ vocabulary: 30522 }), labels());
 */
export function replaceWithRandom<From extends string = 'tokens', To extends string = 'inputs'>(
  options: ReplaceWithRandomOptions<From, To>,
): Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }> {
  checkOptions('replaceWithRandom', options, ['vocabulary', 'counts', 'column', 'as', 'copies', 'name']);
  const { vocabulary, counts, column = 'tokens', as = 'inputs', copies = Number.POSITIVE_INFINITY, name = 'replaceWithRandom' } = options;
  const draw = drawIds('replaceWithRandom', vocabulary, counts);
  checkCopies('replaceWithRandom', copies);
  const frequencies = counts === undefined ? {} : { counts: countsRecipe(counts) };
  const made = recipe('maskflow/operators', 'replaceWithRandom', { vocabulary, ...frequencies, column, as, copies });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => (batch) => {
    refuseColumns(batch, as);
    const where = chosenOf(batch, outcomeCodes.random);
    const ids = idsOf(batch, column, where.cells);
    const data = ids.data.slice();
    replaceByDraws(data, where, draw, batch.origins, key, copies);
    return withColumns(batch, { [as]: { data, shape: ids.shape } });
  });
  return operator as unknown as Stage<{ readonly [K in From]: Integers } & { readonly mask: Bytes }, { readonly [K in To]: Integers }>;
}
