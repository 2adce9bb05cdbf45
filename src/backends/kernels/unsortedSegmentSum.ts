// The gradient of `gather`: rows of x are added into the segments that they came from.
// tfjs's wasm backend has no such kernel, and the one of its cpu backend compares every row with every segment
// (segments × rows × width); this one is a single pass over x. It talks to the backend through readSync and write only,
// so that one version serves both: on wasm that costs two copies of x, far below the products of the same step.
import { sizeOf } from '../../core/batch.js';
import * as tf from '@tensorflow/tfjs';

/**
 * Adds row r of `x` ([rows, width], row-major) to segment `ids[r]`; ids outside [0, segments) are dropped, as in
 * TensorFlow's `unsorted_segment_sum`. Rows are added in their order, so the result is the same every time.
 *
 * @returns [segments, width], row-major
 * @example
 * unsortedSegmentSum(Float32Array.of(1, 2, 3, 4), Int32Array.of(1, 1), 2, 2); // [0, 0, 4, 6]
 */
export function unsortedSegmentSum<A extends Float32Array | Int32Array>(x: A, ids: ArrayLike<number>, segments: number, width: number): A {
  const out = (x instanceof Float32Array ? new Float32Array(segments * width) : new Int32Array(segments * width)) as A;
  for (let row = 0; row < ids.length; row++) {
    const segment = ids[row] as number;
    if (!(segment >= 0 && segment < segments)) continue;
    const from = row * width;
    const to = segment * width;
    for (let i = 0; i < width; i++) out[to + i] = (out[to + i] as number) + (x[from + i] as number);
  }
  return out;
}

/** Makes ours the kernel `UnsortedSegmentSum` of a tfjs backend; called again, it changes nothing. */
export function registerUnsortedSegmentSum(backendName: 'cpu' | 'wasm'): void {
  const kernelName = tf.UnsortedSegmentSum;
  const present = tf.getKernel(kernelName, backendName);
  if (present?.kernelFunc === kernelFunc) return;
  if (present !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ kernelName, backendName, kernelFunc });
}

const kernelFunc: tf.KernelFunc = ({ inputs, backend, attrs }) => {
  const { x, segmentIds } = inputs as unknown as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
  const { numSegments } = attrs as unknown as { numSegments: number };
  if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0]) {
    throw new Error(`unsortedSegmentSum: segment ids must have shape [${x.shape[0]}], one a row of x; got [${segmentIds.shape.join(', ')}]`);
  }
  const engine = backend as tf.KernelBackend;
  const width = sizeOf(x.shape.slice(1));
  const sums = unsortedSegmentSum(engine.readSync(x.dataId) as Float32Array, engine.readSync(segmentIds.dataId) as Int32Array, numSegments, width);
  const shape = [numSegments, ...x.shape.slice(1)];
  return { dataId: engine.write(sums, shape, x.dtype), shape, dtype: x.dtype };
};
