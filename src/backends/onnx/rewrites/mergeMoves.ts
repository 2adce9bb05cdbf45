// Reshapes of reshapes and transposes of transposes are one; a transpose of five axes and more moves as few
// as possible, for ONNX Runtime's kernel pays per axis. Reductions keep the axes that a reshape would put back.
import type { Node } from '../graph.js';
import { intOf, intsOf } from './attributes.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { axesOf, sameShape, sizeOf } from './shapes.js';

/** Merges chains of Reshape, of Transpose, and axes that a transpose keeps side by side. */
export const mergeMoves = rule((draft) => {
  for (const node of draft.nodes()) {
    if (node.op === 'Reshape') mergeReshapes(draft, node);
    else if (node.op === 'Transpose') mergeTransposes(draft, node);
  }
});

function mergeReshapes(draft: Draft, node: Node): void {
  const input = node.inputs[0] as string;
  const output = node.outputs[0] as string;
  const shape = draft.shape(output);
  const inner = draft.producer(input);
  if (inner?.op === 'Reshape') draft.replace(output, draft.reshape(inner.inputs[0] as string, shape));
  else if (inner?.op.startsWith('Reduce') && draft.isUsedOnce(input)) keepSides(draft, inner, output);
}

/** A reduction keeps the axes that a reshape would put back. */
function keepSides(draft: Draft, node: Node, output: string): void {
  const [x, list] = node.inputs as [string, string?];
  const axes = draft.integers(list);
  const sides = draft.shape(x);
  if (axes === undefined || axes.length === 0 || intOf(node, 'keepdims', 1) === 1) return;
  const reduced = axesOf(axes, sides.length);
  const kept = sides.map((side, axis) => (reduced.includes(axis) ? 1 : side));
  if (!sameShape(kept, draft.shape(output))) return;
  draft.replace(output, draft.add(node.op, node.inputs, kept, { attributes: { ...node.attributes, keepdims: { int: 1 } } }));
}

function mergeTransposes(draft: Draft, node: Node): void {
  const perm = intsOf(node, 'perm');
  const input = node.inputs[0] as string;
  const output = node.outputs[0] as string;
  if (perm === undefined) return;
  const inner = draft.from(input, 'Transpose');
  const first = inner && intsOf(inner, 'perm');
  if (inner !== undefined && first !== undefined) {
    const both = perm.map((axis) => first[axis] as number);
    draft.replace(output, draft.add('Transpose', [inner.inputs[0] as string], draft.shape(output), { attributes: { perm: { ints: both } } }));
    return;
  }
  if (perm.length < 5) return;
  // Groups of axes that stay side by side; sides of 1 belong to no group.
  const sides = draft.shape(input);
  const groups: number[][] = [];
  for (const axis of perm.filter((each) => sides[each] !== 1)) {
    const last = groups.at(-1);
    if (last !== undefined && onlyOnes(sides, last.at(-1) as number, axis)) last.push(axis);
    else groups.push([axis]);
  }
  if (groups.length === perm.length || groups.length < 2) return;
  const inOrder = [...groups].sort((a, b) => (a[0] as number) - (b[0] as number));
  const side = (group: readonly number[]): number => sizeOf(group.map((axis) => sides[axis] as number));
  const moved = draft.add('Transpose', [draft.reshape(input, inOrder.map(side))], groups.map(side), {
    attributes: { perm: { ints: groups.map((group) => inOrder.indexOf(group)) } },
  });
  draft.replace(output, draft.reshape(moved, draft.shape(output)));
}

/** Whether `next` follows `axis`, but for sides of 1 between. */
function onlyOnes(sides: readonly number[], axis: number, next: number): boolean {
  return next > axis && sides.slice(axis + 1, next).every((side) => side === 1);
}
