// Clones on tfjs's wasm backend share the values, as on its cpu backend, in place of copying them: tensors never change,
// and tfjs clones everything that a backward pass will need, so the copies doubled the memory of all saved activations.
import * as tf from '@tensorflow/tfjs';

/** Makes ours the kernel `Identity` of the wasm backend; called again, it changes nothing. */
export function registerIdentity(): void {
  if (tf.getKernel(tf.Identity, 'wasm')?.kernelFunc === kernelFunc) return;
  tf.unregisterKernel(tf.Identity, 'wasm');
  tf.registerKernel({ kernelName: tf.Identity, backendName: 'wasm', kernelFunc });
}

const kernelFunc: tf.KernelFunc = ({ inputs, backend }) => {
  const { x } = inputs as unknown as { x: tf.TensorInfo };
  (backend as tf.KernelBackend).incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
};
