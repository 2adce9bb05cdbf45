// Factors wander: constant and run-time scalars are brought together, onto the smallest operand or behind the operation, so
// that one pass over a large tensor is left of many, and often none (`foldScales` puts constants into products' alpha).
// Float32 rounds a product of factors a little differently from a chain of products: by one unit in the last place.
import type { Node } from '../graph.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { isRows, sameShape } from './shapes.js';

/** value · factor, the factor a scalar; for other values undefined. */
export function scaled(draft: Draft, name: string): { readonly value: string; readonly factor: string; readonly node: Node } | undefined {
  const node = draft.from(name, 'Mul');
  if (node === undefined) return undefined;
  const [x, y] = node.inputs as [string, string];
  if (isFactor(draft, y, x)) return { value: x, factor: y, node };
  return isFactor(draft, x, y) ? { value: y, factor: x, node } : undefined;
}

/** Whether `name` is a scalar beside `other`, which alone gives the result its shape. */
function isFactor(draft: Draft, name: string, other: string): boolean {
  return draft.size(name) === 1 && draft.size(other) > 1 && draft.shape(name).length <= draft.shape(other).length;
}

/** The product of two scalars as a scalar of no axes. */
function times(draft: Draft, a: string, b: string): string {
  const [x, y] = [draft.number(a), draft.number(b)];
  if (x !== undefined && y !== undefined) return draft.scalar(Math.fround(x) * Math.fround(y));
  // (r · c) · d = r · (c · d)
  for (const [whole, constant] of [
    [a, y],
    [b, x],
  ] as const) {
    const inner = constant === undefined ? undefined : draft.from(whole, 'Mul');
    for (const name of inner?.inputs ?? []) {
      const own = draft.number(name);
      const rest = inner?.inputs.find((input) => input !== name);
      if (own !== undefined && rest !== undefined) return times(draft, rest, draft.scalar(own * (constant as number)));
    }
  }
  return draft.add('Mul', [draft.reshape(a, []), draft.reshape(b, [])], []);
}

function inverse(draft: Draft, a: string): string {
  const x = draft.number(a);
  return x === undefined ? draft.add('Reciprocal', [draft.reshape(a, [])], []) : draft.scalar(1 / Math.fround(x));
}

/** Canonical form: one Mul by a scalar, as late as it costs nothing; no Neg, no Div by a scalar. */
export const mergeScalars = rule((draft) => {
  for (const node of draft.nodes()) {
    const output = node.outputs[0] as string;
    if (draft.type(output) !== 'float32') continue;
    const better = rewritten(draft, node, output);
    if (better !== undefined) draft.replace(output, better);
  }
});

function rewritten(draft: Draft, node: Node, output: string): string | undefined {
  const shape = draft.shape(output);
  const [x, y] = node.inputs as [string, string];
  const multiply = (value: string, factor: string): string => draft.add('Mul', [value, factor], draft.shape(value));
  switch (node.op) {
    case 'Neg':
      return draft.size(x) > 1 ? multiply(x, draft.scalar(-1)) : undefined;
    case 'Div': {
      if (isFactor(draft, y, x)) return multiply(x, inverse(draft, y));
      const [over, under] = [scaled(draft, x), scaled(draft, y)];
      if (over !== undefined && draft.isUsedOnce(x) && sameShape(draft.shape(x), shape)) return multiply(draft.add('Div', [over.value, y], shape), over.factor);
      // x / (y · s) = (x / y) · (1 / s), unless y · s is used for more.
      if (under !== undefined && draft.isUsedOnce(y)) return multiply(draft.add('Div', [x, under.value], shape), inverse(draft, under.factor));
      return undefined;
    }
    case 'Mul': {
      const own = scaled(draft, output);
      if (own !== undefined) {
        const inner = scaled(draft, own.value);
        return inner === undefined ? undefined : multiply(inner.value, times(draft, inner.factor, own.factor));
      }
      return product(draft, x, y, shape);
    }
    case 'Reshape': {
      const inner = scaled(draft, x);
      // Between matrix and rows, the other way round: `rowsAsMatrix` moves such a reshape behind the factor.
      if (inner === undefined || !draft.isUsedOnce(x) || isRows(shape, draft.shape(x))) return undefined;
      return multiply(draft.reshape(inner.value, shape), draft.reshape(inner.factor, []));
    }
    case 'Add':
      return shifted(draft, x, y, shape) ?? shifted(draft, y, x, shape) ?? sum(draft, node.op, x, y, shape);
    case 'Sub':
      return sum(draft, node.op, x, y, shape);
    case 'ReduceSum':
    case 'ReduceMean': {
      const inner = scaled(draft, x);
      if (inner === undefined || !draft.isUsedOnce(x)) return undefined;
      const reduced = draft.add(node.op, [inner.value, ...node.inputs.slice(1)], shape, { attributes: node.attributes });
      return draft.size(reduced) === 1 ? draft.add('Mul', [reduced, draft.reshape(inner.factor, [])], shape) : multiply(reduced, inner.factor);
    }
    default:
      return undefined;
  }
}

/** (a · s) · b: the factor goes onto b where that is smaller, else behind the product, unless a · s is used for more. */
function product(draft: Draft, x: string, y: string, shape: readonly number[]): string | undefined {
  const multiply = (value: string, factor: string): string => draft.add('Mul', [value, factor], draft.shape(value));
  if (x === y) {
    const inner = scaled(draft, x);
    if (inner === undefined || !draft.isUsedOnce(x)) return undefined;
    return multiply(draft.add('Mul', [inner.value, inner.value], shape), times(draft, inner.factor, inner.factor));
  }
  for (const [first, second] of [
    [x, y],
    [y, x],
  ] as const) {
    const inner = scaled(draft, first);
    if (inner === undefined || draft.size(second) === 1) continue;
    if (draft.size(second) < draft.size(first)) return draft.add('Mul', [inner.value, multiply(second, inner.factor)], shape);
    // Behind the product, the factor must not meet a larger tensor than it met before.
    if (draft.isUsedOnce(first) && sameShape(draft.shape(first), shape)) return multiply(draft.add('Mul', [inner.value, second], shape), inner.factor);
  }
  return undefined;
}

/**
 * x / r + c = (x + c · r) / r for scalars c and r: in Adam, √v̂ + eps becomes a factor of the step's size. Only for a factor
 * that is a reciprocal, for c / s would be infinite where s is 0.
 */
function shifted(draft: Draft, x: string, y: string, shape: readonly number[]): string | undefined {
  const inner = scaled(draft, x);
  const reciprocal = inner && draft.from(inner.factor, 'Reciprocal');
  if (inner === undefined || reciprocal === undefined || !isFactor(draft, y, x) || !draft.isUsedOnce(x)) return undefined;
  const added = draft.add('Add', [inner.value, times(draft, y, reciprocal.inputs[0] as string)], shape);
  return draft.add('Mul', [added, inner.factor], shape);
}

/** a · s ± b · s = (a ± b) · s; a factor of −1 turns an addition into a subtraction and back. */
function sum(draft: Draft, op: 'Add' | 'Sub', x: string, y: string, shape: readonly number[]): string | undefined {
  const [left, right] = [scaled(draft, x), scaled(draft, y)];
  if (right !== undefined && draft.number(right.factor) === -1) return draft.add(op === 'Add' ? 'Sub' : 'Add', [x, right.value], shape);
  if (left !== undefined && op === 'Add' && draft.number(left.factor) === -1) return draft.add('Sub', [y, left.value], shape);
  if (left === undefined || right === undefined || left.factor !== right.factor || left.node === right.node) return undefined;
  if (!draft.isUsedOnce(x) || !draft.isUsedOnce(y) || !sameShape(draft.shape(x), shape)) return undefined;
  const added = draft.add(op, [left.value, right.value], shape);
  return draft.add('Mul', [added, left.factor], shape);
}
