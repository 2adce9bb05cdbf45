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
import type { Tokenizer } from '../views/tokenizer.js';
import { drawIds } from './drawIds.js';
import { hiddenOf, idsOf, outcomeCodes, refuseColumns } from './hiddenIds.js';
import { checkIgnore, labelsOf } from './labels.js';
import { type OutcomeShares, checkedShares, outcomesOf } from './outcomes.js';
import { replaceByDraws } from './replaceWithRandom.js';

interface CommonOptions extends OutcomeShares {
  /** How often each id occurs in the corpus: random ids are then drawn by frequency (SpanBERT). Default: all alike. */
  readonly counts?: Counts;
  /** Label of tokens that are not hidden: no id, so negative. Default −100. */
  readonly ignore?: number;
  /** Draws of a sample repeat after so many epochs, as in `mask`: with both, data is masked statically. Default: never. */
  readonly copies?: number;
  /** Stage name, the key of its draws; default `corrupt`. */
  readonly name?: string;
}

export interface CorruptByTokenizer extends CommonOptions {
  /** The mask token, the number of ids and which of them are special: random ids are then tokens of text. */
  readonly tokenizer: Pick<Tokenizer, 'maskId' | 'vocabulary' | 'special' | 'recipe'>;
}

export interface CorruptByIds extends CommonOptions {
  /** Id of the mask token. */
  readonly maskId: number;
  /** Number of ids, special ones and the mask's included: random ids are below it. */
  readonly vocabulary: number;
}

/** Either a tokenizer, or the two numbers by hand. */
export type CorruptOptions = CorruptByTokenizer | CorruptByIds;

/** What random ids are drawn from, and which id masks. */
function idsOfOptions(options: CorruptOptions): { readonly maskId: number; readonly vocabulary: number; readonly draw: () => number } {
  const { counts } = options;
  if (!('tokenizer' in options)) {
    const { maskId, vocabulary } = options;
    return { maskId, vocabulary, draw: drawIds('corrupt', vocabulary, counts) };
  }
  const { tokenizer } = options;
  const isTokenizer = tokenizer?.special instanceof Uint8Array && typeof tokenizer.vocabulary === 'number';
  check(isTokenizer, 'corrupt', 'tokenizer', 'must be a tokenizer', tokenizer, "Write corrupt({ tokenizer: await tokenizer('tokenizer.json') }).");
  for (const option of ['maskId', 'vocabulary'] as const)
    check(!(option in options), 'corrupt', option, 'is that of the tokenizer and cannot be given beside it', (options as Partial<CorruptByIds>)[option]);
  const { maskId, vocabulary, special } = tokenizer;
  const text = Int32Array.from(special.keys()).filter((id) => special[id] === 0);
  check(text.length > 0, 'corrupt', 'tokenizer', 'must have ids that are not special', vocabulary);
  // Before they are made fewer, so that an error speaks of what was given.
  if (counts !== undefined) drawIds('corrupt', vocabulary, counts);
  const index = drawIds('corrupt', text.length, counts && Float64Array.from(text, (id) => counts[id] as number));
  return { maskId, vocabulary, draw: () => text[index()] as number };
}

/**
 * Adds `inputs` (int32, the shape of `tokens`): hidden ids become the mask id with probability `mask`, a random id with
 * probability `random`, and stay otherwise, drawn for each hidden token or, with `unit: 'span'`, for each run of them; and
 * `labels` (int32): the id of every hidden token, of those that stay too, and `ignore` elsewhere. With a `tokenizer` random ids
 * are uniform over those that are not special; with `maskId` and `vocabulary` over all ids, special ones included, as in
 * BERT's own code; by corpus frequency with `counts`. The one that was there may come. Draws depend on the run's seed, the stage's
 * name and the sample, not on the batch. Reads `tokens` (int32), `mask`, and for spans `documents` where there is one.
 *
 * @throws MaskflowError for shares that are no probabilities or exceed 1, a mask id outside the vocabulary, a tokenizer without
 * mask token, counts that do not fit, a missing or ill-typed column, and a batch that has inputs or labels already
 *
 * @example
 * sentences.pipe(mask(countBased({ ratio: 0.15 })), corrupt({ tokenizer: words }));
 */
export function corrupt(
  options: CorruptOptions,
): Stage<{ readonly tokens: Integers; readonly mask: Bytes }, { readonly inputs: Integers; readonly labels: Integers }> {
  checkOptions('corrupt', options, ['tokenizer', 'maskId', 'vocabulary', 'counts', 'mask', 'random', 'unit', 'ignore', 'copies', 'name']);
  const { counts, ignore = -100, copies = Number.POSITIVE_INFINITY, name = 'corrupt' } = options;
  const shares = checkedShares('corrupt', options);
  const { maskId, vocabulary, draw } = idsOfOptions(options);
  checkInteger('corrupt', 'maskId', maskId, 0);
  check(maskId < vocabulary, 'corrupt', 'maskId', `must be below the vocabulary of ${vocabulary} ids`, maskId);
  checkIgnore('corrupt', ignore);
  checkCopies('corrupt', copies);
  const frequencies = counts === undefined ? {} : { counts: countsRecipe(counts) };
  const ids = 'tokenizer' in options ? { tokenizer: options.tokenizer.recipe } : { maskId, vocabulary };
  const made = recipe('maskflow/operators', 'corrupt', { ...ids, ...frequencies, ...shares, ignore, copies });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => {
    const [ofOutcome, ofId] = [fold(key, 'outcome'), fold(key, 'id')];
    return (batch) => {
      refuseColumns(batch, 'inputs', 'labels');
      const { mask, cells } = hiddenOf(batch);
      const { data: given, shape } = idsOf(batch, 'tokens', cells);
      const chosen = outcomesOf(batch, shares, ofOutcome, copies);
      const inputs = given.slice();
      for (let i = 0; i < inputs.length; i++) if (chosen[i] === outcomeCodes.mask) inputs[i] = maskId;
      if (shares.random > 0) replaceByDraws(inputs, { chosen, code: outcomeCodes.random, cells }, draw, batch.origins, ofId, copies);
      return withColumns(batch, { inputs: { data: inputs, shape }, labels: { data: labelsOf(given, mask, ignore), shape } });
    };
  });
  return operator as unknown as Stage<{ readonly tokens: Integers; readonly mask: Bytes }, { readonly inputs: Integers; readonly labels: Integers }>;
}
