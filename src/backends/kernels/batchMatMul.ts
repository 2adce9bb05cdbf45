// Transposed products on tfjs's wasm backend. Its fast path (XNNPACK) takes plain products only; the product of two matrices
// with a transposed factor, which is every weight gradient, falls to a scalar loop that is 8 to 45 times slower. Here the
// factor is transposed first: half the time of a whole MAE step. Batched products are left alone, for there the loop is no
// slower than XNNPACK with its set-up for every matrix.
import * as tf from '@tensorflow/tfjs';

/** Wraps the kernel `BatchMatMul` of the wasm backend; called again, it changes nothing. */
export function registerBatchMatMul(): void {
  const present = tf.getKernel(tf.BatchMatMul, 'wasm');
  if (present === undefined || wrapped.has(present.kernelFunc)) return;
  const kernelFunc = transposedFirst(present.kernelFunc);
  wrapped.add(kernelFunc);
  tf.unregisterKernel(tf.BatchMatMul, 'wasm');
  tf.registerKernel({ ...present, kernelFunc });
}

const wrapped = new WeakSet<tf.KernelFunc>();

function transposedFirst(product: tf.KernelFunc): tf.KernelFunc {
  return (given) => {
    const { a, b } = given.inputs as unknown as { a: tf.TensorInfo; b: tf.TensorInfo };
    const { transposeA, transposeB } = given.attrs as unknown as { transposeA: boolean; transposeB: boolean };
    if (!(transposeA || transposeB) || !isMatrix(a) || !isMatrix(b)) return product(given);
    const backend = given.backend as tf.KernelBackend;
    const left = transposeA ? transposed(a, backend) : a;
    const right = transposeB ? transposed(b, backend) : b;
    try {
      return product({ inputs: { a: left, b: right }, backend, attrs: { transposeA: false, transposeB: false } });
    } finally {
      if (left !== a) backend.disposeData(left.dataId);
      if (right !== b) backend.disposeData(right.dataId);
    }
  };
}

function isMatrix({ shape }: tf.TensorInfo): boolean {
  return shape.slice(0, -2).every((side) => side === 1);
}

function transposed(x: tf.TensorInfo, backend: tf.KernelBackend): tf.TensorInfo {
  const perm = x.shape.map((_, axis) => axis);
  perm.push(...perm.splice(-2).reverse());
  const kernel = tf.getKernel(tf.Transpose, 'wasm') as tf.KernelConfig;
  return kernel.kernelFunc({ inputs: { x }, backend, attrs: { perm } }) as tf.TensorInfo;
}
