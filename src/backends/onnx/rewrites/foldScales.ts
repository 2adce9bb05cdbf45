// A constant factor costs a pass over its tensor, and nothing as a product's alpha. It goes into the product that made the
// tensor, or into all that read it: the 1/√d of attention, the ½ of GELU and its gradient.
import type { Node } from '../graph.js';
import type { Draft } from './draft.js';
import { scaled } from './mergeScalars.js';
import { type Product, addProduct, productOf } from './products.js';
import { rule } from './rule.js';

/** Folds constant factors into alpha (and beta) of products before or behind them. */
export const foldScales = rule((draft) => {
  for (const node of draft.nodes('Mul')) {
    const output = node.outputs[0] as string;
    const found = scaled(draft, output);
    const factor = found && draft.number(found.factor);
    if (found === undefined || factor === undefined || draft.type(output) !== 'float32') continue;
    if (!intoMaker(draft, found.value, factor, output)) intoReaders(draft, found.value, factor, output);
  }
});

/** (alpha · A · B + beta · C) · s, where nothing else reads the unscaled product. */
function intoMaker(draft: Draft, value: string, factor: number, output: string): boolean {
  // A product seen through moves: its numbers in another shape or order.
  const moves: Node[] = [];
  let name = value;
  let node = draft.producer(name);
  while (node !== undefined && (node.op === 'Reshape' || node.op === 'Transpose') && draft.isUsedOnce(name)) {
    moves.push(node);
    name = node.inputs[0] as string;
    node = draft.producer(name);
  }
  const product = productOf(node);
  if (product === undefined || !draft.isUsedOnce(name)) return false;
  const { alpha, beta } = product;
  let moved = addProduct(draft, { ...product, alpha: alpha * factor, ...(product.c === undefined ? {} : { beta: beta * factor }) }, draft.shape(name));
  for (const move of moves.reverse()) {
    moved = draft.add(move.op, [moved, ...move.inputs.slice(1)], draft.shape(move.outputs[0] as string), { attributes: move.attributes });
  }
  draft.replace(output, moved);
  return true;
}

/** x · s read by products and sums alone, directly or through moves: they read x, and take the factor themselves. */
function intoReaders(draft: Draft, value: string, factor: number, output: string): void {
  if (!readersTake(draft, output, 3)) return;
  const behind: [string, string][] = [];
  take(draft, output, value, factor, behind);
  for (const [before, after] of behind) draft.replace(before, after);
}

function readersTake(draft: Draft, name: string, depth: number): boolean {
  if (draft.isOutput(name)) return false;
  for (const user of draft.users(name)) {
    const product = productOf(user);
    if (product !== undefined) {
      if (product.c === name) return false;
    } else if ((user.op === 'Reshape' || user.op === 'Transpose') && depth > 0) {
      if (!readersTake(draft, user.outputs[0] as string, depth - 1)) return false;
    } else if (!(user.op === 'ReduceSum' && draft.size(user.outputs[0] as string) * 4 <= draft.size(name))) return false;
  }
  return draft.users(name).size > 0;
}

/** Rebuilds every reader of `before` on `after`, which lacks the factor. */
function take(draft: Draft, before: string, after: string, factor: number, behind: [string, string][]): void {
  for (const user of [...draft.users(before)]) {
    const output = user.outputs[0] as string;
    const shape = draft.shape(output);
    const product = productOf(user);
    const inputs = user.inputs.map((name) => (name === before ? after : name));
    if (product !== undefined) {
      const times = product.a === before && product.b === before ? factor * factor : factor;
      const unscaled: Product = { ...product, a: inputs[0] as string, b: inputs[1] as string, alpha: product.alpha * times };
      behind.push([output, addProduct(draft, unscaled, shape)]);
    } else if (user.op === 'ReduceSum') {
      const sum = draft.add('ReduceSum', inputs, shape, { attributes: user.attributes });
      behind.push([output, draft.add('Mul', [sum, draft.scalar(factor)], shape)]);
    } else {
      take(draft, output, draft.add(user.op, inputs, shape, { attributes: user.attributes }), factor, behind);
    }
  }
}
