import * as tf from '@tensorflow/tfjs';
import type { Given, KernelCase } from './drawn.js';

type Reduction = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;

function over(kernel: string, op: Reduction, dtypes: readonly Given['dtype'][] = ['float32'], rest: Partial<KernelCase> = {}): KernelCase[] {
  return dtypes.map((dtype) => ({
    kernel,
    title: `${kernel} of ${dtype}`,
    draw(drawn) {
      const shape = drawn.shape(1);
      const axes = drawn.bool() ? drawn.some(shape.length) : undefined;
      const axis = axes?.length === 1 && drawn.bool() ? (axes[0] as number) - shape.length : axes;
      const keepDims = drawn.bool();
      return { inputs: [drawn.of(dtype, shape)], apply: (x) => op(x as tf.Tensor, axis, keepDims) };
    },
    ...rest,
  }));
}

function alongOne(kernel: string, op: (x: tf.Tensor, axis: number) => tf.Tensor, rest: Partial<KernelCase> & { last?: boolean } = {}): KernelCase {
  const { last = false, ...others } = rest;
  return {
    kernel,
    draw(drawn) {
      const shape = drawn.shape(1);
      const axis = last ? shape.length - 1 : drawn.int(0, shape.length - 1);
      return { inputs: [drawn.floats(shape)], apply: (x) => op(x as tf.Tensor, axis) };
    },
    ...others,
  };
}

function scan(
  kernel: string,
  op: (x: tf.Tensor, axis: number, exclusive: boolean, reverse: boolean) => tf.Tensor,
  last: boolean,
  rest: Partial<KernelCase>,
): KernelCase {
  return {
    kernel,
    title: `${kernel} along ${last ? 'the last' : 'any'} axis`,
    draw(drawn) {
      const shape = [...drawn.shape(0, 2), drawn.int(1, 7), ...(last ? [] : drawn.shape(0, 1))];
      const axis = last ? shape.length - 1 : drawn.int(0, shape.length - 1);
      const [exclusive, reverse] = [drawn.bool(), drawn.bool()];
      return { inputs: [drawn.floats(shape)], apply: (x) => op(x as tf.Tensor, axis, exclusive, reverse) };
    },
    ...rest,
  };
}

export const reductions: readonly KernelCase[] = [
  ...over('Sum', tf.sum, ['float32', 'int32', 'bool']),
  ...over('Mean', tf.mean, ['float32', 'int32']),
  ...over('Max', tf.max, ['float32', 'int32']),
  ...over('Min', tf.min, ['float32', 'int32']),
  ...over('Prod', tf.prod, ['float32', 'int32', 'bool'], { gradient: false }),
  // tfjs's gradient of prod is wrong by its own reshape where kept or several axes are multiplied; one axis is right.
  alongOne('Prod', (x, axis) => tf.prod(x, axis), { last: true }),
  ...over('All', tf.all as Reduction, ['bool'], { gradient: false }),
  ...over('Any', tf.any as Reduction, ['bool'], { gradient: false }),
  alongOne('ArgMax', (x, axis) => tf.argMax(x, axis)),
  alongOne('ArgMin', (x, axis) => tf.argMin(x, axis)),
  alongOne('Softmax', (x) => tf.softmax(x.mul(4)), { last: true }),
  scan('Cumsum', tf.cumsum as never, true, {}),
  // tfjs's gradient of cumsum along another axis answers a transposed shape.
  scan('Cumsum', tf.cumsum as never, false, { gradient: false }),
  scan('Cumprod', tf.cumprod as never, false, { gradient: false }),
  {
    kernel: 'TopK',
    gradient: false,
    draw(drawn) {
      const shape = [...drawn.shape(0, 2), drawn.int(1, 7)];
      const k = drawn.int(1, shape.at(-1) as number);
      const x = drawn.bool() ? drawn.floats(shape) : drawn.ints(shape);
      return { inputs: [x], apply: (t) => Object.values(tf.topk(t as tf.Tensor, k)) as tf.Tensor[] };
    },
  },
];
