// Pseudo-perplexity of masked language models (Salazar, Liang, Nguyen, Kirchhoff: "Masked language model scoring", ACL 2020,
// section 2.3): every token predicted from all the others, one pass a token.
import type { MonoTypeOperatorFunction } from 'rxjs';
import { type AnyBatch, type Column, isColumn } from '../core/batch.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { type LanguageModel, type TextBatches, heldOut } from './heldOut.js';
import { textPositions } from './unigram.js';

export interface PseudoPerplexityOptions {
  /** The language model. */
  readonly model: LanguageModel;
  /** Id of the mask token. */
  readonly maskId: number;
  /** Batches of text (`tokens`) whose frequencies are the baseline. */
  readonly train: TextBatches;
  /** Batches of text, unmasked. */
  readonly test: TextBatches;
  /** Rows of one pass, each with another token masked; default 64. */
  readonly rows?: number;
  /** Stage name and figure in result.json; default `pseudoPerplexity`. */
  readonly name?: string;
}

/** Columns that a copy of a row keeps; what is not one value a row or token stays behind. */
const kept = ['length', 'special', 'segments', 'documents', 'positions', 'time'] as const;

/**
 * Copies of a batch's rows, each with another token of text masked and asked for, `size` rows to a batch; rows that fill the last
 * one ask nothing.
 */
export function oneByOne(batch: AnyBatch, maskId: number, size: number): AnyBatch[] {
  const positions = textPositions(batch);
  const tokens = batch.columns.tokens as Column;
  const side = tokens.shape[1] as number;
  return Array.from({ length: Math.ceil(positions.length / size) }, (_, chunk) => {
    const asked = Array.from({ length: size }, (__, i) => positions[chunk * size + i]);
    const rows = asked.map((at) => Math.floor((at ?? (positions[0] as number)) / side));
    const pick = (column: Column): Column => {
      const width = column.data.length / batch.rows;
      const data = new (column.data.constructor as new (length: number) => Column['data'])(size * width);
      for (const [i, row] of rows.entries()) data.set(column.data.subarray(row * width, (row + 1) * width), i * width);
      return { data, shape: [size, ...column.shape.slice(1)] };
    };
    const ids = pick(tokens);
    const inputs = Int32Array.from(ids.data);
    const labels = new Int32Array(size * side).fill(-100);
    for (const [i, at] of asked.entries()) {
      if (at === undefined) continue;
      inputs[i * side + (at % side)] = maskId;
      labels[i * side + (at % side)] = tokens.data[at] as number;
    }
    const others = kept.flatMap((name) => {
      const column = batch.columns[name];
      return isColumn(column) ? [[name, pick(column)] as const] : [];
    });
    const columns = { ...Object.fromEntries(others), tokens: ids, inputs: { data: inputs, shape: ids.shape }, labels: { data: labels, shape: ids.shape } };
    return { rows: size, columns, origins: rows.map((row) => batch.origins[row] as AnyBatch['origins'][number]), program: undefined };
  });
}

/**
 * At the end of a run: e to the mean −ln p of every token of text in `test`, each masked alone; for the trained weights, for
 * untrained ones (`untrained.pseudoPerplexity`) and for the frequencies of ids in `train`, one added to each
 * (`unigram.pseudoPerplexity`), in result.json. A pass a token: cut `test` to what it may cost.
 *
 * @example
 * trained.pipe(pseudoPerplexity({ model: encoder, maskId: words.maskId, train: tokens('train'), test: tokens('test').pipe(take(4)) }));
 */
export function pseudoPerplexity<T>(options: PseudoPerplexityOptions): MonoTypeOperatorFunction<T> {
  checkOptions('pseudoPerplexity', options, ['model', 'maskId', 'train', 'test', 'rows', 'name']);
  const { model, maskId, train, test, rows = 64, name = 'pseudoPerplexity' } = options;
  checkInteger('pseudoPerplexity', 'rows', rows);
  checkInteger('pseudoPerplexity', 'maskId', maskId, 0);
  check(!(maskId >= model?.vocabulary), 'pseudoPerplexity', 'maskId', `must be below the vocabulary of ${model?.vocabulary} ids`, maskId);
  const questionsOf = (batch: AnyBatch): AnyBatch[] => oneByOne(batch, maskId, rows);
  return heldOut('pseudoPerplexity', name, { maskId, rows }, { model, train, test, questionsOf }, ({ surprisal, count }) => Math.exp(surprisal / count));
}
