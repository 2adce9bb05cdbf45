// Layer norm as written in tfjs operations (models/layers/layerNorm.ts, tf.moments) → the one LayerNormalization of ONNX,
// which also gives 1/σ for the gradient. ONNX Runtime's kernel takes the variance as E[x²] − E[x]²: where the mean of a row
// is a thousand times its deviation, it has fewer digits than two passes.
import type { Node } from '../graph.js';
import { intOf } from './attributes.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';

/** (x − μ) / √(σ² + eps) over the last axis, with scale 1. */
export const layerNorm = rule((draft) => {
  for (const node of draft.nodes('Reciprocal')) {
    const found = match(draft, node);
    if (found === undefined) continue;
    const { x, mean, centred, eps, inverse } = found;
    const normals = [...draft.users(centred)].filter((user) => user.op === 'Mul' && user.inputs.includes(inverse) && user.inputs.includes(centred));
    if (normals.length === 0) continue;
    const shape = draft.shape(x);
    const width = shape.at(-1) as number;
    const column = [...shape.slice(0, -1), 1];
    const ones = draft.ones([width]);
    const attributes = { axis: { int: -1 }, epsilon: { float: eps } };
    const [y, mu, inv] = draft.addWide('LayerNormalization', [x, ones], [shape, column, column], { attributes }) as [string, string, string];
    for (const normal of normals) draft.replace(normal.outputs[0] as string, y);
    draft.replace(inverse, inv);
    draft.replace(mean, mu);
  }
});

/** Mean over the last axis, which stays as a side of 1: what it is the mean of. */
export function meanOfRows(draft: Draft, name: string | undefined): string | undefined {
  const node = draft.from(name, 'ReduceMean');
  return node !== undefined && isOverRows(draft, node) ? node.inputs[0] : undefined;
}

/** Whether a reduction is over the last axis, which stays as a side of 1. */
export function isOverRows(draft: Draft, node: Node): boolean {
  const axes = draft.integers(node.inputs[1]);
  const rank = draft.shape(node.inputs[0] as string).length;
  return axes?.length === 1 && (axes[0] === -1 || axes[0] === rank - 1) && intOf(node, 'keepdims', 1) === 1;
}

function match(draft: Draft, node: Node) {
  const inverse = node.outputs[0] as string;
  const added = draft.from(draft.from(node.inputs[0], 'Sqrt')?.inputs[0], 'Add');
  if (added === undefined || draft.type(inverse) !== 'float32') return undefined;
  const [left, right] = added.inputs as [string, string];
  const [variance, eps] = draft.number(right) === undefined ? [right, draft.number(left)] : [left, draft.number(right)];
  const square = draft.from(meanOfRows(draft, variance), 'Mul');
  const [centred, twin] = square?.inputs ?? [];
  const difference = draft.from(centred, 'Sub');
  if (eps === undefined || centred === undefined || centred !== twin || difference === undefined) return undefined;
  const [x, mean] = difference.inputs as [string, string];
  return meanOfRows(draft, mean) === x ? { x, mean, centred, eps, inverse } : undefined;
}
