// Weight sets as tensors of tfjs that outlive every scope.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../core/program.js';
import { WeightSets } from './weightSets.js';

/** The weight sets of one executor; `enter` makes its backend current and refuses after `dispose`. */
export class EagerWeights extends WeightSets<Tensor> {
  constructor(seed: number, enter: () => void) {
    super(seed, {
      enter,
      make: (data, shape) => tf.keep(tf.tensor(data, [...shape], 'float32')),
      free: (tensor) => tensor.dispose(),
      // A copy: tfjs's cpu backend hands out the very array that it computes with.
      read: async (tensor) => Float32Array.from(await tensor.data()),
      blend: (from, to, mix) => tf.tidy(() => tf.keep(mix === 0 ? from.clone() : (to as Tensor).mul(mix).add(from.mul(1 - mix)))),
    });
  }
}
