// Broadcasts that need not be made. The gradient of a mean multiplies by ones of the full shape, only to be multiplied or
// added to something of that shape: the operation broadcasts by itself. A constant of one number everywhere is a scalar.
import type { Node } from '../graph.js';
import { intOf } from './attributes.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { axesOf, broadcast, elementwise, sameShape, sizeOf } from './shapes.js';

/** Replaces large uniform constants by scalars and moves Expand behind what follows it, until nothing needs it. */
export const shrinkBroadcasts = rule((draft) => {
  for (const node of draft.nodes()) {
    if (elementwise.has(node.op)) shrink(draft, node);
    else if (node.op === 'ReduceSum') sumOfExpanded(draft, node);
    else if (node.op === 'Expand') mergeExpands(draft, node);
  }
});

function shrink(draft: Draft, node: Node): void {
  const output = node.outputs[0] as string;
  const shape = draft.shape(output);
  const inputs = node.inputs.map((name) => {
    const expanded = draft.from(name, 'Expand');
    if (expanded !== undefined) return expanded.inputs[0] as string;
    const number = draft.constant(name) === undefined || draft.size(name) === 1 ? undefined : draft.number(name);
    if (number === undefined) return name;
    const data = draft.constant(name) as { slice(from: number, to: number): Float32Array };
    return draft.addConstant(data.slice(0, 1), [], draft.type(name));
  });
  if (inputs.every((name, i) => name === node.inputs[i])) return;
  const small = broadcast(...inputs.map((name) => draft.shape(name)));
  const type = draft.type(output);
  const computed = draft.add(node.op, inputs, small, { attributes: node.attributes, type });
  const whole = sameShape(small, shape) ? computed : sizeOf(small) === sizeOf(shape) ? draft.reshape(computed, shape) : expand(draft, computed, shape);
  draft.replace(output, whole);
}

const expand = (draft: Draft, name: string, shape: readonly number[]): string => draft.add('Expand', [name, draft.indices(shape)], shape);

/** A sum over an axis along which all is the same is a multiple. */
function sumOfExpanded(draft: Draft, node: Node): void {
  const inner = draft.from(node.inputs[0], 'Expand');
  const wanted = draft.integers(node.inputs[1]);
  const output = node.outputs[0] as string;
  if (inner === undefined || wanted === undefined || wanted.length === 0 || draft.type(output) !== 'float32') return;
  const small = inner.inputs[0] as string;
  const [from, to] = [draft.shape(small), draft.shape(inner.outputs[0] as string)];
  const aligned = [...new Array<number>(to.length - from.length).fill(1), ...from];
  const axes = axesOf(wanted, to.length);
  const copied = axes.filter((axis) => aligned[axis] === 1 && to[axis] !== 1);
  if (copied.length === 0) return;
  const count = sizeOf(copied.map((axis) => to[axis] as number));
  const partly = draft.reshape(small, aligned);
  const left = aligned.map((side, axis) => (copied.includes(axis) ? 1 : side === 1 ? (to[axis] as number) : side));
  const whole = sameShape(left, aligned) ? partly : expand(draft, partly, left);
  const sum = draft.add('ReduceSum', [whole, node.inputs[1] as string], draft.shape(output), { attributes: { keepdims: { int: intOf(node, 'keepdims', 1) } } });
  draft.replace(output, draft.add('Mul', [sum, draft.scalar(count)], draft.shape(output)));
}

function mergeExpands(draft: Draft, node: Node): void {
  const inner = draft.from(node.inputs[0], 'Expand');
  const output = node.outputs[0] as string;
  if (inner !== undefined) draft.replace(output, expand(draft, inner.inputs[0] as string, draft.shape(output)));
}
