// Layers work on rows of features, [batch, tokens, width], and their products on matrices, [batch · tokens, width]. Whatever
// works row by row between two products works on the matrix as well: with the reshapes out of the way, additions reach
// their product (`foldAddends`), norms their layer (`foldNorms`).
import type { Node } from '../graph.js';
import { intOf, intsOf } from './attributes.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { axesOf, elementwise, isRows, sameShape, sizeOf } from './shapes.js';

/** Moves reshapes from a matrix down, and reshapes to a matrix up, through what works row by row. */
export const rowsAsMatrix = rule((draft) => {
  for (const node of draft.nodes()) if (node.inputs.some((name) => comesFromMatrix(draft, name))) lower(draft, node);
  for (const node of draft.nodesBackwards()) if (node.outputs.some((name) => name !== '' && goesToMatrix(draft, name))) lower(draft, node);
});

function comesFromMatrix(draft: Draft, name: string): boolean {
  const node = draft.from(name, 'Reshape');
  return node !== undefined && isRows(draft.shape(name), draft.shape(node.inputs[0] as string));
}

function goesToMatrix(draft: Draft, name: string): boolean {
  const shape = draft.shape(name);
  if (shape.length < 3) return false;
  for (const user of draft.users(name)) if (user.op === 'Reshape' && isRows(shape, draft.shape(user.outputs[0] as string))) return true;
  return false;
}

/** The operand of a row-wise operation as matrix, column or vector; undefined where it is none of those. */
function operand(draft: Draft, name: string, shape: readonly number[], rows: number): string | undefined {
  const own = draft.shape(name);
  const width = own.at(-1);
  if (sameShape(own, shape)) return draft.reshape(name, [rows, shape.at(-1) as number]);
  if (own.slice(0, -1).every((side) => side === 1)) return own.length <= 2 ? name : draft.reshape(name, [width as number]);
  if (own.length === shape.length && width === 1 && sameShape(own.slice(0, -1), shape.slice(0, -1))) return draft.reshape(name, [rows, 1]);
  return undefined;
}

function lower(draft: Draft, node: Node): void {
  const [output] = node.outputs as [string];
  const shape = draft.shape(output);
  if (elementwise.has(node.op)) {
    if (shape.length < 3) return;
    const rows = sizeOf(shape.slice(0, -1));
    const can = node.inputs.every((name) => {
      const own = draft.shape(name);
      const leading = own.slice(0, -1);
      return (
        sameShape(own, shape) ||
        leading.every((side) => side === 1) ||
        (own.length === shape.length && own.at(-1) === 1 && sameShape(leading, shape.slice(0, -1)))
      );
    });
    if (!can) return;
    const inputs = node.inputs.map((name) => operand(draft, name, shape, rows) as string);
    const matrix = draft.add(node.op, inputs, [rows, shape.at(-1) as number], { attributes: node.attributes, type: draft.type(output) });
    draft.replace(output, draft.reshape(matrix, shape));
  } else if (node.op === 'ReduceSum' || node.op === 'ReduceMean') lowerReduction(draft, node, output);
  else if (node.op === 'LayerNormalization') lowerNorm(draft, node);
}

/** Over the last axis: a reduction of the matrix's rows; over all but the last: of its columns. */
function lowerReduction(draft: Draft, node: Node, output: string): void {
  const [input, list] = node.inputs as [string, string];
  const shape = draft.shape(input);
  const axes = draft.integers(list);
  if (shape.length < 3 || axes === undefined || axes.length === 0) return;
  const sorted = axesOf(axes, shape.length);
  const ofRows = sorted.length === 1 && sorted[0] === shape.length - 1;
  const ofColumns = sorted.length === shape.length - 1 && sorted.every((axis, i) => axis === i);
  const ofAll = sorted.length === shape.length;
  if (!ofRows && !ofColumns && !ofAll) return;
  const [rows, width] = [sizeOf(shape.slice(0, -1)), shape.at(-1) as number];
  const keeps = intOf(node, 'keepdims', 1) === 1;
  const reduced = ofAll ? (keeps ? [1, 1] : []) : ofRows ? (keeps ? [rows, 1] : [rows]) : keeps ? [1, width] : [width];
  const matrix = draft.reshape(input, [rows, width]);
  const sum = draft.add(node.op, [matrix, draft.indices(ofAll ? [0, 1] : [ofRows ? 1 : 0])], reduced, { attributes: node.attributes });
  draft.replace(output, draft.reshape(sum, draft.shape(output)));
}

function lowerNorm(draft: Draft, node: Node): void {
  const [y, mean, inverse] = node.outputs as [string, string?, string?];
  const shape = draft.shape(y);
  if (shape.length < 3 || (intOf(node, 'axis', -1) !== -1 && intOf(node, 'axis', -1) !== shape.length - 1) || intsOf(node, 'axis') !== undefined) return;
  const [rows, width] = [sizeOf(shape.slice(0, -1)), shape.at(-1) as number];
  const inputs = [draft.reshape(node.inputs[0] as string, [rows, width]), ...node.inputs.slice(1)];
  const shapes = [[rows, width], ...(mean === undefined ? [] : [[rows, 1]]), ...(inverse === undefined ? [] : [[rows, 1]])];
  const made = draft.addWide('LayerNormalization', inputs, shapes, { attributes: { ...node.attributes, axis: { int: -1 } } });
  node.outputs.forEach((name, i) => {
    if (name !== '') draft.replace(name, draft.reshape(made[i] as string, draft.shape(name)));
  });
}
