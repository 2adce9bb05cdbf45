// Matrix products as rules see them: Gemm, MatMul and FusedMatMul read into one form and written from it.
import type { Attribute, Node } from '../graph.js';
import { floatOf, intOf } from './attributes.js';
import type { Draft } from './draft.js';

/** alpha · op(a) · op(b) + beta · c; `c` and `beta` belong to Gemm alone, `batch…` to FusedMatMul alone. */
export interface Product {
  readonly a: string;
  readonly b: string;
  readonly c?: string | undefined;
  readonly transA: boolean;
  readonly transB: boolean;
  /** The operand lies as [rows, …batch, columns]. */
  readonly batchA: boolean;
  readonly batchB: boolean;
  readonly alpha: number;
  readonly beta: number;
}

/** The product that a node is; undefined for all other nodes. */
export function productOf(node: Node | undefined): Product | undefined {
  if (node === undefined || (node.op !== 'Gemm' && node.op !== 'MatMul' && node.op !== 'FusedMatMul')) return undefined;
  const [a, b, c] = node.inputs as [string, string, string?];
  return {
    a,
    b,
    ...(c ? { c } : {}),
    transA: intOf(node, 'transA') === 1,
    transB: intOf(node, 'transB') === 1,
    batchA: intOf(node, 'transBatchA') === 1,
    batchB: intOf(node, 'transBatchB') === 1,
    alpha: floatOf(node, 'alpha', 1),
    beta: floatOf(node, 'beta', 1),
  };
}

/** The same product with changes, as a new value; Gemm for matrices, MatMul where that is enough, else FusedMatMul. */
export function addProduct(draft: Draft, product: Product, shape: readonly number[]): string {
  const { a, b, c, transA, transB, batchA, batchB, alpha, beta } = product;
  const flags: Record<string, Attribute> = {
    ...(transA ? { transA: { int: 1 } } : {}),
    ...(transB ? { transB: { int: 1 } } : {}),
    ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
  };
  if (shape.length === 2 && draft.shape(a).length === 2 && draft.shape(b).length === 2) {
    const scaled = c !== undefined && beta !== 1 ? { beta: { float: beta } } : {};
    return draft.add('Gemm', c === undefined ? [a, b] : [a, b, c], shape, { attributes: { ...flags, ...scaled } });
  }
  if (c !== undefined) throw new Error('only a product of matrices has an addend');
  const batched = { ...flags, ...(batchA ? { transBatchA: { int: 1 } } : {}), ...(batchB ? { transBatchB: { int: 1 } } : {}) };
  if (Object.keys(batched).length === 0) return draft.add('MatMul', [a, b], shape);
  return draft.add('FusedMatMul', [a, b], shape, { attributes: batched, domain: 'com.microsoft' });
}
