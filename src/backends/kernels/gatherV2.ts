// Gathers with batch dimensions on tfjs's wasm backend, whose kernel answers wrong values for them from the second batch
// on (4.22.0, seen by the conformance suite). Plain gathers keep tfjs's kernel. Models use flat indices anyway: the gradient
// of a batched gather takes a chain of kernels for each batch.
import * as tf from '@tensorflow/tfjs';

/** Wraps the kernel `GatherV2` of the wasm backend; called again, it changes nothing. */
export function registerGatherV2(): void {
  const present = tf.getKernel(tf.GatherV2, 'wasm');
  if (present === undefined || wrapped.has(present.kernelFunc)) return;
  const plain = present.kernelFunc;
  const kernelFunc: tf.KernelFunc = (given) => ((given.attrs as unknown as Attributes).batchDims ? batched(given) : plain(given));
  wrapped.add(kernelFunc);
  tf.unregisterKernel(tf.GatherV2, 'wasm');
  tf.registerKernel({ ...present, kernelFunc });
}

interface Attributes {
  readonly axis: number;
  readonly batchDims: number;
}

const wrapped = new WeakSet<tf.KernelFunc>();

function batched({ inputs, attrs, backend }: Parameters<tf.KernelFunc>[0]): tf.TensorInfo {
  const { x, indices } = inputs as unknown as { x: tf.Tensor; indices: tf.Tensor };
  const { axis, batchDims } = attrs as unknown as Attributes;
  const engine = backend as tf.KernelBackend;
  const parsed = tf.util.parseAxisParam(axis, x.shape)[0] as number;
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = tf.backend_util.segment_util.collectGatherOpShapeInfo(x, indices, parsed, batchDims);
  const from = engine.readSync(x.dataId) as Float32Array;
  const index = engine.readSync(indices.dataId) as Int32Array;
  const each = batchSize === 0 ? 0 : index.length / batchSize;
  const to = new (from.constructor as Float32ArrayConstructor)(batchSize * outerSize * each * sliceSize);
  let at = 0;
  for (let b = 0; b < batchSize; b++) {
    for (let o = 0; o < outerSize; o++) {
      for (let i = 0; i < each; i++) {
        const row = index[b * each + i] as number;
        if (!(row >= 0 && row < dimSize)) throw new Error(`gather: the index ${row} is not in [0, ${dimSize - 1}]`);
        const start = ((b * outerSize + o) * dimSize + row) * sliceSize;
        for (let k = 0; k < sliceSize; k++) to[at++] = from[start + k] as number;
      }
    }
  }
  return { dataId: engine.write(to, outputShape, x.dtype), shape: outputShape, dtype: x.dtype };
}
