import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

/**
 * Tokens by their index in their own row: `x` [rows, tokens, width] and int32 `index` [rows, slots] to [rows, slots, width];
 * a negative index reads token 0 (mask what comes of it). One gather by flat indices: tfjs's `batchDims` has a gradient
 * that runs kernels row by row.
 *
 * @example
 * const visible = gatherTokens(tokens, tf.tensor2d([[0, 3]], [1, 2], 'int32'));
 */
export function gatherTokens(x: Tensor, index: Tensor): Tensor {
  const [rows, tokens, width] = x.shape as [number, number, number];
  const flat = index.maximum(tf.scalar(0, 'int32')).add(rowOffsets(rows, tokens)).reshape([-1]);
  return tf.gather(x.reshape([rows * tokens, width]), flat as tf.Tensor1D).reshape([rows, index.shape[1] as number, width]);
}

/** int32 [rows, 1]: where each row begins in a table that holds `tokens` entries a row. */
export function rowOffsets(rows: number, tokens: number): Tensor {
  return tf.tensor2d(
    Int32Array.from({ length: rows }, (_, row) => row * tokens),
    [rows, 1],
    'int32',
  );
}
