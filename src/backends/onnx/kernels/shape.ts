// Kernels that move elements and compute nothing. Canonical forms: those of forms.ts, and
//   ExpandDims, Reshape → Reshape · Unpack → Gather(x, int64 scalar) {axis}, one node a part · SplitV → Slice, one node a part
//   Pack → Concat of Reshapes · Tile → Expand where all repeated sides are 1 · Reverse → Slice with steps of −1
//   MirrorPad → Gather by constant places along each padded axis
import * as tf from '@tensorflow/tfjs';
import { concat, expand, pad, reshape, slice, transpose } from './forms.js';
import { type Recorders, listRecorder, recorder } from './recorder.js';
import { type Recording, type Value, elements } from './recording.js';

function tile(r: Recording, x: Value, reps: readonly number[]): Value {
  const shape = x.shape.map((side, axis) => side * (reps[axis] as number));
  if (reps.every((times, axis) => times === 1 || x.shape[axis] === 1)) return expand(r, x, shape);
  return r.node('Tile', [x, r.int64(reps)], shape, x.type);
}

/** Elements of one axis by constant places. */
function pick(r: Recording, x: Value, axis: number, places: readonly number[]): Value {
  const shape = x.shape.map((side, i) => (i === axis ? places.length : side));
  return r.node('Gather', [x, r.int64(places)], shape, x.type, { axis: { int: axis } });
}

/** Mirrored places around [0, side): with the edge itself (`symmetric`) or without it (`reflect`). */
function mirrored(side: number, [before, after]: readonly [number, number], mode: 'reflect' | 'symmetric'): number[] {
  const edge = mode === 'reflect' ? 1 : 0;
  return Array.from({ length: before + side + after }, (_, i) => {
    const place = i - before;
    if (place < 0) return -place - 1 + edge;
    return place < side ? place : 2 * side - 1 - place - edge;
  });
}

interface StridedSliceAttrs {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

const stridedSlice = recorder<'x', StridedSliceAttrs>((r, { x }, attrs) => {
  const { finalShape, begin, end, strides } = tf.slice_util.sliceInfo(
    [...x.shape],
    attrs.begin,
    attrs.end,
    attrs.strides,
    attrs.beginMask,
    attrs.endMask,
    attrs.ellipsisMask,
    attrs.newAxisMask,
    attrs.shrinkAxisMask,
  );
  const sizes = tf.slice_util.computeOutShape(begin, end, strides);
  const cuts = sizes.map((size, axis) => ({ start: begin[axis] as number, size, step: strides[axis] as number }));
  return reshape(r, slice(r, x, cuts), finalShape);
});

export const shape: Recorders = {
  Concat: listRecorder<{ axis: number }>((r, parts, { axis }) => {
    const [at] = tf.util.parseAxisParam(axis, [...(parts[0] as Value).shape]);
    // tfjs lets empty tensors of any rank through.
    const real = parts.filter((part) => elements(part) > 0);
    return concat(r, real.length === 0 ? parts.slice(0, 1) : real, at as number);
  }),
  ExpandDims: recorder<'input', { dim: number }>((r, { input }, { dim }) => {
    const at = dim < 0 ? input.shape.length + dim + 1 : dim;
    return reshape(r, input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
  }),
  Identity: recorder<'x'>((_, { x }) => x),
  MirrorPad: recorder<'x', { paddings: [number, number][]; mode: 'reflect' | 'symmetric' }>((r, { x }, { paddings, mode }) =>
    paddings.reduce((y, around, axis) => (around[0] + around[1] === 0 ? y : pick(r, y, axis, mirrored(x.shape[axis] as number, around, mode))), x),
  ),
  Pack: listRecorder<{ axis: number }>((r, parts, { axis }) => {
    const own = (parts[0] as Value).shape;
    const side = [...own.slice(0, axis), 1, ...own.slice(axis)];
    return concat(
      r,
      parts.map((part) => reshape(r, part, side)),
      axis,
    );
  }),
  PadV2: recorder<'x', { paddings: [number, number][]; constantValue: number }>((r, { x }, { paddings, constantValue }) => pad(r, x, paddings, constantValue)),
  Reshape: recorder<'x', { shape: number[] }>((r, { x }, attrs) => reshape(r, x, tf.util.inferFromImplicitShape(attrs.shape, elements(x)))),
  Reverse: recorder<'x', { dims: number | number[] }>((r, { x }, { dims }) => {
    const axes = tf.util.parseAxisParam(dims, [...x.shape]);
    return slice(
      r,
      x,
      x.shape.map((side, axis) => (axes.includes(axis) && side > 1 ? { start: side - 1, size: side, step: -1 } : undefined)),
    );
  }),
  Slice: recorder<'x', { begin: number | number[]; size: number | number[] }>((r, { x }, { begin, size }) => {
    const [starts, sizes] = tf.slice_util.parseSliceParams({ shape: [...x.shape] } as tf.TensorInfo, begin, size) as unknown as [number[], number[]];
    return slice(
      r,
      x,
      starts.map((start, axis) => ({ start, size: sizes[axis] as number })),
    );
  }),
  SplitV: recorder<'x', { numOrSizeSplits: number | number[]; axis: number }>((r, { x }, { numOrSizeSplits, axis }) => {
    const [at] = tf.util.parseAxisParam(axis, [...x.shape]) as [number];
    let start = 0;
    return tf.backend_util.prepareSplitSize({ shape: [...x.shape] } as tf.TensorInfo as tf.Tensor, numOrSizeSplits, at).map((size) => {
      const cuts = x.shape.map((_, i) => (i === at ? { start, size } : undefined));
      start += size;
      return slice(r, x, cuts);
    });
  }),
  StridedSlice: stridedSlice,
  Tile: recorder<'x', { reps: number[] }>((r, { x }, { reps }) => tile(r, x, reps)),
  Transpose: recorder<'x', { perm: number[] }>((r, { x }, { perm }) => transpose(r, x, perm)),
  Unpack: recorder<'value', { axis: number }>((r, { value }, { axis }) => {
    const at = axis < 0 ? axis + value.shape.length : axis;
    const rest = value.shape.filter((_, i) => i !== at);
    const side = value.shape[at] as number;
    if (side === 1) return [reshape(r, value, rest)];
    return Array.from({ length: side }, (_, part) => r.node('Gather', [value, r.scalar(part, 'int64')], rest, value.type, { axis: { int: at } }));
  }),
};
