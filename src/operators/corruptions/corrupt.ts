// The corruption of masked language modelling in one stage (BERT, Devlin et al. 2019, section 3.1; SpanBERT with `unit: 'span'`
// and counts): `outcomes`, `replaceWithMask`, `replaceWithRandom` and `labels`, without the columns that lie between them.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { fold } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { checkCopies } from '../masks/copyOf.js';
import { type Counts, countsRecipe } from '../masks/counts.js';
import type { Bytes, Integers, Stage } from '../stages.js';
import { drawIds } from './drawIds.js';
import { hiddenOf, idsOf, outcomeCodes, refuseColumns } from './hiddenIds.js';
import { checkIgnore, labelsOf } from './labels.js';
import { type OutcomeShares, checkedShares, outcomesOf } from './outcomes.js';
import { replaceByDraws } from './replaceWithRandom.js';

export interface CorruptOptions extends OutcomeShares {
  /** Id of the mask token. */
  readonly maskId: number;
  /** Number of ids, special ones and the mask's included: random ids are below it. */
  readonly vocabulary: number;
  /** How often each id occurs in the corpus: random ids are then drawn by frequency (SpanBERT). Default: all alike. */
  readonly counts?: Counts;
  /** Label of tokens that are not hidden: no id, so negative. Default −100. */
  readonly ignore?: number;
  /** Draws of a sample repeat after so many epochs, as in `mask`: with both, data is masked statically. Default: never. */
  readonly copies?: number;
  /** Stage name, the key of its draws; default `corrupt`. */
  readonly name?: string;
}

/**
 * Adds `inputs` (int32, the shape of `tokens`): hidden ids become the mask id with probability `mask`, a random id with
 * probability `random`, and stay otherwise, drawn for each hidden token or, with `unit: 'span'`, for each run of them; and
 * `labels` (int32): the id of every hidden token, of those that stay too, and `ignore` elsewhere. Random ids are uniform over
 * the vocabulary, special ids and the one that was there included, or by corpus frequency with `counts`. Draws depend on the
 * run's seed, the stage's name and the sample, not on the batch. Reads `tokens` (int32), `mask`, and for spans `documents`
 * where there is one.
 *
 * @throws MaskflowError for shares that are no probabilities or exceed 1, a mask id outside the vocabulary, counts that do not
 * fit it, a missing or ill-typed column, and a batch that has inputs or labels already
 *
 * @example
 * sentences.pipe(mask(countBased({ ratio: 0.15 })), corrupt({ maskId: 103, vocabulary: 30522 }));
 */
export function corrupt(
  options: CorruptOptions,
): Stage<{ readonly tokens: Integers; readonly mask: Bytes }, { readonly inputs: Integers; readonly labels: Integers }> {
  checkOptions('corrupt', options, ['maskId', 'vocabulary', 'counts', 'mask', 'random', 'unit', 'ignore', 'copies', 'name']);
  const { maskId, vocabulary, counts, ignore = -100, copies = Number.POSITIVE_INFINITY, name = 'corrupt' } = options;
  const shares = checkedShares('corrupt', options);
  const draw = drawIds('corrupt', vocabulary, counts);
  checkInteger('corrupt', 'maskId', maskId, 0);
  check(maskId < vocabulary, 'corrupt', 'maskId', `must be below the vocabulary of ${vocabulary} ids`, maskId);
  checkIgnore('corrupt', ignore);
  checkCopies('corrupt', copies);
  const frequencies = counts === undefined ? {} : { counts: countsRecipe(counts) };
  const made = recipe('maskflow/operators', 'corrupt', { maskId, vocabulary, ...frequencies, ...shares, ignore, copies });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => {
    const [ofOutcome, ofId] = [fold(key, 'outcome'), fold(key, 'id')];
    return (batch) => {
      refuseColumns(batch, 'inputs', 'labels');
      const { mask, cells } = hiddenOf(batch);
      const { data: ids, shape } = idsOf(batch, 'tokens', cells);
      const chosen = outcomesOf(batch, shares, ofOutcome, copies);
      const inputs = ids.slice();
      for (let i = 0; i < inputs.length; i++) if (chosen[i] === outcomeCodes.mask) inputs[i] = maskId;
      if (shares.random > 0) replaceByDraws(inputs, { chosen, code: outcomeCodes.random, cells }, draw, batch.origins, ofId, copies);
      return withColumns(batch, { inputs: { data: inputs, shape }, labels: { data: labelsOf(ids, mask, ignore), shape } });
    };
  });
  return operator as unknown as Stage<{ readonly tokens: Integers; readonly mask: Bytes }, { readonly inputs: Integers; readonly labels: Integers }>;
}
