// The canonical forms that recorders share. Rewrite rules match these:
//   Reshape(x, int64 shape)        never of a Reshape, never to the shape that x has
//   Transpose(x) {perm}            never of a Transpose, never the identity; one that moves only sides of 1 is a Reshape
//   Expand(x, int64 shape)         never of an Expand; elementwise nodes never read one: they broadcast, and their result is expanded
//   Cast(x) {to}                   never to the type that x has
//   ReduceX(x, int64 axes) {keepdims}   axes ascending, none of side 1
//   Slice(x, starts, ends, axes, steps) int64 vectors, only the axes that are cut; steps only where one is not 1
// A constant whose elements are all equal is an Expand of a scalar. Multiplications by 1 and additions of 0 are not recorded.
import * as tf from '@tensorflow/tfjs';
import type { ElementType } from '../graph.js';
import { type Attributes, type Recording, type Value, constantData, elements } from './recording.js';

/** Numbers of ONNX's TensorProto.DataType, for Cast. */
const typeNumbers: Readonly<Record<ElementType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 };

export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  return shapes.reduce<number[]>((a, b) => tf.backend_util.assertAndGetBroadcastShape(a, [...b]), []);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, i) => side === b[i]);
}

/** What an Expand was made of; any other value itself. */
export function unexpanded(x: Value): Value {
  return x.producer?.op === 'Expand' ? (x.producer.inputs[0] as Value) : x;
}

/** The number that all elements of a constant equal. */
export function uniformNumber(x: Value): number | undefined {
  const { data } = unexpanded(x);
  return data?.length === 1 ? Number(data[0]) : undefined;
}

export function expand(r: Recording, x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  const source = unexpanded(x);
  if (elements(source) === shape.reduce((a, b) => a * b, 1)) return reshape(r, source, shape);
  return r.node('Expand', [source, r.int64(shape)], shape, x.type);
}

export function reshape(r: Recording, x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.data !== undefined) return r.constant(x.data, shape, x.type);
  const inner = unexpanded(x);
  if (inner !== x && elements(inner) === 1) return expand(r, reshape(r, inner, []), shape);
  const source = x.producer?.op === 'Reshape' ? (x.producer.inputs[0] as Value) : x;
  if (source !== x) return reshape(r, source, shape);
  // Without allowzero, ONNX reads 0 as "the side that x has".
  return r.node('Reshape', [x, r.int64(shape)], shape, x.type, shape.includes(0) ? { allowzero: { int: 1 } } : {});
}

export function transpose(r: Recording, x: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => x.shape[axis] as number);
  const moved = perm.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > (moved[i - 1] as number))) return reshape(r, x, shape);
  const inner = unexpanded(x);
  if (inner !== x && elements(inner) === 1) return expand(r, reshape(r, inner, []), shape);
  if (x.producer?.op === 'Transpose') {
    const before = (x.producer.attributes.perm as { ints: readonly number[] }).ints;
    return transpose(
      r,
      x.producer.inputs[0] as Value,
      perm.map((axis) => before[axis] as number),
    );
  }
  return r.node('Transpose', [x], shape, x.type, { perm: { ints: [...perm] } });
}

/** An operator that works element by element and broadcasts; `type` is that of its result. */
export function elementwise(r: Recording, op: string, inputs: readonly Value[], type: ElementType, attributes: Attributes = {}): Value {
  const sources = inputs.map(unexpanded);
  const result = r.node(op, sources, broadcastShape(...sources.map(({ shape }) => shape)), type, attributes);
  return expand(r, result, broadcastShape(...inputs.map(({ shape }) => shape)));
}

/** Floats to integers lose their fraction (towards 0); everything but 0 is true, NaN too. */
export function cast(r: Recording, x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  const source = unexpanded(x);
  if (source.data !== undefined && type === 'int64') {
    return expand(r, r.constant(constantData('int64', Array.from(source.data as ArrayLike<number>, Math.trunc)), source.shape, type), x.shape);
  }
  return elementwise(r, 'Cast', [x], type, { to: { int: typeNumbers[type] } });
}

type Arithmetic = 'Add' | 'Sub' | 'Mul' | 'Div';

/** a ∘ b over one numeric type; the neutral number on the right (for Add and Mul on either side) leaves the other operand. */
export function arithmetic(r: Recording, op: Arithmetic, a: Value, b: Value): Value {
  const neutral = op === 'Add' || op === 'Sub' ? 0 : 1;
  const shape = broadcastShape(a.shape, b.shape);
  if (uniformNumber(b) === neutral) return expand(r, a, shape);
  if ((op === 'Add' || op === 'Mul') && uniformNumber(a) === neutral) return expand(r, b, shape);
  return elementwise(r, op, [a, b], a.type);
}

/** The shape that stays when `axes` are reduced. */
export function reducedShape(shape: readonly number[], axes: readonly number[], keepDims: boolean): number[] {
  return keepDims ? shape.map((side, axis) => (axes.includes(axis) ? 1 : side)) : shape.filter((_, axis) => !axes.includes(axis));
}

export function reduce(r: Recording, op: string, x: Value, axes: readonly number[], keepDims: boolean): Value {
  const shape = reducedShape(x.shape, axes, keepDims);
  const real = [...axes].sort((a, b) => a - b).filter((axis) => x.shape[axis] !== 1);
  if (real.length === 0) return reshape(r, x, shape);
  const keepdims = { keepdims: { int: keepDims ? 1 : 0 } };
  if (real.length === axes.length || keepDims) return r.node(op, [x, r.int64(real)], shape, x.type, keepdims);
  return reshape(r, r.node(op, [x, r.int64(real)], reducedShape(x.shape, real, false), x.type, keepdims), shape);
}

/** One cut of an axis: elements start, start + step, … `size` of them. */
export interface Cut {
  readonly start: number;
  readonly size: number;
  readonly step?: number;
}

/** Cuts every axis that has one; an axis without keeps all its elements. */
export function slice(r: Recording, x: Value, cuts: readonly (Cut | undefined)[]): Value {
  const cut = cuts.flatMap((entry, axis) => {
    if (entry === undefined || (entry.start === 0 && entry.size === x.shape[axis] && (entry.step ?? 1) === 1)) return [];
    return [{ step: 1, ...entry, axis }];
  });
  const shape = x.shape.map((side, axis) => cuts[axis]?.size ?? side);
  if (cut.length === 0) return x;
  if (elements(unexpanded(x)) === 1) return expand(r, reshape(r, unexpanded(x), []), shape);
  // Going down, the end before element 0 is −side − 1: ONNX adds the side once and stops at −1.
  const ends = cut.map(({ start, size, step, axis }) => {
    const end = start + size * step;
    return step > 0 ? Math.min(end, x.shape[axis] as number) : end < 0 ? -(x.shape[axis] as number) - 1 : end;
  });
  const inputs = [x, r.int64(cut.map(({ start }) => start)), r.int64(ends), r.int64(cut.map(({ axis }) => axis))];
  const steps = cut.map(({ step }) => step);
  return r.node('Slice', steps.every((step) => step === 1) ? inputs : [...inputs, r.int64(steps)], shape, x.type);
}

/** Puts `value` around: [before, after] of every axis. */
export function pad(r: Recording, x: Value, paddings: readonly (readonly [number, number])[], value: number): Value {
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return x;
  const shape = x.shape.map((side, axis) => side + (paddings[axis]?.[0] ?? 0) + (paddings[axis]?.[1] ?? 0));
  const pads = r.int64([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  return r.node('Pad', [x, pads, r.scalar(value, x.type)], shape, x.type, { mode: { string: 'constant' } });
}

export function concat(r: Recording, parts: readonly Value[], axis: number): Value {
  const [first] = parts as readonly [Value, ...Value[]];
  const real = parts.filter((part) => part.shape[axis] !== 0);
  if (real.length <= 1) return real[0] ?? first;
  const side = real.reduce((sum, part) => sum + (part.shape[axis] as number), 0);
  return r.node(
    'Concat',
    real,
    first.shape.map((own, i) => (i === axis ? side : own)),
    first.type,
    { axis: { int: axis } },
  );
}

/** b where the condition holds and c elsewhere; booleans go through uint8, which ONNX Runtime's Where takes. */
export function where(r: Recording, condition: Value, b: Value, c: Value): Value {
  if (b.type !== 'bool') return elementwise(r, 'Where', [condition, b, c], b.type);
  return cast(r, elementwise(r, 'Where', [condition, cast(r, b, 'uint8'), cast(r, c, 'uint8')], 'uint8'), 'bool');
}
