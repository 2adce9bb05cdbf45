// SpanBERT's span boundary objective (Joshi, Chen, Liu, Weld, Zettlemoyer, Levy: "SpanBERT", TACL 2020, section 3.2): hidden tokens
// predicted once more, from the two visible tokens around their span. It is a term beside `maskedLanguage`, over the same targets.
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import type { LossTerm, Signature, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { askedInputs, refuseTimeWeight } from './askedInputs.js';
import { askedLabels } from './askedLabels.js';
import { surprisals } from './surprisals.js';

export interface SpanBoundaryOptions {
  /** Column of target ids, int32 [rows, L]; negative where nothing is asked. Default `labels`. */
  readonly labels?: string;
  /** Column of weights, [rows] or [rows, L]; must be there where it is named. Default: `weight`, where there is one. */
  readonly weight?: string;
}

/**
 * −ln p(label) summed over the asked tokens of spans that have a visible token of text on both sides, in nats, each times its
 * weight; the count is the sum of these weights. Reads `boundaryLogits` float32 [slots, vocabulary] and the columns of
 * `withSpanBoundary`. The sum of both means is SpanBERT's loss. No such span in the batch gives sum and count 0, and no gradient.
 *
 * @throws MaskflowError as `maskedLanguage`, and where the model is not wrapped by `withSpanBoundary`
 * @example
 * asking.pipe(model(withSpanBoundary(encoder)), loss(maskedLanguage()), loss(spanBoundary(), { name: 'boundary' }));
 */
export function spanBoundary(options: SpanBoundaryOptions = {}): LossTerm<'boundaryLogits'> {
  checkOptions('spanBoundary', options, ['labels', 'weight']);
  const { labels = 'labels', weight } = options;
  check(weight === undefined || (typeof weight === 'string' && weight !== ''), 'spanBoundary', 'weight', 'must be the name of a column', weight);
  return {
    recipe: recipe('maskflow/losses', 'spanBoundary', { labels, ...(weight === undefined ? {} : { weight }) }),
    inputs(signature: Signature) {
      const names = askedInputs('spanBoundary', signature, { labels, weight });
      refuseTimeWeight('spanBoundary', 'weight', signature, weight);
      if (!('asked' in signature.columns && 'boundaryOffsets' in signature.columns)) {
        throw new MaskflowError({
          stage: 'spanBoundary',
          option: 'boundaryOffsets',
          rule: 'the batch has no such column',
          hint: 'Write model(withSpanBoundary(textEncoder(…))); by hand: withColumns(batch, program.prepare(batch)).',
        });
      }
      return [...names, 'boundaryOffsets'];
    },
    build({ boundaryLogits }, columns) {
      const { label, weight: given } = askedLabels(columns, labels, weight);
      const bounded = (columns.boundaryOffsets as Tensor).greaterEqual(tf.scalar(0, 'int32')).toFloat();
      const each = given.mul(bounded);
      const nats = surprisals(boundaryLogits, label);
      return { sum: tf.where(each.notEqual(0), nats.mul(each), tf.zerosLike(nats)).sum(), count: each.sum() };
    },
  };
}
