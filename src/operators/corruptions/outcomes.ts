// What becomes of each hidden token: the 80/10/10 rule of BERT (Devlin et al. 2019, section 3.1), one draw against both
// thresholds (two nested coins of 0.8 and 0.1 would give 0.8/0.02/0.18). SpanBERT draws one outcome for a whole span.
import { type AnyBatch, isColumn, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { type Key, sampleKey } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { checkCopies, copyOf } from '../masks/copyOf.js';
import { beginDraws, drawWord } from '../masks/draws.js';
import type { Bytes, Stage } from '../stages.js';
import { hiddenOf, outcomeCodes, refuseColumns, told } from './hiddenIds.js';

export interface OutcomeShares {
  /** Probability that a hidden token is replaced by the mask id. Default 0.8. */
  readonly mask?: number;
  /** Probability that it is replaced by a random id; what is left of 1 stays as it is. Default 0.1. */
  readonly random?: number;
  /** `token`: a draw for each hidden token (BERT); `span`: one for each run of hidden tokens (SpanBERT). Default `token`. */
  readonly unit?: 'token' | 'span';
}

export interface OutcomesOptions extends OutcomeShares {
  /** Draws of a sample repeat after so many epochs, as in `mask`. Default: never. */
  readonly copies?: number;
  /** Stage name, the key of its draws; default `outcomes`. */
  readonly name?: string;
}

/** The shares with their defaults; throws for those that are no probabilities or exceed 1 in sum. */
export function checkedShares(stageName: string, { mask = 0.8, random = 0.1, unit = 'token' }: OutcomeShares): Required<OutcomeShares> {
  for (const [option, share] of Object.entries({ mask, random })) {
    check(typeof share === 'number' && share >= 0 && share <= 1, stageName, option, 'must lie in [0, 1]', share);
  }
  check(mask + random <= 1 + 1e-12, stageName, 'random', `must be at most 1 − mask = ${1 - mask}`, random, 'What is left of 1 stays as it is.');
  check(unit === 'token' || unit === 'span', stageName, 'unit', "must be 'token' or 'span'", unit);
  return { mask, random, unit };
}

/**
 * Writes an outcome code for every token of one row: 0 where it is not hidden, else 1 = mask id, 2 = random id, 3 = kept.
 * With `unit: 'span'` a run of hidden tokens, which ends where the document does, has one outcome.
 *
 * @param out one byte a token
 * @param hidden the row's mask
 *
 * @example
 * drawOutcomes(new Uint8Array(3), Uint8Array.of(0, 1, 1), { mask: 0.8, random: 0.1, unit: 'token' }, rootKey(0));
 */
export function drawOutcomes(
  out: Uint8Array,
  hidden: Uint8Array,
  { mask, random, unit }: Required<OutcomeShares>,
  key: Key,
  documents?: Int32Array,
): Uint8Array {
  const toMask = mask * 2 ** 32;
  const toRandom = (mask + random) * 2 ** 32;
  const bySpan = unit === 'span';
  beginDraws(key);
  let outcome = 0;
  for (let i = 0; i < hidden.length; i++) {
    if (hidden[i] === 0) {
      out[i] = outcomeCodes.visible;
      continue;
    }
    const goesOn = bySpan && i > 0 && hidden[i - 1] === 1 && documents?.[i] === documents?.[i - 1];
    if (!goesOn) {
      const word = drawWord();
      outcome = word < toMask ? outcomeCodes.mask : word < toRandom ? outcomeCodes.random : outcomeCodes.keep;
    }
    out[i] = outcome;
  }
  return out;
}

/** Outcomes of a whole batch, each row under the key of its sample. */
export function outcomesOf(batch: AnyBatch, shares: Required<OutcomeShares>, key: Key, copies: number): Uint8Array {
  const { mask, cells } = hiddenOf(batch);
  const column = shares.unit === 'span' ? batch.columns.documents : undefined;
  if (column !== undefined && !(isColumn(column) && column.data instanceof Int32Array && column.data.length === mask.length)) {
    throw new MaskflowError({ option: 'documents', rule: 'the column documents must be int32, one number for each token', value: told(column) });
  }
  const documents = column?.data as Int32Array | undefined;
  const codes = new Uint8Array(mask.length);
  for (let row = 0; row < batch.rows; row++) {
    const [from, to] = [row * cells, (row + 1) * cells];
    const own = sampleKey(key, copyOf(batch.origins[row] as AnyBatch['origins'][number], copies));
    drawOutcomes(codes.subarray(from, to), mask.subarray(from, to), shares, own, documents?.subarray(from, to));
  }
  return codes;
}

/**
 * Adds `outcome`: uint8 of the mask's shape, what becomes of each token: 0 = not hidden, 1 = replaced by the mask id,
 * 2 = by a random id, 3 = kept. `replaceWithMask` and `replaceWithRandom` behind it go by it. Reads `mask`, and with `unit:
 * 'span'` the column `documents` where there is one.
 *
 * @throws MaskflowError for shares that are no probabilities or exceed 1, a batch without mask or with outcomes
 *
 * @example
 * masked.pipe(outcomes({ mask: 0.8, random: 0.1 }));
 */
export function outcomes(options: OutcomesOptions = {}): Stage<{ readonly mask: Bytes }, { readonly outcome: Bytes }> {
  checkOptions('outcomes', options, ['mask', 'random', 'unit', 'copies', 'name']);
  const { copies = Number.POSITIVE_INFINITY, name = 'outcomes' } = options;
  const shares = checkedShares('outcomes', options);
  checkCopies('outcomes', copies);
  const made = recipe('maskflow/operators', 'outcomes', { ...shares, copies });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => (batch) => {
    refuseColumns(batch, 'outcome');
    return withColumns(batch, { outcome: { data: outcomesOf(batch, shares, key, copies), shape: (batch.columns.mask as Bytes).shape } });
  });
  return operator as unknown as Stage<{ readonly mask: Bytes }, { readonly outcome: Bytes }>;
}
