// Casts to bool on tfjs's wasm backend, whose kernel keeps the lowest byte of each number (4.22.0): 0.5 and 256 become
// false, 2 a bool whose negation is 3. Ours answers whether a number is other than 0, as on every other backend; all other
// casts keep tfjs's kernel.
import * as tf from '@tensorflow/tfjs';

/** Wraps the kernel `Cast` of the wasm backend; called again, it changes nothing. */
export function registerCast(): void {
  const present = tf.getKernel(tf.Cast, 'wasm');
  if (present === undefined || wrapped.has(present.kernelFunc)) return;
  const plain = present.kernelFunc;
  const kernelFunc: tf.KernelFunc = (given) => {
    const { x } = given.inputs as unknown as { x: tf.TensorInfo };
    const { dtype } = given.attrs as unknown as { dtype: tf.DataType };
    return dtype === 'bool' && x.dtype !== 'bool' ? nonZero(x, given.backend as tf.KernelBackend) : plain(given);
  };
  wrapped.add(kernelFunc);
  tf.unregisterKernel(tf.Cast, 'wasm');
  tf.registerKernel({ ...present, kernelFunc });
}

const wrapped = new WeakSet<tf.KernelFunc>();

function nonZero({ dataId, shape }: tf.TensorInfo, engine: tf.KernelBackend): tf.TensorInfo {
  const values = engine.readSync(dataId) as Float32Array;
  const answers = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) answers[i] = values[i] === 0 ? 0 : 1;
  return { dataId: engine.write(answers, shape, 'bool'), shape, dtype: 'bool' };
}
