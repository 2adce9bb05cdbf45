// A product reads a transposed operand in place: Gemm by its flags, a batched one as ONNX Runtime's FusedMatMul. MatMul of
// matrices becomes Gemm, and of rows by one matrix too.
import type { Node } from '../graph.js';
import { intsOf } from './attributes.js';
import type { Draft } from './draft.js';
import { type Product, addProduct, productOf } from './products.js';
import { rule } from './rule.js';
import { sizeOf } from './shapes.js';

/** Folds transposes of the last two axes into the product that reads them. */
export const foldTransposes = rule((draft) => {
  for (const node of draft.nodes()) {
    const product = productOf(node);
    if (product === undefined) continue;
    const output = node.outputs[0] as string;
    const a = swapped(draft, product.a, product.batchA);
    const b = swapped(draft, product.b, product.batchB);
    if (a !== undefined || b !== undefined) {
      const folded: Product = {
        ...product,
        ...(a === undefined ? {} : { a, transA: !product.transA }),
        ...(b === undefined ? {} : { b, transB: !product.transB }),
      };
      draft.replace(output, addProduct(draft, folded, draft.shape(output)));
    } else if (node.op !== 'Gemm') asGemm(draft, node, product, output);
  }
});

/**
 * What gives this operand when its last two axes are exchanged: what was transposed, or a transpose that leaves the innermost
 * axis where it is, which copies rows instead of numbers.
 */
function swapped(draft: Draft, name: string, batch: boolean): string | undefined {
  const node = draft.from(name, 'Transpose');
  const perm = node && intsOf(node, 'perm');
  if (node === undefined || perm === undefined || batch) return undefined;
  const n = perm.length;
  if (n < 2 || perm[n - 2] !== n - 1) return undefined;
  const without = [...perm.slice(0, n - 2), perm[n - 1] as number, n - 1];
  const input = node.inputs[0] as string;
  if (without.every((axis, i) => axis === i)) return input;
  const sides = draft.shape(input);
  const attributes = { perm: { ints: without } };
  return draft.add(
    'Transpose',
    [input],
    without.map((axis) => sides[axis] as number),
    { attributes },
  );
}

/** A product whose second factor is one matrix is one product of matrices. */
function asGemm(draft: Draft, node: Node, product: Product, output: string): void {
  const [a, b] = [draft.shape(product.a), draft.shape(product.b)];
  if (draft.type(output) !== 'float32' || product.batchA || product.batchB || a.length < 2 || b.length !== 2) return;
  if (a.length === 2) {
    if (node.op === 'MatMul' || node.op === 'FusedMatMul') draft.replace(output, addProduct(draft, product, draft.shape(output)));
    return;
  }
  if (product.transA) return;
  const shape = draft.shape(output);
  const rows = sizeOf(a.slice(0, -1));
  const flat = addProduct(draft, { ...product, a: draft.reshape(product.a, [rows, a.at(-1) as number]) }, [rows, shape.at(-1) as number]);
  draft.replace(output, draft.reshape(flat, shape));
}
