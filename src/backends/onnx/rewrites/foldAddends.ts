// What is added to a product is its addend C: a bias, a residual, another product (the gradients that query, key and value
// send back to their common input become a chain of products that accumulate).
import type { Draft } from './draft.js';
import { addProduct, productOf } from './products.js';
import { rule } from './rule.js';

/** Add(Gemm(a, b), c) → Gemm(a, b, c), where nothing else reads the bare product. */
export const foldAddends = rule((draft) => {
  for (const node of draft.nodes('Add')) {
    const output = node.outputs[0] as string;
    const [x, y] = node.inputs as [string, string];
    // Of two products, the second takes the first: the first is done by then.
    const found = foldable(draft, y, x, output) ? ([y, x] as const) : foldable(draft, x, y, output) ? ([x, y] as const) : undefined;
    if (found === undefined) continue;
    const product = productOf(draft.producer(found[0]));
    if (product !== undefined) draft.replace(output, addProduct(draft, { ...product, c: found[1], beta: 1 }, draft.shape(output)));
  }
});

function foldable(draft: Draft, name: string, addend: string, output: string): boolean {
  const node = draft.from(name, 'Gemm');
  if (node === undefined || node.inputs[2] || name === addend || !draft.isUsedOnce(name) || draft.type(name) !== 'float32') return false;
  const [m, n] = draft.shape(name) as [number, number];
  const [rows, columns] = draft.shape(output);
  // Gemm broadcasts its addend, never its product.
  if (draft.shape(output).length !== 2 || rows !== m || columns !== n || draft.shape(addend).length > 2) return false;
  // The addend cannot need the product: the Add alone reads it.
  return true;
}
