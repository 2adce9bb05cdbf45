// Products of matrices, and layer norm. An addend of one row is a BiasAdd, which TensorFlow fuses with the product.
import { floatOf, intOf } from '../../onnx/rewrites/attributes.js';
import type { Lower, Lowering, Lowers, Ref } from '../lowering.js';

const scaled = (l: Lowering, x: Ref, by: number): Ref => (by === 1 ? x : l.same('Mul', [x, l.float(by)], x.shape));

/** op(a) · op(b) over the last two axes. */
function product(l: Lowering, a: Ref, b: Ref, shape: readonly number[], [transA, transB]: readonly [boolean, boolean]): Ref {
  if (a.shape.length === 2 && b.shape.length === 2) return l.same('MatMul', [a, b], shape, { transpose_a: { bool: transA }, transpose_b: { bool: transB } });
  return l.same('BatchMatMulV2', [a, b], shape, { adj_x: { bool: transA }, adj_y: { bool: transB } });
}

/** ONNX's MatMul takes vectors as well: a row on the left, a column on the right. */
const matMul: Lower = (l, { outputs }, [a, b]) => {
  const { shape } = l.typeOf(outputs[0] as string);
  const [left, right] = [a as Ref, b as Ref];
  const row = left.shape.length === 1 ? l.reshape(left, [1, ...left.shape]) : left;
  const column = right.shape.length === 1 ? l.reshape(right, [...right.shape, 1]) : right;
  const sides = [...shape];
  if (right.shape.length === 1) sides.push(1);
  if (left.shape.length === 1) sides.splice(sides.length - 1, 0, 1);
  return l.reshape(product(l, row, column, sides, [false, false]), shape);
};

const gemm: Lower = (l, node, [a, b, c]) => {
  const { shape } = l.typeOf(node.outputs[0] as string);
  const alone = product(l, a as Ref, b as Ref, shape, [intOf(node, 'transA') === 1, intOf(node, 'transB') === 1]);
  const sum = scaled(l, alone, floatOf(node, 'alpha', 1));
  if (c === undefined) return sum;
  const addend = scaled(l, c, floatOf(node, 'beta', 1));
  const columns = shape[1] as number;
  const isRow = addend.shape.at(-1) === columns && addend.shape.slice(0, -1).every((side) => side === 1) && addend.shape.length > 0;
  return isRow ? l.same('BiasAdd', [sum, l.reshape(addend, [columns])], shape) : l.same('AddV2', [sum, addend], shape);
};

/** `transBatchA`: the operand lies as [rows, …batch, columns]. */
function batchFirst(l: Lowering, x: Ref, isBatch: boolean): Ref {
  if (!isBatch) return x;
  const n = x.shape.length;
  return l.transpose(x, [...Array.from({ length: n - 2 }, (_, i) => i + 1), 0, n - 1]);
}

const fusedMatMul: Lower = (l, node, [a, b]) => {
  const { shape } = l.typeOf(node.outputs[0] as string);
  const [left, right] = [batchFirst(l, a as Ref, intOf(node, 'transBatchA') === 1), batchFirst(l, b as Ref, intOf(node, 'transBatchB') === 1)];
  return scaled(l, product(l, left, right, shape, [intOf(node, 'transA') === 1, intOf(node, 'transB') === 1]), floatOf(node, 'alpha', 1));
};

/** The normed rows, their mean and 1 / σ. */
const layerNormalization: Lower = (l, node, [given, gain, bias]) => {
  const x = given as Ref;
  const { shape } = x;
  const first = (intOf(node, 'axis', -1) + shape.length) % shape.length;
  const axes = shape.flatMap((_, axis) => (axis < first ? [] : [axis]));
  const column = shape.map((side, axis) => (axis < first ? side : 1));
  const mean = l.reduce('Mean', x, axes, column, true);
  const centred = l.same('Sub', [x, mean], shape);
  const variance = l.reduce('Mean', l.same('Square', [centred], shape), axes, column, true);
  const inverse = l.same('Rsqrt', [l.same('AddV2', [variance, l.float(floatOf(node, 'epsilon', 1e-5))], column)], column);
  let normed = l.same('Mul', [centred, inverse], shape);
  if (l.uniform(node.inputs[1] as string) !== 1) normed = l.same('Mul', [normed, gain as Ref], shape);
  if (bias !== undefined) normed = l.same('AddV2', [normed, bias], shape);
  return [normed, mean, inverse];
};

export const products: Lowers = { FusedMatMul: fusedMatMul, Gemm: gemm, LayerNormalization: layerNormalization, MatMul: matMul };
