import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../core/program.js';

/**
 * −ln softmax(logits)[label] of every row, in nats: `logits` float32 [n, classes], `labels` int32 [n], each a class, to [n].
 * By log-sum-exp around the largest logit, so that equal logits give ln(classes) exactly and logits of −10⁹ count as none.
 * The gradient, softmax minus one-hot, is written out and one number of each row is changed in place: with a vocabulary of
 * thousands each pass over [n, classes] counts, and tfjs's own gradient makes several more.
 *
 * @example
 * surprisals(tf.zeros([1, 4]), tf.tensor1d([2], 'int32')); // [1.3863]
 */
export function surprisals(logits: Tensor, labels: Tensor): Tensor {
  const [rows, classes] = logits.shape as [number, number];
  // Where each row's own class lies in the flat logits; made anew each time, for the way back outlives the scope of the way there.
  const placesOf = (own: Tensor): tf.Tensor1D => {
    const firsts = tf.tensor1d(
      Int32Array.from({ length: rows }, (_, row) => row * classes),
      'int32',
    );
    return own.add(firsts) as tf.Tensor1D;
  };
  const apply = tf.customGrad((x, save) => {
    const shifted = (x as Tensor).sub((x as Tensor).max(-1, true));
    const powers = shifted.exp();
    const total = powers.sum(-1, true);
    (save as (tensors: Tensor[]) => void)([powers, total, labels]);
    const picked = tf.gather(shifted.reshape([-1]), placesOf(labels));
    return {
      value: total.log().reshape([rows]).sub(picked),
      gradFunc: (dy: Tensor, [saved, sum, own]: Tensor[]) => {
        const each = dy.reshape([rows, 1]);
        const places = placesOf(own as Tensor);
        const soft = (saved as Tensor).mul(each.div(sum as Tensor)).reshape([-1]);
        return tf.tensorScatterUpdate(soft, places.reshape([rows, 1]), tf.gather(soft, places).sub(dy)).reshape([rows, classes]);
      },
    };
  });
  return apply(logits);
}
