import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensors } from '../core/program.js';

export interface AskedLabels {
  /** int32 [slots]: the label of each slot; 0 where nothing is asked. */
  readonly label: Tensor;
  /** float32 [slots]: the weight of each slot; 0 where nothing is asked. */
  readonly weight: Tensor;
}

/**
 * What is asked in each slot of `askedLogits`: `labels` int32 [rows, L] at the flat positions of the column `asked` (all of them
 * where there is none), with the column named `weights` ([rows] or [rows, L]; 1 without). Labels below 0 never reach a gather: they
 * become class 0 and weigh nothing.
 *
 * @example
 * const { label, weight } = askedLabels(columns, 'labels');
 */
export function askedLabels(columns: Tensors, labels: string, weights = 'weight'): AskedLabels {
  const targets = columns[labels] as Tensor;
  const [rows, tokens] = targets.shape as [number, number];
  const { asked } = columns;
  const given = columns[weights];
  const zero = tf.scalar(0, 'int32');
  const place = asked === undefined ? undefined : (asked.maximum(zero) as tf.Tensor1D);
  const at = (x: Tensor): Tensor => (place === undefined ? x.reshape([-1]) : tf.gather(x.reshape([-1]), place));
  const found = at(targets);
  let weight = found.greaterEqual(zero).toFloat();
  if (asked !== undefined) weight = weight.mul(asked.greaterEqual(zero).toFloat());
  if (given !== undefined)
    weight = weight.mul(
      at(
        given
          .toFloat()
          .reshape([rows, -1])
          .add(tf.zeros([rows, tokens])),
      ),
    );
  return { label: found.maximum(zero), weight };
}
