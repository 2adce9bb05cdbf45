// Kernels that read or write by index. Canonical forms:
//   GatherV2 → Gather(x, int32 indices) {axis} on flat indices; batch dimensions become offsets into [batch · side, …]
//   UnsortedSegmentSum → Gemm(one-hot [rows, segments], x) {transA} where that is the faster, else as ScatterNd
//   ScatterNd → ScatterElements(zeros [places, width], int64 indices [rows, width], x) {axis: 0, reduction: add}
//   TensorScatterUpdate, SparseToDense → the same with reduction none · GatherNd → GatherND
//   OneHot → Equal(indices, places), then Cast or Where
// Never ScatterND: with more than one thread it loses additions to a place that comes twice (ONNX Runtime 1.30, measured;
// its issue 23396). ScatterElements runs in order. An index outside its range: tfjs throws in gather and scatter; ONNX Runtime
// fails the run, but takes −1 for the last place and so on down to −side. UnsortedSegmentSum drops such rows, as tfjs does.
import * as tf from '@tensorflow/tfjs';
import { arithmetic, cast, elementwise, expand, reduce, reshape, slice, transpose, where } from './forms.js';
import { gemm } from './products.js';
import { type Recorders, recorder } from './recorder.js';
import { type Recording, type Value, elements } from './recording.js';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** What a Reshape was made of: indices are told apart by their numbers, not by their layout. */
const flatSource = (x: Value): Value => (x.producer?.op === 'Reshape' ? (x.producer.inputs[0] as Value) : x);

function gather(r: Recording, x: Value, indices: Value, axis: number): Value {
  r.bound(flatSource(indices), x.shape[axis] as number);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return r.node('Gather', [x, indices], shape, x.type, { axis: { int: axis } });
}

const gatherV2 = recorder<'x' | 'indices', { axis: number; batchDims: number }>((r, { x, indices: given }, attrs) => {
  const [axis] = tf.util.parseAxisParam(attrs.axis, [...x.shape]) as [number];
  const { batchDims = 0 } = attrs;
  const indices = cast(r, given, 'int32');
  if (batchDims === 0) return gather(r, x, indices, axis);
  const side = x.shape[axis] as number;
  const batch = size(x.shape.slice(0, batchDims));
  const outer = size(x.shape.slice(batchDims, axis));
  const inner = size(x.shape.slice(axis + 1));
  const each = elements(indices) / batch;
  const rows = reshape(r, transpose(r, reshape(r, x, [batch, outer, side, inner]), [0, 2, 1, 3]), [batch * side, outer * inner]);
  const first = r.constant(
    Int32Array.from({ length: batch }, (_, i) => i * side),
    [batch, 1],
    'int32',
  );
  const places = reshape(r, arithmetic(r, 'Add', reshape(r, indices, [batch, each]), first), [batch * each]);
  const found = transpose(r, reshape(r, gather(r, rows, places, 0), [batch, each, outer, inner]), [0, 2, 1, 3]);
  return reshape(r, found, [...x.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...x.shape.slice(axis + 1)]);
});

/** Adds or writes row i of `updates` [rows, width] at place `places`[i] of `onto` [count, width], in order. */
function scatterRows(r: Recording, onto: Value, places: Value, updates: Value, reduction: 'add' | 'none'): Value {
  const indices = expand(r, reshape(r, cast(r, places, 'int64'), [elements(places), 1]), updates.shape);
  return r.node('ScatterElements', [onto, indices, updates], onto.shape, onto.type, { axis: { int: 0 }, reduction: { string: reduction } });
}

/** Writes at `indices` [..., depth] of `onto`, as scatterND does. */
function scatter(r: Recording, onto: Value, indices: Value, updates: Value, reduction: 'add' | 'none'): Value {
  const depth = depthOf(indices);
  const [count, width] = [size(onto.shape.slice(0, depth)), size(onto.shape.slice(depth))];
  const rows = elements(indices) / depth;
  const strides = Int32Array.from({ length: depth }, (_, i) => size(onto.shape.slice(i + 1, depth)));
  const factors = r.constant(strides, [1, depth], 'int32');
  const places = reduce(r, 'ReduceSum', arithmetic(r, 'Mul', reshape(r, cast(r, indices, 'int32'), [rows, depth]), factors), [1], false);
  return reshape(r, scatterRows(r, reshape(r, onto, [count, width]), places, reshape(r, updates, [rows, width]), reduction), onto.shape);
}

const zeros = (r: Recording, shape: readonly number[], like: Value): Value => expand(r, r.scalar(0, like.type), shape);
const counted = (r: Recording, count: number): Value =>
  r.constant(
    Int32Array.from({ length: count }, (_, i) => i),
    [count],
    'int32',
  );

/** Elements of a one-hot matrix up to which one is made: 64 MB. */
const LARGEST_ONE_HOT = 2 ** 24;

/**
 * Whether the product with a one-hot matrix is the faster sum. Per element of x, measured on two cores: 25 ns by
 * ScatterElements; a product takes 2 · segments operations at 150 an ns, and its matrix 1 ns per row and segment.
 */
function byProduct(x: Value, rows: number, width: number, segments: number): boolean {
  return x.type === 'float32' && rows * segments <= LARGEST_ONE_HOT && segments * (1 / width + 1 / 75) < 20;
}

const segmentSum = recorder<'x' | 'segmentIds', { numSegments: number }>((r, { x, segmentIds }, { numSegments }) => {
  const shape = [numSegments, ...x.shape.slice(1)];
  const [rows, width] = [x.shape[0] as number, size(x.shape.slice(1))];
  const ids = cast(r, segmentIds, 'int32');
  const flat = reshape(r, x, [rows, width]);
  if (byProduct(x, rows, width, numSegments)) {
    const hot = cast(r, elementwise(r, 'Equal', [reshape(r, ids, [rows, 1]), counted(r, numSegments)], 'bool'), 'float32');
    return reshape(r, gemm(r, hot, flat, true, false), shape);
  }
  // A Gather has refused what lies outside: the gradient of a gather needs no second look.
  if (r.isBound(flatSource(ids), numSegments)) return reshape(r, scatterRows(r, zeros(r, [numSegments, width], x), ids, flat, 'add'), shape);
  const number = (value: number): Value => r.scalar(value, 'int32');
  const inside = elementwise(
    r,
    'And',
    [elementwise(r, 'GreaterOrEqual', [ids, number(0)], 'bool'), elementwise(r, 'Less', [ids, number(numSegments)], 'bool')],
    'bool',
  );
  // One segment more takes what belongs to none.
  const sums = scatterRows(r, zeros(r, [numSegments + 1, width], x), where(r, inside, ids, number(numSegments)), flat, 'add');
  return reshape(r, slice(r, sums, [{ start: 0, size: numSegments }]), shape);
});

const depthOf = (indices: Value): number => (indices.shape.length > 1 ? (indices.shape.at(-1) as number) : 1);

const oneHot = recorder<'indices', { depth: number; onValue: number; offValue: number; dtype: 'float32' | 'int32' | 'bool' }>(
  (r, { indices }, { depth, onValue, offValue, dtype = 'int32' }) => {
    const hot = elementwise(r, 'Equal', [reshape(r, cast(r, indices, 'int32'), [...indices.shape, 1]), counted(r, depth)], 'bool');
    if (onValue === 1 && offValue === 0) return cast(r, hot, dtype);
    return where(r, hot, r.scalar(onValue, dtype), r.scalar(offValue, dtype));
  },
);

export const gathers: Recorders = {
  GatherNd: recorder<'params' | 'indices'>((r, { params, indices }) => {
    const depth = indices.shape.at(-1) as number;
    const rows = elements(indices) / depth;
    const table = reshape(r, cast(r, indices, 'int64'), [rows, depth]);
    const found = r.node('GatherND', [params, table], [rows, ...params.shape.slice(depth)], params.type);
    return reshape(r, found, [...indices.shape.slice(0, -1), ...params.shape.slice(depth)]);
  }),
  GatherV2: gatherV2,
  OneHot: oneHot,
  ScatterNd: recorder<'indices' | 'updates', { shape: number[] }>((r, { indices, updates }, { shape }) =>
    scatter(r, zeros(r, shape, updates), indices, updates, 'add'),
  ),
  SparseToDense: recorder<'sparseIndices' | 'sparseValues' | 'defaultValue', { outputShape: number[] }>(
    (r, { sparseIndices, sparseValues, defaultValue }, { outputShape }) => {
      const depth = depthOf(sparseIndices);
      const rows = [elements(sparseIndices) / depth, ...outputShape.slice(depth)];
      return scatter(r, expand(r, defaultValue, outputShape), sparseIndices, expand(r, sparseValues, rows), 'none');
    },
  ),
  TensorScatterUpdate: recorder<'tensor' | 'indices' | 'updates'>((r, { tensor, indices, updates }) => scatter(r, tensor, indices, updates, 'none')),
  UnsortedSegmentSum: segmentSum,
};
