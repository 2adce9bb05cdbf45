// The gradient of layer norm with respect to its input. tfjs differentiates the chain of operations step by step; in terms
// of the normed rows x̂ it is ∂x = (∂x̂ − mean(∂x̂) − x̂ · mean(∂x̂ · x̂)) / σ (Ba, Kiros, Hinton 2016, in the form of Apex and
// PyTorch): x − μ and σ³ are no longer needed. `foldNorms` removes the middle term where it is 0.
import type { Node } from '../graph.js';
import type { Draft } from './draft.js';
import { factorsOf, nearly } from './factors.js';
import { isOverRows } from './layerNorm.js';
import { rule } from './rule.js';

/** Needs LayerNormalization nodes with their mean and 1/σ, as `layerNorm` makes them. */
export const layerNormGradient = rule((draft) => {
  for (const node of draft.nodes('LayerNormalization')) {
    const [x, , bias] = node.inputs as [string, string, string?];
    const [, mean, inverse] = node.outputs as [string, string?, string?];
    if (!mean || !inverse || bias) continue;
    for (const user of draft.users(mean)) {
      if (user.op !== 'Sub' || user.inputs[0] !== x || user.inputs[1] !== mean) continue;
      shorten(draft, node, user.outputs[0] as string);
      break;
    }
  }
});

/** The other operand of a product of two. */
const other = (node: Node, name: string): string => (node.inputs[0] === name ? node.inputs[1] : node.inputs[0]) as string;

function shorten(draft: Draft, norm: Node, centred: string): void {
  const [normed, , inverse] = norm.outputs as [string, string, string];
  const width = draft.shape(normed).at(-1) as number;
  // 1. Σ ∂x̂ · (x − μ) of each row, and where it enters: ∂(x − μ) = ∂x̂ / σ + column · (x − μ).
  for (const product of draft.users(centred)) {
    if (product.op !== 'Mul' || draft.size(other(product, centred)) !== draft.size(centred)) continue;
    const change = other(product, centred);
    const summed = soleUser(draft, product.outputs[0] as string, 'ReduceSum');
    if (summed === undefined || !isOverRows(draft, summed)) continue;
    for (const correction of draft.users(centred)) {
      if (correction.op !== 'Mul' || draft.size(other(correction, centred)) !== draft.size(inverse)) continue;
      if (!isCorrection(draft, other(correction, centred), summed.outputs[0] as string, norm, width)) continue;
      const added = soleUser(draft, correction.outputs[0] as string, 'Add');
      const direct = added && draft.from(other(added, correction.outputs[0] as string), 'Mul');
      if (added === undefined || direct === undefined || !direct.inputs.includes(change) || !direct.inputs.includes(inverse)) continue;
      const partial = added.outputs[0] as string;
      if (!dropMean(draft, partial, width)) continue;
      draft.replace(partial, gradient(draft, change, normed, inverse));
      return;
    }
  }
}

function soleUser(draft: Draft, name: string, op: string): Node | undefined {
  if (!draft.isUsedOnce(name)) return undefined;
  const [user] = draft.users(name);
  return user?.op === op ? user : undefined;
}

/** Whether a column is −sum / (width · σ³), σ² + eps being written as it is or as the norm's 1/σ. */
function isCorrection(draft: Draft, column: string, sum: string, norm: Node, width: number): boolean {
  const inverse = norm.outputs[2] as string;
  const { number, values } = factorsOf(draft, column, 8, new Set([sum, inverse]));
  if (!nearly(number, -1 / width) || values.get(sum) !== 1 || values.size !== 2) return false;
  if (values.get(inverse) === 3) return true;
  const [shifted] = [...values].find(([, power]) => power === -1.5) ?? [];
  return shifted !== undefined && isVariance(draft, shifted, norm);
}

/** mean((x − μ)²) + eps of this norm. */
function isVariance(draft: Draft, name: string, norm: Node): boolean {
  const added = draft.from(name, 'Add');
  const variance = added?.inputs.find((input) => draft.number(input) === undefined);
  const mean = draft.from(variance, 'ReduceMean');
  const square = draft.from(mean?.inputs[0], 'Mul');
  const difference = draft.from(square?.inputs[0], 'Sub');
  return (
    mean !== undefined &&
    isOverRows(draft, mean) &&
    square?.inputs[0] === square?.inputs[1] &&
    difference?.inputs[0] === norm.inputs[0] &&
    difference?.inputs[1] === norm.outputs[1]
  );
}

/** Takes −mean(∂(x − μ)) off where it is added behind `partial`; false where it is not found. */
function dropMean(draft: Draft, partial: string, width: number): boolean {
  if (draft.isOutput(partial) || draft.users(partial).size !== 2) return false;
  for (const summed of draft.users(partial)) {
    if (summed.op !== 'ReduceSum' || !isOverRows(draft, summed)) continue;
    const scaled = soleUser(draft, summed.outputs[0] as string, 'Mul');
    const factor = scaled && draft.number(other(scaled, summed.outputs[0] as string));
    const added = scaled && soleUser(draft, scaled.outputs[0] as string, 'Add');
    if (factor === undefined || !nearly(factor, -1 / width) || added === undefined) continue;
    const rest = other(added, scaled?.outputs[0] as string);
    if (!contains(draft, rest, partial)) continue;
    draft.replace(added.outputs[0] as string, rest);
    return true;
  }
  return false;
}

/** Whether a sum, whose parts nothing else reads, has this term. */
function contains(draft: Draft, sum: string, term: string): boolean {
  let open = [sum];
  for (let depth = 0; depth < 4; depth++) {
    if (open.includes(term)) return true;
    open = open.flatMap((name) => (draft.isUsedOnce(name) ? (draft.from(name, 'Add')?.inputs ?? []) : []));
  }
  return false;
}

function gradient(draft: Draft, change: string, normed: string, inverse: string): string {
  const shape = draft.shape(normed);
  const column = draft.shape(inverse);
  const axis = draft.indices([shape.length - 1]);
  const mean = (name: string): string => draft.add('ReduceMean', [name, axis], column, { attributes: { keepdims: { int: 1 } } });
  const along = draft.add('Mul', [normed, mean(draft.add('Mul', [change, normed], shape))], shape);
  const centred = draft.add('Sub', [change, mean(change)], shape);
  return draft.add('Mul', [draft.add('Sub', [centred, along], shape), inverse], shape);
}
