// Products of matrices. Canonical forms:
//   Gemm(a, b) {transA, transB}    where both factors are single matrices ([1, m, k] · [1, k, n] too), and where b is one matrix
//                                  for a whole batch of a: [batch · m, k] · [k, n]; 2-D values around it by Reshape
//   MatMul(a, b)                   for batches; a transposed factor is a Transpose in front of it
// Integers go by MatMul, for ONNX Runtime's Gemm has floats only.
import { broadcastShape, reshape, transpose } from './forms.js';
import { type Recorders, recorder } from './recorder.js';
import { type Recording, type Value, elements } from './recording.js';

const sides = ({ shape }: Value): [number, number] => shape.slice(-2) as [number, number];
const isMatrix = (x: Value): boolean => x.shape.slice(0, -2).every((side) => side === 1);

/** The last two axes exchanged. */
export function turned(r: Recording, x: Value): Value {
  const rank = x.shape.length;
  return transpose(r, x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
}

/** One product of two matrices. */
export function gemm(r: Recording, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const m = sides(a)[transposeA ? 1 : 0];
  const n = sides(b)[transposeB ? 0 : 1];
  return r.node('Gemm', [a, b], [m, n], a.type, { transA: { int: transposeA ? 1 : 0 }, transB: { int: transposeB ? 1 : 0 } });
}

/** a · b over the last two axes; the axes before them broadcast. */
export function product(r: Recording, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const m = sides(a)[transposeA ? 1 : 0];
  const n = sides(b)[transposeB ? 0 : 1];
  const shape = [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  const flat = (x: Value): Value => reshape(r, x, sides(x));
  if (a.type === 'float32' && isMatrix(b) && (isMatrix(a) || !transposeA)) {
    const left = isMatrix(a) ? flat(a) : reshape(r, a, [elements(a) / sides(a)[1], sides(a)[1]]);
    return reshape(r, gemm(r, left, flat(b), transposeA, transposeB), shape);
  }
  return reshape(r, r.node('MatMul', [transposeA ? turned(r, a) : a, transposeB ? turned(r, b) : b], shape, a.type), shape);
}

export const products: Recorders = {
  BatchMatMul: recorder<'a' | 'b', { transposeA: boolean; transposeB: boolean }>((r, { a, b }, { transposeA, transposeB }) =>
    product(r, a, b, transposeA, transposeB),
  ),
};
