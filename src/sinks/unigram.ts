// The baseline of language models that reads nothing: how often each id occurs in the training text.
import type { Observable } from 'rxjs';
import { type AnyBatch, isColumn } from '../core/batch.js';
import { bounded, drain, nothing } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { recipe } from '../core/recipe.js';

/** Frequencies of ids. */
export interface Unigram {
  /** The most frequent id, the lowest of equals. */
  readonly best: number;
  /** −ln p(id) in nats, with one occurrence added to every id of the vocabulary. */
  surprisal(id: number): number;
}

/**
 * Of counted ids.
 *
 * @example
 * unigramOf(Float64Array.of(1, 3)).surprisal(1); // ln(6 / 4)
 */
export function unigramOf(counts: Float64Array): Unigram {
  const total = counts.reduce((sum, count) => sum + count, counts.length);
  return { best: counts.indexOf(counts.reduce((most, count) => Math.max(most, count), 0)), surprisal: (id) => Math.log(total / ((counts[id] as number) + 1)) };
}

/** Positions of a batch that are text: not special, or, without that column, within the row's length; in rows that are no padding. */
export function textPositions(batch: AnyBatch): number[] {
  const { tokens, special, length, weight } = batch.columns;
  if (!isColumn(tokens) || tokens.shape.length !== 2)
    throw new MaskflowError({
      option: 'tokens',
      rule: 'the batch must have a column of ids [rows, L]',
      hint: `Columns: ${Object.keys(batch.columns).join(', ')}.`,
    });
  const side = tokens.shape[1] as number;
  const padding = (row: number): boolean => isColumn(weight) && weight.data.length === batch.rows && weight.data[row] === 0;
  const positions: number[] = [];
  for (let i = 0; i < tokens.data.length; i++) {
    const row = Math.floor(i / side);
    if (padding(row)) continue;
    if (isColumn(special) ? special.data[i] === 0 : !isColumn(length) || i % side < (length.data[row] as number)) positions.push(i);
  }
  return positions;
}

/** Counts the ids of a whole stream of token batches. `stage` is who asks, for errors. */
export async function countedIds(stream: Observable<AnyBatch>, vocabulary: number, seed: number, stage: string): Promise<Unigram> {
  const counts = new Float64Array(vocabulary);
  const count = bounded<AnyBatch, never>(recipe('maskflow/sinks', 'unigram', {}), { name: stage, per: 'batch' }, () => ({
    work(batch) {
      const ids = batch.columns.tokens;
      for (const at of textPositions(batch)) {
        const id = isColumn(ids) ? (ids.data[at] as number) : 0;
        if (id >= vocabulary) throw new MaskflowError({ option: 'train', rule: `must hold ids below the model's vocabulary of ${vocabulary}`, value: id });
        counts[id] = (counts[id] as number) + 1;
      }
      return nothing;
    },
  }));
  await drain(stream.pipe(count), { seed, prefetch: 2 }, () => {});
  return unigramOf(counts);
}
