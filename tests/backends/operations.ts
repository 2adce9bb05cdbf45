// The operations of tfjs that models, losses and optimisers use, each with a reference in plain JavaScript (float64).
// Gradients are checked against finite differences of the reference, which have no float32 noise.
import * as tf from '@tensorflow/tfjs';

type T = tf.Tensor;
type A = ArrayLike<number>;

export interface Operation {
  readonly name: string;
  /** Shapes of the float inputs. */
  readonly shapes: readonly (readonly number[])[];
  /** Values are standard normals; `positive` takes 0.2 + |x|. */
  readonly positive?: boolean;
  apply(...inputs: T[]): T;
  reference(...inputs: A[]): number[];
  /** No gradient is asked for. */
  readonly forwardOnly?: boolean;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const at = (a: A, i: number): number => a[i] as number;
const range = <R>(n: number, f: (i: number) => R): R[] => Array.from({ length: n }, (_, i) => f(i));

/** Index of an output position in a broadcast input. */
function broadcast(out: readonly number[], shape: readonly number[]): (index: number) => number {
  return (index) => {
    let from = 0;
    let stride = 1;
    let rest = index;
    for (let axis = 1; axis <= out.length; axis++) {
      const side = out[out.length - axis] as number;
      const coordinate = rest % side;
      rest = Math.floor(rest / side);
      const own = shape[shape.length - axis] ?? 1;
      if (own !== 1) from += coordinate * stride;
      stride *= own;
    }
    return from;
  };
}

function binary(
  name: string,
  a: number[],
  b: number[],
  out: number[],
  op: (x: T, y: T) => T,
  f: (x: number, y: number) => number,
  positive = false,
): Operation {
  const [ia, ib] = [broadcast(out, a), broadcast(out, b)];
  return { name: `${name} [${a}] [${b}]`, shapes: [a, b], positive, apply: op, reference: (x, y) => range(size(out), (i) => f(at(x, ia(i)), at(y, ib(i)))) };
}

function unary(name: string, op: (x: T) => T, f: (x: number) => number, positive = false): Operation {
  return { name, shapes: [[3, 5]], positive, apply: op, reference: (x) => range(15, (i) => f(at(x, i))) };
}

/** Products of `batch` matrices [m, k] · [k, n] in one of the four transposed forms. */
function product(batch: number[], m: number, k: number, n: number, ta: boolean, tb: boolean): Operation {
  const count = size(batch);
  const [a, b] = [
    [...batch, ...(ta ? [k, m] : [m, k])],
    [...batch, ...(tb ? [n, k] : [k, n])],
  ];
  return {
    name: `matMul [${a}] [${b}]${ta ? ' transposeA' : ''}${tb ? ' transposeB' : ''}`,
    shapes: [a, b],
    apply: (x, y) => tf.matMul(x, y, ta, tb),
    reference: (x, y) =>
      range(count * m * n, (index) => {
        const [g, i, j] = [Math.floor(index / (m * n)), Math.floor(index / n) % m, index % n];
        let sum = 0;
        for (let l = 0; l < k; l++) sum += at(x, g * m * k + (ta ? l * m + i : i * k + l)) * at(y, g * k * n + (tb ? j * k + l : l * n + j));
        return sum;
      }),
  };
}

/** A change of rows of the last axis. */
function rowwise(name: string, shape: number[], op: (x: T) => T, f: (row: number[]) => number[]): Operation {
  const width = shape.at(-1) as number;
  return { name, shapes: [shape], apply: op, reference: (x) => range(size(shape) / width, (r) => f(range(width, (i) => at(x, r * width + i)))).flat() };
}

/** Output elements picked from the input: `from(i)` is the place of element i, or −1 for a zero. */
function moved(name: string, shape: number[], out: number, op: (x: T) => T, from: (i: number) => number): Operation {
  return { name, shapes: [shape], apply: op, reference: (x) => range(out, (i) => (from(i) < 0 ? 0 : at(x, from(i)))) };
}

function erf(x: number): number {
  // Maclaurin series; exact to float64 for the |x| < 4 that occur here.
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const softmax = (row: number[]): number[] => {
  const total = row.reduce((s, v) => s + Math.exp(v), 0);
  return row.map((v) => Math.exp(v) / total);
};
const mean = (row: number[]): number => row.reduce((s, v) => s + v, 0) / row.length;

const mask = [1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1];
const rows = [4, 0, 4, 2, 9, 4, 0];

export const operations: readonly Operation[] = [
  binary(
    'add',
    [3, 4],
    [4],
    [3, 4],
    (a, b) => a.add(b),
    (a, b) => a + b,
  ),
  binary(
    'add',
    [3, 4],
    [],
    [3, 4],
    (a, b) => a.add(b),
    (a, b) => a + b,
  ),
  binary(
    'sub',
    [2, 3, 4],
    [3, 1],
    [2, 3, 4],
    (a, b) => a.sub(b),
    (a, b) => a - b,
  ),
  binary(
    'mul',
    [2, 3, 4],
    [2, 1, 1],
    [2, 3, 4],
    (a, b) => a.mul(b),
    (a, b) => a * b,
  ),
  binary(
    'div',
    [3, 4],
    [3, 1],
    [3, 4],
    (a, b) => a.div(b),
    (a, b) => a / b,
    true,
  ),
  binary(
    'pow',
    [3, 4],
    [],
    [3, 4],
    (a, b) => a.pow(b),
    (a, b) => a ** b,
    true,
  ),
  // tfjs's gradients of squaredDifference, maximum and minimum do not sum over broadcast axes (an error on every backend).
  binary(
    'squaredDifference',
    [3, 4],
    [3, 4],
    [3, 4],
    (a, b) => tf.squaredDifference(a, b),
    (a, b) => (a - b) ** 2,
  ),
  binary('maximum', [3, 4], [3, 4], [3, 4], (a, b) => tf.maximum(a, b), Math.max),
  binary('minimum', [3, 4], [3, 4], [3, 4], (a, b) => tf.minimum(a, b), Math.min),
  unary(
    'neg',
    (x) => x.neg(),
    (x) => -x,
  ),
  unary('abs', (x) => x.abs(), Math.abs),
  unary('exp', (x) => x.exp(), Math.exp),
  unary('log', (x) => x.log(), Math.log, true),
  unary('log1p', (x) => x.log1p(), Math.log1p, true),
  unary('sqrt', (x) => x.sqrt(), Math.sqrt, true),
  unary(
    'rsqrt',
    (x) => x.rsqrt(),
    (x) => 1 / Math.sqrt(x),
    true,
  ),
  unary(
    'square',
    (x) => x.square(),
    (x) => x * x,
  ),
  unary(
    'reciprocal',
    (x) => x.reciprocal(),
    (x) => 1 / x,
    true,
  ),
  unary(
    'sigmoid',
    (x) => x.sigmoid(),
    (x) => 1 / (1 + Math.exp(-x)),
  ),
  unary('tanh', (x) => x.tanh(), Math.tanh),
  unary(
    'relu',
    (x) => x.relu(),
    (x) => Math.max(0, x),
  ),
  unary(
    'softplus',
    (x) => x.softplus(),
    (x) => Math.log1p(Math.exp(x)),
  ),
  unary('sin', (x) => x.sin(), Math.sin),
  unary('cos', (x) => x.cos(), Math.cos),
  unary('erf', (x) => x.erf(), erf),
  unary(
    'gelu by erf',
    (x) => x.mul(0.5).mul(x.div(Math.SQRT2).erf().add(1)),
    (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  ),
  unary(
    'clipByValue',
    (x) => x.clipByValue(-0.7, 0.8),
    (x) => Math.min(0.8, Math.max(-0.7, x)),
  ),
  ...[false, true].flatMap((ta) =>
    [false, true].flatMap((tb) => [
      product([], 5, 3, 4, ta, tb),
      product([2, 3], 4, 5, 2, ta, tb),
      product([1], 17, 9, 11, ta, tb),
      product([], 1, 6, 3, ta, tb),
    ]),
  ),
  rowwise('softmax', [2, 3, 5], (x) => tf.softmax(x), softmax),
  rowwise(
    'logSoftmax',
    [3, 5],
    (x) => tf.logSoftmax(x),
    (row) => softmax(row).map(Math.log),
  ),
  rowwise(
    'logSumExp',
    [3, 5],
    (x) => tf.logSumExp(x, -1),
    (row) => [Math.log(row.reduce((s, v) => s + Math.exp(v), 0))],
  ),
  rowwise(
    'layer norm by moments',
    [2, 3, 6],
    (x) => {
      const { mean: m, variance } = tf.moments(x, -1, true);
      return x.sub(m).mul(variance.add(1e-6).rsqrt());
    },
    (row) => {
      const m = mean(row);
      const variance = mean(row.map((v) => (v - m) ** 2));
      return row.map((v) => (v - m) / Math.sqrt(variance + 1e-6));
    },
  ),
  rowwise(
    'sum of the last axis',
    [2, 3, 5],
    (x) => x.sum(-1),
    (row) => [row.reduce((s, v) => s + v, 0)],
  ),
  rowwise(
    'mean of the last axis',
    [2, 3, 5],
    (x) => x.mean(-1, true),
    (row) => [mean(row)],
  ),
  rowwise(
    'max of the last axis',
    [3, 5],
    (x) => x.max(-1),
    (row) => [Math.max(...row)],
  ),
  rowwise(
    'min of the last axis',
    [3, 5],
    (x) => x.min(-1),
    (row) => [Math.min(...row)],
  ),
  // tfjs's cumsum takes no negative axis: it answers an empty tensor.
  rowwise(
    'cumsum',
    [3, 5],
    (x) => x.cumsum(1),
    (row) => row.map((_, i) => row.slice(0, i + 1).reduce((s, v) => s + v, 0)),
  ),
  {
    name: 'sum of the first axes',
    shapes: [[4, 3, 5]],
    apply: (x) => x.sum([0, 1]),
    reference: (x) => range(5, (j) => range(12, (i) => at(x, i * 5 + j)).reduce((s, v) => s + v, 0)),
  },
  { name: 'mean of all', shapes: [[3, 5]], apply: (x) => x.mean(), reference: (x) => [mean(Array.from(x))] },
  moved(
    'gather of rows',
    [10, 4],
    28,
    (x) => tf.gather(x, tf.tensor1d(rows, 'int32')),
    (i) => (rows[Math.floor(i / 4)] as number) * 4 + (i % 4),
  ),
  moved(
    'gather with 2-D indices',
    [10, 2],
    12,
    (x) => tf.gather(x, tf.tensor2d([1, 1, 0, 9, 3, 3], [2, 3], 'int32')),
    (i) => ([1, 1, 0, 9, 3, 3][Math.floor(i / 2)] as number) * 2 + (i % 2),
  ),
  moved(
    'gather along axis 1',
    [2, 5, 3],
    18,
    (x) => tf.gather(x, tf.tensor1d([4, 0, 4], 'int32'), 1),
    (i) => Math.floor(i / 9) * 15 + ([4, 0, 4][Math.floor(i / 3) % 3] as number) * 3 + (i % 3),
  ),
  moved(
    'gather with batchDims 1',
    [2, 5, 2],
    12,
    (x) => tf.gather(x, tf.tensor2d([4, 0, 4, 1, 2, 3], [2, 3], 'int32'), 1, 1),
    (i) => Math.floor(i / 6) * 10 + ([4, 0, 4, 1, 2, 3][Math.floor(i / 2)] as number) * 2 + (i % 2),
  ),
  moved(
    'slice',
    [4, 5],
    6,
    (x) => x.slice([1, 2], [2, 3]),
    (i) => (1 + Math.floor(i / 3)) * 5 + 2 + (i % 3),
  ),
  {
    ...moved(
      'stridedSlice',
      [4, 5],
      4,
      (x) => tf.stridedSlice(x, [0, 1], [4, 5], [2, 2]),
      (i) => 2 * Math.floor(i / 2) * 5 + 1 + 2 * (i % 2),
    ),
    forwardOnly: true,
  },
  moved(
    'pad',
    [2, 3],
    20,
    (x) =>
      tf.pad(x, [
        [1, 1],
        [2, 0],
      ]),
    (i) => (Math.floor(i / 5) % 3 === 0 || i % 5 < 2 ? -1 : (Math.floor(i / 5) - 1) * 3 + (i % 5) - 2),
  ),
  moved(
    'tile',
    [2, 3],
    24,
    (x) => tf.tile(x, [2, 2]),
    (i) => (Math.floor(i / 6) % 2) * 3 + (i % 3),
  ),
  moved(
    'broadcastTo',
    [1, 3],
    12,
    (x) => tf.broadcastTo(x, [4, 3]),
    (i) => i % 3,
  ),
  moved(
    'transpose 2-D',
    [3, 5],
    15,
    (x) => x.transpose(),
    (i) => (i % 3) * 5 + Math.floor(i / 3),
  ),
  moved(
    'transpose [2, 0, 1]',
    [2, 3, 4],
    24,
    (x) => x.transpose([2, 0, 1]),
    (i) => (Math.floor(i / 3) % 2) * 12 + (i % 3) * 4 + Math.floor(i / 6),
  ),
  moved(
    'transpose of heads [0, 2, 1, 3]',
    [2, 3, 4, 2],
    48,
    (x) => x.transpose([0, 2, 1, 3]),
    (i) => Math.floor(i / 24) * 24 + (Math.floor(i / 2) % 3) * 8 + (Math.floor(i / 6) % 4) * 2 + (i % 2),
  ),
  moved(
    'reverse',
    [3, 5],
    15,
    (x) => x.reverse(-1),
    (i) => Math.floor(i / 5) * 5 + 4 - (i % 5),
  ),
  moved(
    'split, unstack and stack',
    [4, 3],
    12,
    (x) => tf.stack(tf.unstack(tf.concat([...tf.split(x, 2)].reverse()))),
    (i) => (i + 6) % 12,
  ),
  {
    name: 'concat of axis 1',
    shapes: [
      [2, 3],
      [2, 2],
    ],
    apply: (a, b) => tf.concat([a, b], 1),
    reference: (a, b) => range(10, (i) => (i % 5 < 3 ? at(a, Math.floor(i / 5) * 3 + (i % 5)) : at(b, Math.floor(i / 5) * 2 + (i % 5) - 3))),
  },
  {
    name: 'where',
    shapes: [
      [3, 5],
      [3, 5],
    ],
    apply: (a, b) => tf.where(tf.tensor(mask, [3, 5], 'bool'), a, b),
    reference: (a, b) => range(15, (i) => at(mask[i] ? a : b, i)),
  },
  {
    name: 'where with a broadcast condition',
    shapes: [[3, 5], []],
    apply: (a, b) => tf.where(tf.tensor([1, 0, 1], [3, 1], 'bool'), a, b),
    reference: (a, b) => range(15, (i) => (Math.floor(i / 5) === 1 ? at(b, 0) : at(a, i))),
  },
  {
    name: 'unsortedSegmentSum',
    shapes: [[7, 3]],
    apply: (x) => tf.unsortedSegmentSum(x, tf.tensor1d([1, 0, 1, 5, 1, -1, 0], 'int32'), 6),
    reference: (x) => range(18, (i) => [1, 0, 1, 5, 1, -1, 0].reduce((s, id, r) => s + (id === Math.floor(i / 3) ? at(x, r * 3 + (i % 3)) : 0), 0)),
  },
  {
    name: 'oneHot',
    forwardOnly: true,
    shapes: [],
    apply: () => tf.oneHot(tf.tensor1d([2, 0, 3], 'int32'), 4).toFloat(),
    reference: () => [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1],
  },
  {
    name: 'topk values',
    forwardOnly: true,
    shapes: [[3, 5]],
    apply: (x) => tf.topk(x, 2).values,
    reference: (x) =>
      range(3, (r) =>
        range(5, (i) => at(x, r * 5 + i))
          .sort((a, b) => b - a)
          .slice(0, 2),
      ).flat(),
  },
  {
    name: 'topk indices',
    forwardOnly: true,
    shapes: [[3, 5]],
    apply: (x) => tf.topk(x, 2).indices.toFloat(),
    reference: (x) =>
      range(3, (r) =>
        range(5, (i) => i)
          .sort((a, b) => at(x, r * 5 + b) - at(x, r * 5 + a))
          .slice(0, 2),
      ).flat(),
  },
  {
    name: 'argMax',
    forwardOnly: true,
    shapes: [[3, 5]],
    apply: (x) => x.argMax(-1).toFloat(),
    reference: (x) => range(3, (r) => range(5, (i) => i).sort((a, b) => at(x, r * 5 + b) - at(x, r * 5 + a))[0] as number),
  },
  {
    name: 'comparisons',
    forwardOnly: true,
    shapes: [
      [3, 5],
      [3, 5],
    ],
    apply: (a, b) => a.greater(b).logicalAnd(b.less(0)).logicalOr(a.lessEqual(-1)).toFloat(),
    reference: (a, b) => range(15, (i) => +((at(a, i) > at(b, i) && at(b, i) < 0) || at(a, i) <= -1)),
  },
  {
    name: 'int32 arithmetic',
    forwardOnly: true,
    shapes: [],
    apply: () =>
      tf
        .tensor1d([1, 0, 1, 1], 'int32')
        .mul(tf.tensor1d([3, 4, 5, 6], 'int32'))
        .sum()
        .toFloat(),
    reference: () => [14],
  },
  {
    name: 'range and equal',
    forwardOnly: true,
    shapes: [],
    apply: () =>
      tf
        .range(0, 4, 1, 'int32')
        .expandDims(1)
        .equal(tf.tensor1d([3, 1], 'int32'))
        .toFloat(),
    reference: () => [0, 0, 0, 1, 0, 0, 1, 0],
  },
];
