// Rounding integers on TensorFlow: from 2.18 on its `Round` answers zeros for int32 as tfjs calls it. An integer is
// rounded already, so ours hands it back; floats keep TensorFlow's kernel.
import * as tf from '@tensorflow/tfjs';

/** Wraps the kernel `Round` of tfjs-node; called again, it changes nothing. */
export function registerRound(): void {
  const present = tf.getKernel(tf.Round, 'tensorflow');
  if (present === undefined || wrapped.has(present.kernelFunc)) return;
  const plain = present.kernelFunc;
  const identity = tf.getKernel(tf.Identity, 'tensorflow').kernelFunc;
  const kernelFunc: tf.KernelFunc = (given) => ((given.inputs.x as tf.TensorInfo).dtype === 'int32' ? identity(given) : plain(given));
  wrapped.add(kernelFunc);
  tf.unregisterKernel(tf.Round, 'tensorflow');
  tf.registerKernel({ ...present, kernelFunc });
}

const wrapped = new WeakSet<tf.KernelFunc>();
