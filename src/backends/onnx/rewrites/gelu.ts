// The exact GELU, x · Φ(x) (Hendrycks and Gimpel 2016). Forward alone it is ONNX Runtime's Gelu, one pass. With a gradient
// behind it, erf is wanted twice: with u = x/√2 and e = 1 + erf(u), the value is u · e / √2 and the gradient
// ½ · ∂y · (e + u · exp(ln(2/√π) − u²)); what is constant goes into the products before and behind (`foldScales`).
import type { Node } from '../graph.js';
import type { Draft } from './draft.js';
import { factorsOf, nearly } from './factors.js';
import { scaled } from './mergeScalars.js';
import { rule } from './rule.js';

/** Rewrites models/layers/gelu.ts and its gradient by tfjs. */
export const gelu = rule((draft) => {
  for (const node of draft.nodes('Erf')) {
    const found = match(draft, node);
    if (found === undefined) {
      forwardAlone(draft, node);
      continue;
    }
    const gradients = gradientsOf(draft, found);
    if (gradients !== undefined) withGradients(draft, found, gradients);
  }
});

interface Found {
  /** x, x/√2, 1 + erf(x/√2), and half of that: Φ. */
  readonly x: string;
  readonly u: string;
  readonly e: string;
  readonly half: string;
  /** The product x · Φ. */
  readonly y: Node;
}

/** x, x/√2 and 1 + erf(x/√2). */
function errorOf(draft: Draft, erf: Node): Pick<Found, 'x' | 'u' | 'e'> | undefined {
  const u = erf.inputs[0] as string;
  const inner = scaled(draft, u);
  if (inner === undefined || draft.type(u) !== 'float32' || !nearly(draft.number(inner.factor) ?? 0, Math.SQRT1_2)) return undefined;
  const added = userOf(draft, erf.outputs[0] as string, 'Add');
  if (added === undefined || !added.inputs.some((name) => draft.number(name) === 1)) return undefined;
  return { x: inner.value, u, e: added.outputs[0] as string };
}

function match(draft: Draft, erf: Node): Found | undefined {
  const error = errorOf(draft, erf);
  if (error === undefined) return undefined;
  const { x, e } = error;
  for (const user of draft.users(e)) {
    const halved = scaled(draft, user.outputs[0] as string);
    if (halved === undefined || halved.value !== e || draft.number(halved.factor) !== 0.5) continue;
    const half = user.outputs[0] as string;
    for (const y of draft.users(half)) if (y.op === 'Mul' && y.inputs.includes(x)) return { ...error, half, y };
  }
  return undefined;
}

function userOf(draft: Draft, name: string, op: string): Node | undefined {
  const [user] = draft.users(name);
  return draft.isUsedOnce(name) && user?.op === op ? user : undefined;
}

/** Every ∂x = ∂y · Φ + ∂y · x · φ, with its ∂y; undefined where Φ serves anything else. */
function gradientsOf(draft: Draft, { x, u, half, y }: Found): { readonly sum: Node; readonly change: string }[] | undefined {
  const gradients: { sum: Node; change: string }[] = [];
  for (const user of draft.users(half)) {
    if (user === y) continue;
    const change = (user.inputs[0] === half ? user.inputs[1] : user.inputs[0]) as string;
    const sum = user.op === 'Mul' ? userOf(draft, user.outputs[0] as string, 'Add') : undefined;
    const rest = sum?.inputs.find((name) => name !== user.outputs[0]);
    if (sum === undefined || rest === undefined || !isDensity(draft, rest, x, u, change)) return undefined;
    gradients.push({ sum, change });
  }
  return gradients.length === 0 ? undefined : gradients;
}

/** ∂y · x · exp(−u²) / √(2π). */
function isDensity(draft: Draft, name: string, x: string, u: string, change: string): boolean {
  const { number, values } = factorsOf(draft, name, 5, new Set([x, u, change]));
  if (!nearly(number, 1 / Math.sqrt(2 * Math.PI)) || values.size !== 3 || values.get(x) !== 1 || values.get(change) !== 1) return false;
  const [exponential] = [...values.keys()].filter((value) => value !== x && value !== change);
  const exponent = draft.from(exponential, 'Exp')?.inputs[0];
  if (exponent === undefined) return false;
  const power = factorsOf(draft, exponent, 3, new Set([u]));
  return power.number === -1 && power.values.size === 1 && power.values.get(u) === 2;
}

/** x · (1 + erf) with nothing behind it that reads erf: twice the GELU, and the ½ is somewhere behind. */
function forwardAlone(draft: Draft, erf: Node): void {
  const error = errorOf(draft, erf);
  const product = error && userOf(draft, error.e, 'Mul');
  if (error === undefined || product === undefined || !product.inputs.includes(error.x)) return;
  const output = product.outputs[0] as string;
  const value = draft.add('Gelu', [error.x], draft.shape(output), { domain: 'com.microsoft' });
  draft.replace(output, draft.add('Mul', [value, draft.scalar(2)], draft.shape(output)));
}

function withGradients(draft: Draft, { u, e, y }: Found, gradients: readonly { readonly sum: Node; readonly change: string }[]): void {
  const shape = draft.shape(u);
  const op = (name: string, ...inputs: string[]): string => draft.add(name, inputs, shape);
  const density = op('Exp', op('Sub', draft.scalar(Math.log(2 / Math.sqrt(Math.PI))), op('Mul', u, u)));
  const slope = op('Add', e, op('Mul', u, density));
  for (const { sum, change } of gradients) draft.replace(sum.outputs[0] as string, op('Mul', op('Mul', change, slope), draft.scalar(0.5)));
  draft.replace(y.outputs[0] as string, op('Mul', op('Mul', u, e), draft.scalar(Math.SQRT1_2)));
}
