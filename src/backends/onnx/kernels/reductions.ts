// Kernels over whole axes. Canonical forms: ReduceX of forms.ts · Softmax(x) {axis} (log-softmax and log-sum-exp are composed
// by tfjs: ReduceMax, Sub, Exp, ReduceSum, Log) ·
// ArgMax(x) {axis, keepdims: 0} and a Cast to int32 · CumSum(x, int64 axis) {exclusive, reverse} · TopK(x, int64 [k]) {axis: −1}
// · Cumprod → log2(n) products of the whole with itself shifted (Hillis and Steele 1986): ONNX has no such operator.
import * as tf from '@tensorflow/tfjs';
import { arithmetic, cast, pad, reduce, reducedShape, slice } from './forms.js';
import { type Recorders, recorder } from './recorder.js';
import type { Recording, Value } from './recording.js';

interface Axes {
  axis: number | number[] | null;
  keepDims: boolean;
}

const axesOf = (axis: number | number[] | null, x: Value): number[] => tf.util.parseAxisParam(axis as number, [...x.shape]);

/** Booleans are counted as int32, as tfjs does before it calls the kernel. */
const numeric = (r: Recording, x: Value): Value => (x.type === 'bool' ? cast(r, x, 'int32') : x);

const over = (op: string) => recorder<'x', Axes>((r, { x }, { axis, keepDims }) => reduce(r, op, numeric(r, x), axesOf(axis, x), keepDims));

/** Max and min of booleans, as integers. */
const extremum = (op: 'ReduceMax' | 'ReduceMin') =>
  recorder<'x', Axes & { reductionIndices?: number | number[] }>((r, { x }, { axis, reductionIndices, keepDims }) =>
    cast(r, reduce(r, op, numeric(r, x), axesOf(reductionIndices ?? axis, x), keepDims), x.type),
  );

const argument = (op: 'ArgMax' | 'ArgMin') =>
  recorder<'x', { axis: number }>((r, { x }, { axis }) => {
    const [at] = axesOf(axis, x) as [number];
    const shape = reducedShape(x.shape, [at], false);
    const attributes = { axis: { int: at }, keepdims: { int: 0 }, select_last_index: { int: 0 } };
    return cast(r, r.node(op, [numeric(r, x)], shape, 'int64', attributes), 'int32');
  });

const softmax = recorder<'logits', { dim: number }>((r, { logits }, { dim }) => {
  const [at] = axesOf(dim, logits) as [number];
  return r.node('Softmax', [cast(r, logits, 'float32')], logits.shape, 'float32', { axis: { int: at } });
});

interface Scan {
  axis: number;
  exclusive: boolean;
  reverse: boolean;
}

const cumsum = recorder<'x', Scan>((r, { x: given }, { axis, exclusive, reverse }) => {
  const x = numeric(r, given);
  const [at] = axesOf(axis, x) as [number];
  return r.node('CumSum', [x, r.scalar(at, 'int64')], x.shape, x.type, { exclusive: { int: exclusive ? 1 : 0 }, reverse: { int: reverse ? 1 : 0 } });
});

/** x moved by `distance` along an axis, towards its end or its begin; ones come in. */
function shifted(r: Recording, x: Value, axis: number, distance: number, reverse: boolean): Value {
  const side = x.shape[axis] as number;
  const kept = slice(
    r,
    x,
    x.shape.map((_, i) => (i === axis ? { start: reverse ? distance : 0, size: side - distance } : undefined)),
  );
  const around = x.shape.map((_, i) => (i !== axis ? [0, 0] : reverse ? [0, distance] : [distance, 0]) as [number, number]);
  return pad(r, kept, around, 1);
}

const cumprod = recorder<'x', Scan>((r, { x }, { axis, exclusive, reverse }) => {
  const [at] = axesOf(axis, x) as [number];
  const side = x.shape[at] as number;
  let product = numeric(r, x);
  if (exclusive) product = shifted(r, product, at, 1, reverse);
  for (let distance = 1; distance < side; distance *= 2) product = arithmetic(r, 'Mul', product, shifted(r, product, at, distance, reverse));
  return product;
});

const topK = recorder<'x', { k: number; sorted: boolean }>((r, { x }, { k, sorted }) => {
  const shape = [...x.shape.slice(0, -1), k];
  const types = [
    { shape, type: x.type },
    { shape, type: 'int64' as const },
  ];
  const attributes = { axis: { int: x.shape.length - 1 }, largest: { int: 1 }, sorted: { int: sorted ? 1 : 0 } };
  const [values, places] = r.nodes('TopK', [x, r.int64([k])], types, attributes) as [Value, Value];
  return [values, cast(r, places, 'int32')];
});

export const reductions: Recorders = {
  All: extremum('ReduceMin'),
  Any: extremum('ReduceMax'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  Cumprod: cumprod,
  Cumsum: cumsum,
  Max: extremum('ReduceMax'),
  Mean: recorder<'x', Axes>((r, { x }, { axis, keepDims }) => reduce(r, 'ReduceMean', cast(r, x, 'float32'), axesOf(axis, x), keepDims)),
  Min: extremum('ReduceMin'),
  Prod: over('ReduceProd'),
  Softmax: softmax,
  Sum: over('ReduceSum'),
  TopK: topK,
};
