// Un-shuffling of MAE (He et al. 2022, section 3, "MAE decoder"): visible tokens go back to their places, every other
// place takes the one learned mask token. Each encoded token is read at most once, so the gradient of the gather is
// a gather by the inverse plan, not a scatter: it needs no segment sum, which some backends lack and others do slowly.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';
import { rowOffsets } from './gatherTokens.js';

export interface RestorePlan {
  /** int32 [rows, slots]: token in each visible slot, −1 in slots that pad. */
  readonly visible: Tensor;
  /** int32 [rows, tokens]: slot of each visible token, −1 for every other token. */
  readonly restore: Tensor;
}

/**
 * `encoded` [rows, 1 + slots, width], class token first, and `maskToken` (any shape of `width` elements) to
 * [rows, 1 + tokens, width], class token first, tokens in raster order.
 *
 * @example
 * const all = restoreTokens(embedded, maskToken, { visible, restore });
 */
export function restoreTokens(encoded: Tensor, maskToken: Tensor, { visible, restore }: RestorePlan): Tensor {
  const [rows, length, width] = encoded.shape as [number, number, number];
  const tokens = restore.shape[1] as number;
  const one = tf.scalar(1, 'int32');
  const classColumn = tf.zeros([rows, 1], 'int32');
  // Places in a table that holds the mask token first: 1 + row · length + (0 for the class token, 1 + slot for a visible one).
  const place = tf.concat([classColumn, restore.add(one)], 1);
  const known = tf.concat([tf.ones([rows, 1], 'int32'), restore.add(one).minimum(one)], 1);
  const source = place.add(rowOffsets(rows, length)).add(one).mul(known).reshape([-1]);
  // The way back: where each encoded token went; a slot that pads went nowhere.
  const used = tf.concat([tf.ones([rows, 1], 'int32'), visible.add(one).minimum(one)], 1);
  const target = tf
    .concat([classColumn, visible.add(one)], 1)
    .add(rowOffsets(rows, tokens + 1))
    .reshape([-1]);

  const apply = tf.customGrad((x, token, save) => {
    const saved = save as (tensors: Tensor[]) => void;
    saved([target, used.reshape([-1, 1]).toFloat(), tf.sub(1, known.reshape([1, -1]).toFloat())]);
    const table = tf.concat([(token as Tensor).reshape([1, width]), (x as Tensor).reshape([-1, width])], 0);
    return {
      value: tf.gather(table, source as tf.Tensor1D).reshape([rows, tokens + 1, width]),
      gradFunc: (dy: Tensor, [to, valid, hidden]: Tensor[]) => {
        const flat = dy.reshape([-1, width]) as tf.Tensor2D;
        return [
          tf
            .gather(flat, to as tf.Tensor1D)
            .mul(valid as Tensor)
            .reshape([rows, length, width]),
          tf.matMul(hidden as tf.Tensor2D, flat).reshape(maskToken.shape),
        ];
      },
    };
  });
  return apply(encoded, maskToken);
}
