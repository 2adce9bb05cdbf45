import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/**
 * Rows of `x` [count, width] at int32 `index` [slots], each row read at most once: [slots, width]; a negative index reads zeros.
 * `back` int32 [count] says which slot reads each row, −1 for none: with it the gradient is a gather too, not a scatter.
 *
 * @example
 * const some = gatherOnce(hidden, tf.tensor1d([2, -1], 'int32'), tf.tensor1d([-1, -1, 0], 'int32'));
 */
export function gatherOnce(x: Tensor, index: Tensor, back: Tensor): Tensor {
  const read = (from: Tensor, at: Tensor): Tensor =>
    tf.gather(tf.concat([tf.zeros([1, from.shape[1] as number]), from], 0), at.add(tf.scalar(1, 'int32')).reshape([-1]) as tf.Tensor1D);
  const apply = tf.customGrad((rows, save) => {
    // Saved, for what no gradient flows through is freed before the way back.
    (save as (tensors: Tensor[]) => void)([back]);
    return { value: read(rows as Tensor, index), gradFunc: (dy: Tensor, [saved]: Tensor[]) => read(dy, saved as Tensor) };
  });
  return apply(x);
}
