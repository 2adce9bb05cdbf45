// Gain and shift of a layer norm go into the layers that read it: (x̂ ∘ g + b) · Wᵀ = x̂ · (W ∘ g)ᵀ + (W · b). What the norm's
// rows paid in passes, forward and backward, the weights pay, which are fewer numbers. And since the rows of x̂ have mean 0,
// the mean of each row of W ∘ g can be taken off: then the gradient that comes back has mean 0 by itself, and the middle
// term of the norm's gradient (`layerNormGradient`) is gone. Where rows are few, nothing is gained and nothing is done.
import type { Node } from '../graph.js';
import { intOf } from './attributes.js';
import type { Draft } from './draft.js';
import { isOverRows } from './layerNorm.js';
import { type Product, addProduct, productOf } from './products.js';
import { rule } from './rule.js';

/** What starting a node costs, in numbers that an elementwise operation passes over in that time. */
const START = 15_000;

/** A layer behind the norm. */
interface Reader {
  readonly forward: Product;
  readonly y: string;
  /** ∂yᵀ · h, as [outputs, inputs] or [inputs, outputs] like the weight, and the factor that it has. */
  readonly gradient: Product;
  readonly dW: string;
  /** Its part of ∂h: ∂y · W. */
  readonly back: Product;
  /** ∂y. */
  readonly change: string;
}

/** Needs the norm's gradient in the form of `layerNormGradient`; a norm without a gradient takes gain and shift as operands. */
export const foldNorms = rule((draft) => {
  for (const node of draft.nodes('LayerNormalization')) fold(draft, node);
});

const other = (node: Node, name: string): string => (node.inputs[0] === name ? node.inputs[1] : node.inputs[0]) as string;

function fold(draft: Draft, norm: Node): void {
  const normed = norm.outputs[0] as string;
  const scale = norm.inputs[1] as string;
  const shape = draft.shape(normed);
  const [rows, width] = shape as [number, number];
  if (norm.inputs[2] || draft.number(scale) !== 1 || draft.isOutput(normed)) return;
  // 1. h = x̂ ∘ g + b.
  const gained = [...draft.users(normed)].filter((user) => user.op === 'Mul' && isVector(draft, other(user, normed), shape));
  const [times] = gained;
  if (gained.length !== 1 || times === undefined || !draft.isUsedOnce(times.outputs[0] as string)) return;
  const gain = other(times, normed);
  const [plus] = draft.users(times.outputs[0] as string);
  if (plus?.op !== 'Add' || !isVector(draft, other(plus, times.outputs[0] as string), shape)) return;
  const shift = other(plus, times.outputs[0] as string);
  const h = plus.outputs[0] as string;
  if (draft.users(normed).size === 1) {
    asOperands(draft, norm, gain, shift, h);
    return;
  }
  if (shape.length !== 2 || draft.isOutput(h)) return;
  // 2. ∂x̂ = ∂h ∘ g, and the three uses of ∂h.
  const found = gradientOf(draft, norm, gain);
  if (found === undefined) return;
  const { dh, dNormed, meanless, dGain, dShift } = found;
  // 3. The layers, each with its part in ∂h and its own gradient.
  const readers = readersOf(draft, h, dh);
  if (readers === undefined) return;
  const outputs = readers.reduce((sum, { y }) => sum + (draft.shape(y)[1] as number), 0);
  if (8 * rows * width < 9 * outputs * width + 10 * readers.length * START) return;
  // 4. All of it again, in terms of x̂.
  let back: string | undefined;
  let gainGradient: string | undefined;
  let shiftGradient: string | undefined;
  for (const { forward, y, gradient, dW, back: part, change } of readers) {
    const weight = forward.b;
    const sides = draft.shape(weight) as [number, number];
    const across = forward.transB ? 1 : 0;
    const along = (vector: string): string => draft.reshape(vector, across === 1 ? [1, width] : [width, 1]);
    const op = (name: string, ...inputs: string[]): string => draft.add(name, inputs, sides);
    const scaled = op('Mul', weight, along(gain));
    const mean = draft.add('ReduceMean', [scaled, draft.indices([across])], across === 1 ? [sides[0], 1] : [1, sides[1]], {
      attributes: { keepdims: { int: 1 } },
    });
    const centred = op('Sub', scaled, mean);
    const [n] = draft.shape(y).slice(1) as [number];
    const row = draft.reshape(shift, [1, width]);
    const bias = addProduct(draft, { ...forward, a: row, transA: false }, [1, n]);
    draft.replace(y, addProduct(draft, { ...forward, a: normed, b: centred, c: bias, beta: 1 }, [rows, n]));
    // ∂W = ∂yᵀ · (x̂ ∘ g + b)
    const inner = addProduct(draft, swapH(gradient, h, normed), sides);
    const sum = draft.add('ReduceSum', [change, draft.indices([0])], [n], { attributes: { keepdims: { int: 0 } } });
    const outer: Product =
      across === 1
        ? { ...plain, a: draft.reshape(sum, [n, 1]), b: row, c: op('Mul', inner, along(gain)), alpha: gradient.alpha }
        : { ...plain, a: draft.reshape(shift, [width, 1]), b: draft.reshape(sum, [1, n]), c: op('Mul', inner, along(gain)), alpha: gradient.alpha };
    draft.replace(dW, addProduct(draft, outer, sides));
    // ∂g = Σ W ∘ (∂yᵀ · x̂) over outputs, ∂b = Σ (Σ ∂y) · W
    const ratio = part.alpha / gradient.alpha;
    const summed = draft.add('ReduceSum', [op('Mul', weight, inner), draft.indices([1 - across])], [width], { attributes: { keepdims: { int: 0 } } });
    const own = ratio === 1 ? summed : draft.add('Mul', [summed, draft.scalar(ratio)], [width]);
    gainGradient = gainGradient === undefined ? own : draft.add('Add', [gainGradient, own], [width]);
    shiftGradient = addProduct(draft, { ...part, a: draft.reshape(sum, [1, n]), c: shiftGradient, beta: 1 }, [1, width]);
    back = addProduct(draft, { ...part, b: centred, c: back, beta: 1 }, [rows, width]);
  }
  draft.replace(meanless, back as string);
  draft.replace(dNormed, back as string);
  if (dGain !== undefined) draft.replace(dGain, draft.reshape(gainGradient as string, draft.shape(dGain)));
  if (dShift !== undefined) draft.replace(dShift, draft.reshape(shiftGradient as string, draft.shape(dShift)));
}

const plain = { transA: false, transB: false, batchA: false, batchB: false, alpha: 1, beta: 1 };

const swapH = (product: Product, h: string, normed: string): Product => (product.a === h ? { ...product, a: normed } : { ...product, b: normed });

function isVector(draft: Draft, name: string, shape: readonly number[]): boolean {
  const own = draft.shape(name);
  return own.length === 1 && own[0] === shape.at(-1) && own[0] !== 1;
}

/** Forward alone: LayerNormalization has operands for both. */
function asOperands(draft: Draft, norm: Node, gain: string, shift: string, h: string): void {
  const shapes = norm.outputs.map((name) => draft.shape(name));
  const made = draft.addWide('LayerNormalization', [norm.inputs[0] as string, gain, shift], shapes, { attributes: norm.attributes });
  norm.outputs.forEach((name, i) => {
    if (i > 0 && name !== '') draft.replace(name, made[i] as string);
  });
  draft.replace(h, made[0] as string);
}

interface Gradient {
  readonly dh: string;
  readonly dNormed: string;
  /** ∂x̂ − mean(∂x̂). */
  readonly meanless: string;
  readonly dGain: string | undefined;
  readonly dShift: string | undefined;
}

function gradientOf(draft: Draft, norm: Node, gain: string): Gradient | undefined {
  const normed = norm.outputs[0] as string;
  for (const user of draft.users(normed)) {
    if (user.op !== 'Mul') continue;
    const dNormed = other(user, normed);
    const times = draft.from(dNormed, 'Mul');
    if (times === undefined || !times.inputs.includes(gain)) continue;
    const dh = other(times, gain);
    // ∂x̂ is read by its mean, by what takes the mean off, and by its product with x̂; nothing else.
    let meanless: string | undefined;
    for (const reader of draft.users(dNormed)) {
      if (reader === user) continue;
      if (reader.op === 'ReduceMean' && isOverRows(draft, reader)) continue;
      const mean = reader.op === 'Sub' && reader.inputs[0] === dNormed ? draft.from(reader.inputs[1], 'ReduceMean') : undefined;
      if (mean === undefined || mean.inputs[0] !== dNormed || !isOverRows(draft, mean)) return undefined;
      meanless = reader.outputs[0];
    }
    const uses = usesOf(draft, dh, dNormed, normed);
    if (meanless === undefined || uses === undefined || draft.isOutput(dNormed)) return undefined;
    return { dh, dNormed, meanless, ...uses };
  }
  return undefined;
}

/** ∂g = Σ rows of ∂h ∘ x̂ and ∂b = Σ rows of ∂h, each where it is there; undefined where ∂h serves anything else. */
function usesOf(draft: Draft, dh: string, dNormed: string, normed: string): { dGain: string | undefined; dShift: string | undefined } | undefined {
  let dGain: string | undefined;
  let dShift: string | undefined;
  if (draft.isOutput(dh)) return undefined;
  for (const user of draft.users(dh)) {
    const output = user.outputs[0] as string;
    if (output === dNormed) continue;
    if (isColumnSum(draft, user)) dShift = output;
    else if (user.op === 'Mul' && user.inputs.includes(normed) && draft.isUsedOnce(output)) {
      const [sum] = draft.users(output);
      if (sum === undefined || !isColumnSum(draft, sum)) return undefined;
      dGain = sum.outputs[0];
    } else return undefined;
  }
  return { dGain, dShift };
}

function isColumnSum(draft: Draft, node: Node): boolean {
  const axes = draft.integers(node.inputs[1]);
  return (
    node.op === 'ReduceSum' && axes?.length === 1 && axes[0] === 0 && draft.shape(node.inputs[0] as string).length === 2 && intOf(node, 'keepdims', 1) <= 1
  );
}

/** All that h goes to, matched with the sum of products that ∂h is; undefined where one has no counterpart. */
function readersOf(draft: Draft, h: string, dh: string): Reader[] | undefined {
  // ∂h = ∂y₁ · W₁ + ∂y₂ · W₂ + …, each product the addend of the next.
  const parts: Product[] = [];
  for (let name: string | undefined = dh; name !== undefined; ) {
    const part: Product | undefined = productOf(draft.from(name, 'Gemm'));
    if (part === undefined || part.transA || part.beta !== 1 || (name !== dh && !draft.isUsedOnce(name))) return undefined;
    parts.push(part);
    name = part.c;
  }
  const forwards: { product: Product; y: string }[] = [];
  const gradients: { product: Product; dW: string; change: string }[] = [];
  for (const user of draft.users(h)) {
    const product = productOf(user);
    const output = user.outputs[0] as string;
    if (product === undefined || user.op !== 'Gemm') return undefined;
    if (product.a === h && !product.transA && product.b !== h) {
      const addend = product.c === undefined ? [] : draft.shape(product.c);
      if (product.c === h || addend.length > 1) return undefined;
      forwards.push({ product, y: output });
    } else if (product.transA && !product.transB && product.c === undefined && product.a !== product.b) {
      gradients.push({ product, dW: output, change: product.a === h ? product.b : product.a });
    } else return undefined;
  }
  if (forwards.length !== parts.length || gradients.length !== parts.length) return undefined;
  const readers: Reader[] = [];
  for (const back of parts) {
    const forward = forwards.find(({ product }) => product.b === back.b && product.transB !== back.transB);
    const gradient = gradients.find(({ change, product }) => change === back.a && (product.b === h) === forward?.product.transB);
    if (forward === undefined || gradient === undefined) return undefined;
    readers.push({ forward: forward.product, y: forward.y, gradient: gradient.product, dW: gradient.dW, back, change: back.a });
  }
  return new Set(readers.map(({ y }) => y)).size === readers.length ? readers : undefined;
}
