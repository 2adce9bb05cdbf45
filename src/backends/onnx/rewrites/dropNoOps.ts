// Nodes that change nothing: copies, casts to the own type, moves that move nothing, additions of 0, products with 1, sums
// over nothing. tfjs's gradients are full of them, for they are written for the general case.
import type { Node } from '../graph.js';
import { intOf, intsOf } from './attributes.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { sameShape } from './shapes.js';

/** Reads the input where a node adds nothing to it. x + 0 becomes x: the sign of a zero may change. */
export const dropNoOps = rule((draft) => {
  for (const node of draft.nodes()) {
    const output = node.outputs[0] as string;
    const same = unchanged(draft, node, output);
    if (same === undefined) continue;
    if (draft.type(same) === draft.type(output)) draft.replace(output, draft.reshape(same, draft.shape(output)));
  }
});

/** The input whose numbers are, in this order, those of the output. */
function unchanged(draft: Draft, node: Node, output: string): string | undefined {
  const [x, y] = node.inputs as [string, string?];
  const shape = draft.shape(output);
  const keeps = (name: string | undefined): boolean => name !== undefined && sameShape(draft.shape(name), shape);
  switch (node.op) {
    case 'Identity':
      return x;
    case 'Cast':
      return draft.type(x) === draft.type(output) ? x : undefined;
    case 'Reshape':
    case 'Expand':
    case 'Slice':
    case 'Pad':
    case 'Tile':
      // Padding with negative amounts on the other side would keep the shape too; nothing here makes that.
      return keeps(x) && (node.op !== 'Pad' || (draft.integers(y) ?? [-1]).every((amount) => amount === 0)) && (node.op !== 'Slice' || forwards(draft, node))
        ? x
        : undefined;
    case 'Concat':
      return node.inputs.length === 1 ? x : undefined;
    case 'Transpose': {
      const perm = intsOf(node, 'perm');
      // Only sides of 1 move: the order of the numbers stays.
      const moved = perm?.filter((axis) => draft.shape(x)[axis] !== 1);
      return moved?.every((axis, i) => i === 0 || axis > (moved[i - 1] as number)) ? x : undefined;
    }
    case 'ReduceSum':
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceMin': {
      const axes = draft.integers(y);
      if (axes === undefined) return undefined;
      if (axes.length === 0) return intOf(node, 'noop_with_empty_axes') === 1 ? x : undefined;
      return axes.every((axis) => draft.shape(x).at(axis) === 1) ? x : undefined;
    }
    case 'Mul':
      if (draft.number(y) === 1 && keeps(x)) return x;
      return draft.number(x) === 1 && keeps(y) ? y : undefined;
    case 'Div':
      return draft.number(y) === 1 && keeps(x) ? x : undefined;
    case 'Sub':
      return draft.number(y) === 0 && keeps(x) ? x : undefined;
    case 'Add':
      if (draft.number(y) === 0 && keeps(x)) return x;
      return draft.number(x) === 0 && keeps(y) ? y : undefined;
    case 'Pow':
      return draft.number(y) === 1 && keeps(x) ? x : undefined;
    default:
      return undefined;
  }
}

/** A slice of full length is no change unless it runs backwards. */
function forwards(draft: Draft, node: Node): boolean {
  const steps = node.inputs[4];
  return steps === undefined || steps === '' || draft.number(steps) === 1;
}
