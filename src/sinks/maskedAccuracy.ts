// How many hidden tokens a language model finds.
import type { MonoTypeOperatorFunction } from 'rxjs';
import { checkOptions } from '../core/options.js';
import { type LanguageModel, type TextBatches, heldOut } from './heldOut.js';

export interface MaskedAccuracyOptions {
  /** The language model. */
  readonly model: LanguageModel;
  /** Batches of text (`tokens`) whose frequencies are the baseline. */
  readonly train: TextBatches;
  /** Batches that ask: masked and corrupted, with `labels`. */
  readonly test: TextBatches;
  /** Stage name and figure in result.json; default `maskedAccuracy`. */
  readonly name?: string;
}

/**
 * At the end of a run: share of the asked tokens of `test` to which the model gives the largest probability, of all ids; for the
 * trained weights, for untrained ones (`untrained.maskedAccuracy`) and for always naming the most frequent id of `train`
 * (`unigram.maskedAccuracy`), in result.json. A token counts as one, whatever its weight.
 *
 * @example
 * trained.pipe(maskedAccuracy({ model: encoder, train: tokens('train'), test: masked('test') }));
 */
export function maskedAccuracy<T>(options: MaskedAccuracyOptions): MonoTypeOperatorFunction<T> {
  checkOptions('maskedAccuracy', options, ['model', 'train', 'test', 'name']);
  const { model, train, test, name = 'maskedAccuracy' } = options;
  return heldOut('maskedAccuracy', name, {}, { model, train, test }, ({ right, count }) => right / count);
}
