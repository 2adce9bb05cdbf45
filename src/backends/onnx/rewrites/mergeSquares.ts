// The norm of all gradients is the root of one sum. Gradients that are laid end to end for the update are squared and summed
// as one vector.
import type { Node } from '../graph.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';

/** One number of a list: the sum of the squares of a value, times a factor. */
interface Square {
  readonly input: string;
  readonly of: string;
  /** Name of a scalar; undefined is 1. */
  readonly factor: string | undefined;
}

/** ReduceSum(Concat(ReduceSumSquare(x), …)): those x that a Concat lays end to end are summed there. */
export const mergeSquares = rule((draft) => {
  for (const sum of draft.nodes('ReduceSum')) {
    const output = sum.outputs[0] as string;
    const list = draft.from(sum.inputs[0], 'Concat');
    if (list === undefined || draft.size(output) !== 1) continue;
    const squares = new Map<string, Square>();
    for (const input of list.inputs) {
      const square = squareOf(draft, input);
      if (square !== undefined && !squares.has(square.of)) squares.set(square.of, square);
    }
    const merged = new Set<string>();
    const parts: string[] = [];
    for (const square of [...squares.values()]) {
      const vector = squares.has(square.of) ? vectorOf(draft, square, squares) : undefined;
      if (vector === undefined) continue;
      for (const input of vector.inputs) {
        const of = plain(draft, input);
        merged.add((squares.get(of) as Square).input);
        squares.delete(of);
      }
      parts.push(total(draft, vector.outputs[0] as string, square.factor));
    }
    if (parts.length === 0) continue;
    for (const input of list.inputs) if (!merged.has(input)) parts.push(draft.reshape(input, [1]));
    const joined = parts.length === 1 ? (parts[0] as string) : draft.add('Concat', parts, [parts.length], { attributes: { axis: { int: 0 } } });
    const added = draft.add('ReduceSum', [joined, draft.indices([0])], [1], { attributes: { keepdims: { int: 1 } } });
    draft.replace(output, draft.reshape(added, draft.shape(output)));
  }
});

/** [1]: the sum of the squares of a vector. */
function total(draft: Draft, vector: string, factor: string | undefined): string {
  const sum = draft.add('ReduceSumSquare', [vector, draft.indices([0])], [1], { attributes: { keepdims: { int: 1 } } });
  return factor === undefined ? sum : draft.add('Mul', [sum, draft.reshape(factor, [])], [1]);
}

/** The value before changes of its shape. */
function plain(draft: Draft, name: string): string {
  let value = name;
  for (let node = draft.from(value, 'Reshape'); node !== undefined; node = draft.from(value, 'Reshape')) value = node.inputs[0] as string;
  return value;
}

function squareOf(draft: Draft, input: string): Square | undefined {
  if (draft.size(input) !== 1) return undefined;
  const [value, factor] = factored(draft, plain(draft, input));
  const node = draft.from(plain(draft, value), 'ReduceSumSquare');
  return node === undefined ? undefined : { input, of: plain(draft, node.inputs[0] as string), factor };
}

/** A number as another one times a constant. */
function factored(draft: Draft, value: string): readonly [string, string | undefined] {
  const [a, b] = (draft.from(value, 'Mul')?.inputs ?? []) as [string?, string?];
  if (a === undefined || b === undefined) return [value, undefined];
  if (draft.size(b) === 1 && draft.number(b) !== undefined) return [a, b];
  return draft.size(a) === 1 && draft.number(a) !== undefined ? [b, a] : [value, undefined];
}

/** A Concat of this value and others of the same factor, all of which are in the list. */
function vectorOf(draft: Draft, { of, factor }: Square, squares: ReadonlyMap<string, Square>): Node | undefined {
  const open = [of];
  for (const value of open) {
    for (const node of draft.users(value)) {
      if (node.op === 'Reshape') open.push(node.outputs[0] as string);
      if (node.op !== 'Concat' || draft.shape(node.outputs[0] as string).length !== 1) continue;
      const members = node.inputs.map((input) => plain(draft, input));
      const distinct = members.length > 1 && new Set(members).size === members.length;
      if (distinct && members.every((member) => squares.has(member) && squares.get(member)?.factor === factor)) return node;
    }
  }
  return undefined;
}
