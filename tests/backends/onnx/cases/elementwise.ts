// Unary and binary kernels, Select, and casts. Operands are often smaller than the result and broadcast to it first, which
// the tracer sees through.
import * as tf from '@tensorflow/tfjs';
import type { Drawn, Given, KernelCase, Law } from './drawn.js';

type Dtype = Given['dtype'];

/** One operand of `shape`: as it is, or broadcast from a smaller one. */
function operand(drawn: Drawn, dtype: Dtype, shape: number[], law?: Law): { given: Given; whole: (x: tf.Tensor) => tf.Tensor } {
  if (dtype === 'bool' || drawn.bool()) return { given: drawn.of(dtype, shape, law), whole: (x) => x };
  return { given: drawn.of(dtype, drawn.narrower(shape), law), whole: (x) => tf.broadcastTo(x, shape) };
}

function unary(
  kernel: string,
  op: (x: tf.Tensor) => tf.Tensor,
  { law, dtypes = ['float32'], ...rest }: Partial<KernelCase> & { law?: Law; dtypes?: Dtype[] } = {},
): KernelCase[] {
  return dtypes.map((dtype) => ({
    kernel,
    title: `${kernel} of ${dtype}`,
    draw(drawn) {
      const { given, whole } = operand(drawn, dtype, drawn.shape(), law);
      return { inputs: [given], apply: (x) => op(whole(x as tf.Tensor)) };
    },
    ...rest,
  }));
}

interface BinaryOptions {
  readonly laws?: readonly [Law, Law];
  readonly dtypes?: readonly Dtype[];
  readonly gradient?: false;
  /** tfjs's gradient does not sum over broadcast axes. */
  readonly same?: boolean;
  readonly tolerance?: number;
}

function binary(
  kernel: string,
  op: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  { laws = ['normal', 'normal'], dtypes = ['float32'], same = false, ...rest }: BinaryOptions = {},
): KernelCase[] {
  return dtypes.map((dtype) => ({
    kernel,
    title: `${kernel} of ${dtype}`,
    draw(drawn) {
      const shape = drawn.shape();
      if (same) {
        const [a, b] = [operand(drawn, dtype, shape, laws[0]), operand(drawn, dtype, shape, laws[1])];
        return { inputs: [a.given, b.given], apply: (x, y) => op(a.whole(x as tf.Tensor), b.whole(y as tf.Tensor)) };
      }
      const smaller = drawn.of(dtype, drawn.narrower(shape), laws[1]);
      const whole = drawn.of(dtype, shape, laws[0]);
      const swapped = laws[0] === laws[1] && drawn.bool();
      return { inputs: [whole, smaller], apply: (x, y) => (swapped ? op(y as tf.Tensor, x as tf.Tensor) : op(x as tf.Tensor, y as tf.Tensor)) };
    },
    ...rest,
  }));
}

/** Values around 0 and between the integers. */
const spread = (x: tf.Tensor): tf.Tensor => tf.mul(x, 3);

const all: Dtype[] = ['float32', 'int32', 'bool'];
const numbers: Dtype[] = ['float32', 'int32'];

export const elementwise: readonly KernelCase[] = [
  ...unary('Abs', tf.abs, { dtypes: numbers }),
  ...unary('Acos', tf.acos, { law: 'within' }),
  ...unary('Acosh', tf.acosh, { law: 'beyond' }),
  ...unary('Asin', tf.asin, { law: 'within' }),
  ...unary('Asinh', tf.asinh),
  ...unary('Atan', tf.atan),
  ...unary('Atanh', tf.atanh, { law: 'within' }),
  ...unary('Ceil', (x) => tf.ceil(spread(x))),
  ...unary('ClipByValue', (x) => tf.clipByValue(x, -0.5, 0.75)),
  ...unary('Cos', (x) => tf.cos(spread(x))),
  ...unary('Cosh', tf.cosh),
  ...unary('Elu', tf.elu),
  ...unary('EluGrad', tf.elu),
  ...unary('Erf', tf.erf),
  ...unary('Exp', tf.exp, { dtypes: numbers, gradient: false }),
  ...unary('Exp', tf.exp),
  ...unary('Expm1', tf.expm1),
  ...unary('Floor', (x) => tf.floor(spread(x)), { dtypes: ['float32'] }),
  ...unary('IsFinite', tf.isFinite, { gradient: false }),
  ...unary('IsInf', tf.isInf, { gradient: false }),
  ...unary('IsNan', tf.isNaN, { gradient: false }),
  ...unary('LeakyRelu', (x) => tf.leakyRelu(x, 0.3)),
  ...unary('Log', tf.log, { law: 'positive' }),
  ...unary('Log1p', tf.log1p, { law: 'positive' }),
  ...unary('LogicalNot', (x) => tf.logicalNot(x), { dtypes: ['bool'], gradient: false }),
  ...unary('Neg', tf.neg, { dtypes: numbers }),
  ...unary('Reciprocal', tf.reciprocal, { law: 'positive' }),
  ...unary('Relu', tf.relu, { dtypes: numbers }),
  ...unary('Relu6', (x) => tf.relu6(tf.mul(x, 6))),
  ...unary('Round', (x) => tf.round(spread(x))),
  ...unary('Rsqrt', tf.rsqrt, { law: 'positive' }),
  ...unary('Selu', tf.selu),
  ...unary('Sigmoid', (x) => tf.sigmoid(spread(x))),
  ...unary('Sign', tf.sign, { dtypes: numbers }),
  ...unary('Sin', (x) => tf.sin(spread(x))),
  ...unary('Sinh', tf.sinh),
  ...unary('Softplus', (x) => tf.softplus(spread(x))),
  ...unary('Sqrt', tf.sqrt, { law: 'positive' }),
  ...unary('Square', tf.square, { dtypes: numbers }),
  ...unary('Step', (x) => tf.step(x, 0.25), { dtypes: ['float32'] }),
  ...unary('Step', (x) => tf.step(x), { dtypes: numbers }),
  ...unary('Tan', tf.tan, { law: 'within' }),
  ...unary('Tanh', (x) => tf.tanh(spread(x))),
  ...unary('Identity', (x) => x.clone(), { dtypes: all }),

  ...binary('Add', tf.add, { dtypes: numbers }),
  ...binary('Sub', tf.sub, { dtypes: numbers }),
  ...binary('Multiply', tf.mul, { dtypes: all }),
  ...binary('RealDiv', tf.div, { laws: ['normal', 'positive'] }),
  ...binary('FloorDiv', tf.floorDiv, { dtypes: numbers, laws: ['normal', 'positive'], gradient: false }),
  ...binary('FloorDiv', tf.div, { dtypes: ['int32'], gradient: false }),
  ...binary('Mod', tf.mod, { dtypes: numbers, gradient: false, tolerance: 1e-4 }),
  ...binary('Mod', tf.mod, { laws: ['normal', 'beyond'] }),
  ...binary('Pow', tf.pow, { laws: ['positive', 'normal'], tolerance: 1e-4 }),
  ...binary('Pow', (a, b) => tf.pow(a, tf.abs(b)), { dtypes: ['int32'], gradient: false }),
  ...binary('Atan2', tf.atan2),
  ...binary('Maximum', tf.maximum, { dtypes: numbers, same: true }),
  ...binary('Minimum', tf.minimum, { dtypes: numbers, same: true }),
  ...binary('Maximum', tf.maximum, { dtypes: ['float32', 'bool'], gradient: false }),
  ...binary('Minimum', tf.minimum, { dtypes: ['float32', 'bool'], gradient: false }),
  ...binary('SquaredDifference', tf.squaredDifference, { dtypes: numbers, same: true }),
  ...binary('Prelu', tf.prelu as (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, { laws: ['normal', 'positive'] }),
  ...binary('Equal', tf.equal, { dtypes: all, gradient: false }),
  ...binary('NotEqual', tf.notEqual, { dtypes: all, gradient: false }),
  ...binary('Greater', tf.greater, { dtypes: all, gradient: false }),
  ...binary('GreaterEqual', tf.greaterEqual, { dtypes: all, gradient: false }),
  ...binary('Less', tf.less, { dtypes: all, gradient: false }),
  ...binary('LessEqual', tf.lessEqual, { dtypes: all, gradient: false }),
  ...binary('LogicalAnd', tf.logicalAnd, { dtypes: ['bool'], gradient: false }),
  ...binary('LogicalOr', tf.logicalOr, { dtypes: ['bool'], gradient: false }),

  ...(['float32', 'int32', 'bool'] as const).flatMap((from): KernelCase[] =>
    (['float32', 'int32', 'bool'] as const)
      .filter((to) => to !== from)
      .map((to) => ({
        kernel: 'Cast',
        title: `Cast of ${from} to ${to}`,
        draw: (drawn) => ({
          inputs: [drawn.of(from, drawn.shape())],
          apply: (x) => tf.cast(from === 'float32' ? spread(x as tf.Tensor) : (x as tf.Tensor), to),
        }),
        gradient: false,
      })),
  ),
  ...numbers.concat('bool').map(
    (dtype): KernelCase => ({
      kernel: 'Select',
      title: `Select of ${dtype}`,
      draw(drawn) {
        const shape = drawn.shape();
        return {
          inputs: [drawn.bools(drawn.narrower(shape)), drawn.of(dtype, shape), drawn.of(dtype, drawn.narrower(shape))],
          apply: (condition, a, b) => tf.where(condition as tf.Tensor, a as tf.Tensor, b as tf.Tensor),
        };
      },
    }),
  ),
  {
    kernel: 'AddN',
    draw(drawn) {
      const shape = drawn.shape();
      return { inputs: Array.from({ length: drawn.int(1, 4) }, () => drawn.floats(shape)), apply: (...xs) => tf.addN(xs) };
    },
  },
];
