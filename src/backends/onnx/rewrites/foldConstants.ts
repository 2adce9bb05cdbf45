// What depends on constants alone is computed here, once, instead of in every step: index plans, factors, zeros and ones of
// gradients. Small tensors only; a large constant whose numbers are all one is the business of `shrinkBroadcasts`.
import type { ConstantData, ElementType, Node } from '../graph.js';
import { intOf, intsOf } from './attributes.js';
import { type Draft, numbersOf } from './draft.js';
import { rule } from './rule.js';
import { broadcast, sizeOf } from './shapes.js';

/** Numbers of the largest constant that is made. */
const LIMIT = 1 << 16;

const binary: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Pow: (a, b) => a ** b,
  Max: (a, b) => Math.max(a, b),
  Min: (a, b) => Math.min(a, b),
};
const unary: Readonly<Record<string, (x: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x,
  Exp: Math.exp,
  Log: Math.log,
};

interface Known {
  readonly data: ConstantData;
  readonly shape: readonly number[];
}

function arrayOf(type: ElementType, numbers: readonly number[] | ArrayLike<number>): ConstantData {
  if (type === 'float32') return Float32Array.from(numbers);
  if (type === 'int32') return Int32Array.from(numbers, Math.trunc);
  if (type === 'int64') return BigInt64Array.from(Array.from(numbers, (number) => BigInt(Math.trunc(number))));
  return Uint8Array.from(numbers, type === 'bool' ? (number) => (number === 0 ? 0 : 1) : (number) => Math.trunc(number));
}

/** For every place of a tensor of shape `to`, the place in one of shape `from` that broadcasts to it. */
function* places(from: readonly number[], to: readonly number[]): Generator<number> {
  const rank = to.length;
  const strides = new Array<number>(rank).fill(0);
  let stride = 1;
  for (let i = rank - 1; i >= rank - from.length; i--) {
    const side = from[i - rank + from.length] as number;
    strides[i] = side === 1 ? 0 : stride;
    stride *= side;
  }
  yield* walk(to, strides);
}

/** The offsets, by these strides, of all places of a shape in raster order. */
function* walk(shape: readonly number[], strides: readonly number[]): Generator<number> {
  const place = new Array<number>(shape.length).fill(0);
  let offset = 0;
  for (let n = sizeOf(shape); n > 0; n--) {
    yield offset;
    for (let i = shape.length - 1; i >= 0; i--) {
      offset += strides[i] as number;
      place[i] = (place[i] as number) + 1;
      if ((place[i] as number) < (shape[i] as number)) break;
      offset -= (strides[i] as number) * (shape[i] as number);
      place[i] = 0;
    }
  }
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] as number) * (shape[i + 1] as number);
  return strides;
}

/** The numbers of the node's output; undefined where it is none of these operations. */
function compute(node: Node, inputs: readonly Known[], shape: readonly number[], whole: boolean): number[] | undefined {
  const [first, second] = inputs;
  if (first === undefined) return undefined;
  const at = (known: Known, place: number): number => Number(known.data[place]);
  const two = binary[node.op];
  if (two !== undefined && second !== undefined) {
    const right = places(second.shape, shape);
    const round = node.op === 'Div' && whole ? Math.trunc : (x: number) => x;
    return Array.from(places(first.shape, shape), (place) => round(two(at(first, place), at(second, right.next().value as number))));
  }
  const one = unary[node.op];
  if (one !== undefined) return numbersOf(first.data).map(one);
  if (node.op === 'Cast' || node.op === 'Reshape' || node.op === 'Identity') return numbersOf(first.data);
  if (node.op === 'Expand') return Array.from(places(first.shape, shape), (place) => at(first, place));
  if (node.op === 'Transpose') {
    const strides = stridesOf(first.shape);
    const perm = intsOf(node, 'perm') ?? first.shape.map((_, i) => first.shape.length - 1 - i);
    return Array.from(
      walk(
        shape,
        perm.map((axis) => strides[axis] as number),
      ),
      (place) => at(first, place),
    );
  }
  if (node.op === 'Concat') {
    const axis = (intOf(node, 'axis') + shape.length) % shape.length;
    const outer = sizeOf(shape.slice(0, axis));
    const joined: number[] = [];
    for (let i = 0; i < outer; i++) {
      for (const { data } of inputs) {
        const part = data.length / outer;
        for (let k = i * part; k < (i + 1) * part; k++) joined.push(Number(data[k]));
      }
    }
    return joined;
  }
  return undefined;
}

/** Float64 in between, rounded to the type of the output as the operation would; see the limit above. */
export const foldConstants = rule((draft) => {
  for (const node of draft.nodes()) {
    const [output] = node.outputs;
    if (output === undefined || node.outputs.length !== 1 || !node.inputs.every((name) => draft.constant(name) !== undefined)) continue;
    const folded = fold(draft, node, output);
    if (folded !== undefined) draft.replace(output, folded);
  }
});

function fold(draft: Draft, node: Node, output: string): string | undefined {
  const { shape, type } = draft.value(output);
  if (sizeOf(shape) > LIMIT) return undefined;
  const known = node.inputs.map((name) => ({ data: draft.constant(name) as ConstantData, shape: draft.shape(name) }));
  if (known.some(({ data }) => data.length > LIMIT)) return undefined;
  if (binary[node.op] !== undefined && broadcast(...known.map((one) => one.shape)).length !== shape.length) return undefined;
  const whole = draft.type(node.inputs[0] as string) !== 'float32';
  const numbers = compute(node, known, shape, whole);
  if (numbers === undefined) return undefined;
  // int64 beyond 2⁵³ would lose digits on the way through a number.
  if (whole && numbers.some((number) => !Number.isSafeInteger(number))) return undefined;
  return draft.addConstant(arrayOf(type, numbers), shape, type);
}
