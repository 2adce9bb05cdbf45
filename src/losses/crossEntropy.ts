// Softmax cross-entropy of class scores: the loss of classifiers and probes.
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import type { LossTerm, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { surprisals } from './surprisals.js';

export interface CrossEntropyOptions {
  /** Column of class numbers, int32 or float32 [rows]; default `label`. */
  readonly label?: string;
}

/**
 * −ln softmax(logits)[label], summed over rows; the count is the number of rows, or the sum of a `weight` column [rows].
 * Reads the output `logits` float32 [rows, classes].
 *
 * @example
 * described.pipe(loss(crossEntropy({ label: 'digit' })));
 */
export function crossEntropy(options: CrossEntropyOptions = {}): LossTerm<'logits'> {
  checkOptions('crossEntropy', options, ['label']);
  const { label = 'label' } = options;
  return {
    recipe: recipe('maskflow/losses', 'crossEntropy', { label }),
    inputs({ columns }) {
      if (columns[label] === undefined) {
        throw new MaskflowError({
          stage: 'crossEntropy',
          option: 'label',
          rule: 'must name a column of class numbers',
          value: label,
          hint: `Columns: ${Object.keys(columns).join(', ')}.`,
        });
      }
      return 'weight' in columns ? [label, 'weight'] : [label];
    },
    build({ logits }, columns) {
      const [rows = 0] = logits.shape;
      const each = surprisals(logits, (columns[label] as Tensor).cast('int32').reshape([rows]));
      const { weight } = columns;
      return weight === undefined ? { sum: each.sum(), count: tf.scalar(rows) } : { sum: each.mul(weight).sum(), count: weight.sum() };
    },
  };
}
