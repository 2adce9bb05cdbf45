// A time as a vector: sines and cosines of many frequencies, then two layers with SiLU between (Dhariwal and Nichol, 2021, as in
// DiT, Peebles and Xie, ICCV 2023). It is added to every token's embedding; DiT's adaptive norms say more, for six times the
// weights of a block's norms.
import * as tf from '@tensorflow/tfjs';
import type { Initializer, Parameters, Tensor, Tensors } from '../../core/program.js';
import { linear, linearParameters } from './linear.js';
import { silu } from './swiglu.js';

/** `<prefix>.0` and `<prefix>.2`, both [width, width] with bias. */
export function timeEmbeddingParameters(prefix: string, { width, init }: { width: number; init: Initializer }): Parameters {
  return {
    ...linearParameters(`${prefix}.0`, { inputs: width, outputs: width, init }),
    ...linearParameters(`${prefix}.2`, { inputs: width, outputs: width, init }),
  };
}

/**
 * `time` float32 [rows], in [0, 1], to [rows, width]: cosines, then sines, of 1000 · time at width / 2 frequencies from 1 down to
 * 1 / 10,000.
 *
 * @example
 * const x = embedded.add(timeEmbedding(parameters, 'time_embed', time, width).expandDims(1));
 */
export function timeEmbedding(parameters: Tensors, prefix: string, time: Tensor, width: number): Tensor {
  const half = width / 2;
  const frequencies = tf.tensor1d(Float32Array.from({ length: half }, (_, i) => 1000 * 10_000 ** (-i / half)));
  const angles = time.toFloat().reshape([-1, 1]).mul(frequencies);
  return linear(parameters, `${prefix}.2`, silu(linear(parameters, `${prefix}.0`, tf.concat([angles.cos(), angles.sin()], 1))));
}
