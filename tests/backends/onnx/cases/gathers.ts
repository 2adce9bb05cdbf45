import * as tf from '@tensorflow/tfjs';
import type { Drawn, Given, KernelCase } from './drawn.js';
import { size } from './drawn.js';

/** Distinct places in `shape`, as indices [n, depth]. */
function places(drawn: Drawn, shape: readonly number[], depth: number): Given {
  const total = size(shape.slice(0, depth));
  const chosen = drawn.permutation(total).slice(0, drawn.int(1, total));
  const data = chosen.flatMap((place) => {
    let rest = place;
    return shape.slice(0, depth).reduceRight<number[]>((index, side) => {
      index.unshift(rest % side);
      rest = Math.floor(rest / side);
      return index;
    }, []);
  });
  return { shape: [chosen.length, depth], dtype: 'int32', data: Int32Array.from(data) };
}

export const gathers: readonly KernelCase[] = [
  {
    kernel: 'GatherV2',
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const axis = drawn.int(0, shape.length - 1);
      const indices = drawn.ints(drawn.shape(1, 1), 0, (shape[axis] as number) - 1);
      return { inputs: [drawn.floats(shape), indices], apply: (x, i) => tf.gather(x as tf.Tensor, i as tf.Tensor1D, axis) };
    },
  },
  {
    kernel: 'GatherV2',
    title: 'GatherV2 of int32 by indices of any rank',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const axis = drawn.int(0, shape.length - 1);
      const indices = drawn.ints(drawn.shape(0, 3), 0, (shape[axis] as number) - 1);
      return { inputs: [drawn.ints(shape), indices], apply: (x, i) => tf.gather(x as tf.Tensor, i as tf.Tensor1D, axis) };
    },
  },
  {
    kernel: 'GatherV2',
    title: 'GatherV2 with one batch dimension',
    draw(drawn) {
      const shape = drawn.shape(2, 3);
      const indices = drawn.ints([shape[0] as number, drawn.int(1, 4)], 0, (shape[1] as number) - 1);
      return { inputs: [drawn.floats(shape), indices], apply: (x, i) => tf.gather(x as tf.Tensor, i as tf.Tensor2D, 1, 1) };
    },
  },
  {
    kernel: 'GatherV2',
    title: 'GatherV2 with batch dimensions before any axis',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(3, 4);
      const batchDims = drawn.int(1, 2);
      const axis = drawn.int(batchDims, shape.length - 1);
      const indices = drawn.ints([...shape.slice(0, batchDims), ...drawn.shape(1, 2)], 0, (shape[axis] as number) - 1);
      return { inputs: [drawn.floats(shape), indices], apply: (x, i) => tf.gather(x as tf.Tensor, i as tf.Tensor2D, axis, batchDims) };
    },
  },
  {
    kernel: 'UnsortedSegmentSum',
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const segments = drawn.int(1, 5);
      const ids = drawn.ints([shape[0] as number], -1, segments - 1);
      return { inputs: [drawn.floats(shape), ids], apply: (x, i) => tf.unsortedSegmentSum(x as tf.Tensor, i as tf.Tensor1D, segments) };
    },
  },
  {
    kernel: 'UnsortedSegmentSum',
    title: 'UnsortedSegmentSum into many segments',
    draw(drawn) {
      const shape = [drawn.int(1, 5), drawn.int(1, 2)];
      const ids = drawn.ints([shape[0] as number], -1, 49);
      return { inputs: [drawn.floats(shape), ids], apply: (x, i) => tf.unsortedSegmentSum(x as tf.Tensor, i as tf.Tensor1D, 50) };
    },
  },
  {
    kernel: 'GatherV2',
    title: 'GatherV2 of a table of many rows',
    draw(drawn) {
      const indices = drawn.ints(drawn.shape(1, 1), 0, 49);
      return { inputs: [drawn.floats([50, 1]), indices], apply: (x, i) => tf.gather(x as tf.Tensor, i as tf.Tensor1D) };
    },
  },
  {
    kernel: 'UnsortedSegmentSum',
    title: 'UnsortedSegmentSum of int32 with ids beyond',
    gradient: false,
    draw(drawn) {
      const rows = drawn.int(1, 5);
      const ids = drawn.ints([rows], -3, 6);
      return { inputs: [drawn.ints([rows, 2]), ids], apply: (x, i) => tf.unsortedSegmentSum(x as tf.Tensor, i as tf.Tensor1D, 3) };
    },
  },
  {
    kernel: 'GatherNd',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(1, 4);
      const indices = places(drawn, shape, drawn.int(1, shape.length));
      return { inputs: [drawn.floats(shape), indices], apply: (x, i) => tf.gatherND(x as tf.Tensor, i as tf.Tensor) };
    },
  },
  {
    kernel: 'ScatterNd',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const depth = drawn.int(1, shape.length);
      const rows = drawn.int(1, 5);
      // Places may come twice: they are added.
      const columns = shape.slice(0, depth).map((side) => drawn.ints([rows], 0, side - 1).data);
      const indices: Given = {
        shape: [rows, depth],
        dtype: 'int32',
        data: Int32Array.from({ length: rows * depth }, (_, i) => columns[i % depth]![Math.floor(i / depth)]!),
      };
      const updates = [rows, ...shape.slice(depth)];
      return {
        inputs: [indices, drawn.bool() ? drawn.floats(updates) : drawn.ints(updates)],
        apply: (i, u) => tf.scatterND(i as tf.Tensor, u as tf.Tensor, shape),
      };
    },
  },
  {
    kernel: 'TensorScatterUpdate',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const depth = drawn.int(1, shape.length);
      const indices = places(drawn, shape, depth);
      return {
        inputs: [drawn.floats(shape), indices, drawn.floats([indices.shape[0] as number, ...shape.slice(depth)])],
        apply: (x, i, u) => tf.tensorScatterUpdate(x as tf.Tensor, i as tf.Tensor, u as tf.Tensor),
      };
    },
  },
  {
    kernel: 'SparseToDense',
    gradient: false,
    draw(drawn) {
      const shape = drawn.shape(1, 3);
      const indices = places(drawn, shape, shape.length);
      const flat = shape.length === 1 ? { ...indices, shape: [indices.shape[0] as number] } : indices;
      const values = drawn.floats(drawn.bool() ? [indices.shape[0] as number] : []);
      return {
        inputs: [flat, values, drawn.floats([])],
        apply: (i, v, d) => tf.sparseToDense(i as tf.Tensor, v as tf.Tensor, shape as [number], d as tf.Scalar),
      };
    },
  },
  {
    kernel: 'OneHot',
    gradient: false,
    draw(drawn) {
      const [on, off] = drawn.pick([
        [1, 0],
        [3, -2],
      ] as const);
      const dtype = drawn.pick(['int32', 'float32'] as const);
      return { inputs: [drawn.ints(drawn.shape(0, 2), -1, 4)], apply: (i) => tf.oneHot(i as tf.Tensor, 4, on, off, dtype) };
    },
  },
];
