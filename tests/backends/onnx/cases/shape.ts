import * as tf from '@tensorflow/tfjs';
import type { Drawn, Example, Given, KernelCase } from './drawn.js';
import { size } from './drawn.js';

const dtypes: readonly Given['dtype'][] = ['float32', 'int32', 'bool'];

/** A kernel that moves elements, for elements of every type. */
function moving(kernel: string, draw: (drawn: Drawn, given: (shape: readonly number[]) => Given) => Example, of = dtypes): KernelCase[] {
  return of.map((dtype) => ({ kernel, title: `${kernel} of ${dtype}`, draw: (drawn) => draw(drawn, (shape) => drawn.of(dtype, shape)) }));
}

/** [before, after] of every axis, at most `most` of its side. */
const paddings = (drawn: Drawn, shape: readonly number[], most: (side: number) => number): [number, number][] =>
  shape.map((side) => [drawn.int(0, most(side)), drawn.int(0, most(side))]);

export const shapes: readonly KernelCase[] = [
  ...moving('Reshape', (drawn, given) => {
    const shape = drawn.shape();
    const target = drawn.pick([[-1], [1, -1], [size(shape), 1], [1, ...shape]]);
    return { inputs: [given(shape)], apply: (x) => tf.reshape(tf.reshape(x as tf.Tensor, [-1]), target) };
  }),
  ...moving('ExpandDims', (drawn, given) => {
    const shape = drawn.shape(1, 3);
    const axis = drawn.int(-shape.length - 1, shape.length);
    return { inputs: [given(shape)], apply: (x) => tf.expandDims(x as tf.Tensor, axis) };
  }),
  ...moving('Transpose', (drawn, given) => {
    const shape = drawn.shape(2, 4);
    const [perm, again] = [drawn.permutation(shape.length), drawn.permutation(shape.length)];
    const twice = drawn.bool();
    return { inputs: [given(shape)], apply: (x) => (twice ? tf.transpose(tf.transpose(x as tf.Tensor, perm), again) : tf.transpose(x as tf.Tensor, perm)) };
  }),
  ...moving('Slice', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const begin = shape.map((side) => drawn.int(0, side - 1));
    const sizes = shape.map((side, i) => (drawn.bool() ? -1 : drawn.int(1, side - (begin[i] as number))));
    return { inputs: [given(shape)], apply: (x) => tf.slice(x as tf.Tensor, begin, sizes) };
  }),
  ...moving('StridedSlice', (drawn, given) => {
    const shape = drawn.shape(1, 3);
    const simple = drawn.bool();
    const strides = shape.map(() => (simple ? 1 : drawn.pick([1, 2, -1, -2])));
    const begin = shape.map((side, i) => ((strides[i] as number) > 0 ? drawn.int(0, side - 1) : drawn.int(-side, -1)));
    const end = shape.map((side, i) => ((strides[i] as number) > 0 ? side : -side - 1));
    const mask = drawn.int(0, 3);
    // An axis that goes and steps at once are too much for tfjs's cpu kernel.
    const shrink = simple ? drawn.int(0, 1) : 0;
    return { inputs: [given(shape)], apply: (x) => tf.stridedSlice(x as tf.Tensor, begin, end, strides, mask & ~shrink, mask, 0, 0, shrink) };
  }).map((entry): KernelCase => ({ ...entry, gradient: false })),
  ...moving('PadV2', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const around = paddings(drawn, shape, () => 2);
    const value = drawn.pick([0, 1]);
    return { inputs: [given(shape)], apply: (x) => tf.pad(x as tf.Tensor, around, value) };
  }),
  ...moving(
    'MirrorPad',
    (drawn, given) => {
      const shape = drawn.shape(1, 3);
      const mode = drawn.pick(['reflect', 'symmetric'] as const);
      const around = paddings(drawn, shape, (side) => side - (mode === 'reflect' ? 1 : 0));
      return { inputs: [given(shape)], apply: (x) => tf.mirrorPad(x as tf.Tensor, around, mode) };
    },
    ['float32', 'int32'],
  ),
  ...moving('Concat', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const axis = drawn.int(0, shape.length - 1);
    const parts = Array.from({ length: drawn.int(1, 3) }, () => given(shape.map((side, i) => (i === axis ? drawn.int(1, 3) : side))));
    return { inputs: parts, apply: (...xs) => tf.concat(xs.length === 1 ? [xs[0] as tf.Tensor, xs[0] as tf.Tensor] : xs, axis) };
  }),
  ...moving('Pack', (drawn, given) => {
    const shape = drawn.shape(0, 3);
    const axis = drawn.int(0, shape.length);
    return { inputs: Array.from({ length: drawn.int(1, 3) }, () => given(shape)), apply: (...xs) => tf.stack(xs, axis) };
  }),
  ...moving('Unpack', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const axis = drawn.int(0, shape.length - 1);
    // tfjs's gradient fails on a single part, here and in split.
    const sides = shape.map((side, i) => (i === axis ? side + 1 : side));
    return { inputs: [given(sides)], apply: (x) => tf.unstack(x as tf.Tensor, axis) };
  }),
  ...moving('SplitV', (drawn, given) => {
    const sizes = Array.from({ length: drawn.int(2, 3) }, () => drawn.int(1, 3));
    const before = drawn.shape(0, 2);
    const axis = before.length;
    const shape = [...before, sizes.reduce((a, b) => a + b, 0), ...drawn.shape(0, 1)];
    return { inputs: [given(shape)], apply: (x) => tf.split(x as tf.Tensor, sizes, axis) };
  }),
  ...moving('Tile', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const reps = shape.map(() => drawn.int(1, 3));
    return { inputs: [given(shape)], apply: (x) => tf.tile(x as tf.Tensor, reps) };
  }),
  ...moving('Reverse', (drawn, given) => {
    const shape = drawn.shape(1, 4);
    const axes = drawn.some(shape.length);
    return { inputs: [given(shape)], apply: (x) => tf.reverse(x as tf.Tensor, axes) };
  }),
  ...moving('OnesLike', (drawn, given) => ({ inputs: [given(drawn.shape())], apply: (x) => tf.onesLike(x as tf.Tensor) }), ['float32', 'int32', 'bool']),
  ...moving('ZerosLike', (drawn, given) => ({ inputs: [given(drawn.shape())], apply: (x) => tf.zerosLike(x as tf.Tensor) })),
  {
    kernel: 'Fill',
    draw(drawn) {
      const shape = drawn.shape();
      const value = drawn.pick([0, 1, -2.5]);
      return { inputs: [drawn.floats(shape)], apply: (x) => tf.mul(x as tf.Tensor, tf.fill(shape, value)) };
    },
  },
  {
    kernel: 'Range',
    draw(drawn) {
      const count = drawn.int(1, 6);
      return { inputs: [drawn.floats([count])], apply: (x) => tf.mul(x as tf.Tensor, tf.range(1, 1 + count * 0.5, 0.5)) };
    },
  },
  {
    kernel: 'LinSpace',
    draw(drawn) {
      const count = drawn.int(2, 6);
      return { inputs: [drawn.floats([count])], apply: (x) => tf.mul(x as tf.Tensor, tf.linspace(-1, 3, count)) };
    },
  },
];
