// Kernels that work element by element. Canonical forms:
//   Square → Mul(x, x) · SquaredDifference → Sub, Mul(d, d) · Rsqrt → Reciprocal(Sqrt(x)) · NotEqual → Not(Equal)
//   Relu6, ClipByValue → Clip(x, min, max) · Step → Where(Greater(x, 0), 1, alpha) · Select → Where
// Booleans are added by Or, multiplied by And, subtracted by Xor: where tfjs counts 2 or 255, which are true as well, this is true.
// Where the bounds of float32 matter (expm1, log1p), they are written so that small numbers keep their digits.
import { divisions } from './divisions.js';
import { arithmetic, broadcastShape, cast, elementwise as each, expand, uniformNumber, where } from './forms.js';
import { type Recorders, listRecorder, recorder } from './recorder.js';
import type { Recording, Value } from './recording.js';

/** An ONNX operator of one float; integers become floats and, where tfjs answers int32 for them, integers again. */
const float = (op: string, integers: 'float32' | 'int32' = 'int32') =>
  recorder<'x'>((r, { x }) => cast(r, each(r, op, [cast(r, x, 'float32')], 'float32'), integers === 'float32' ? 'float32' : x.type));

/** An operator that leaves integers as they are. */
const rounding = (op: string) => recorder<'x'>((r, { x }) => (x.type === 'float32' ? each(r, op, [x], x.type) : x));

/** Arithmetic on numbers; on booleans the logical operator. */
const sumLike = (op: 'Add' | 'Sub' | 'Mul', logical: string) =>
  recorder<'a' | 'b'>((r, { a, b }) => (a.type === 'bool' ? each(r, logical, [a, b], 'bool') : arithmetic(r, op, a, b)));

const extremum = (op: 'Max' | 'Min', logical: string) => recorder<'a' | 'b'>((r, { a, b }) => each(r, a.type === 'bool' ? logical : op, [a, b], a.type));

const compare = (op: string) =>
  recorder<'a' | 'b'>((r, { a, b }) => each(r, op, a.type === 'bool' ? [cast(r, a, 'int32'), cast(r, b, 'int32')] : [a, b], 'bool'));

const logical = (op: string) => recorder<'a' | 'b'>((r, { a, b }) => each(r, op, [cast(r, a, 'bool'), cast(r, b, 'bool')], 'bool'));

const not = (r: Recording, x: Value): Value => each(r, 'Not', [x], 'bool');

const pow = recorder<'a' | 'b'>((r, { a, b }) => {
  if (uniformNumber(b) === 1) return expand(r, a, broadcastShape(a.shape, b.shape));
  return each(r, 'Pow', [a, b], a.type);
});

/** The angle of (b, a): that of (|b|, |a|), mirrored where b is negative and then where a is. */
const atan2 = recorder<'a' | 'b'>((r, { a, b }) => {
  const [y, x, zero] = [cast(r, a, 'float32'), cast(r, b, 'float32'), r.scalar(0, 'float32')];
  const [up, across] = [each(r, 'Abs', [y], 'float32'), each(r, 'Abs', [x], 'float32')];
  const origin = each(r, 'And', [each(r, 'Equal', [up, zero], 'bool'), each(r, 'Equal', [across, zero], 'bool')], 'bool');
  const acute = where(r, origin, zero, each(r, 'Atan', [each(r, 'Div', [up, across], 'float32')], 'float32'));
  const half = where(r, each(r, 'Less', [x, zero], 'bool'), each(r, 'Sub', [r.scalar(Math.PI, 'float32'), acute], 'float32'), acute);
  return cast(r, where(r, each(r, 'Less', [y, zero], 'bool'), each(r, 'Neg', [half], 'float32'), half), a.type);
});

/** eˣ − 1 = tanh(x / 2) · (eˣ + 1), which keeps the digits of a small x. */
const expm1 = recorder<'x'>((r, { x: given }) => {
  const x = cast(r, given, 'float32');
  const half = each(r, 'Tanh', [arithmetic(r, 'Mul', x, r.scalar(0.5, 'float32'))], 'float32');
  return cast(r, arithmetic(r, 'Mul', half, arithmetic(r, 'Add', each(r, 'Exp', [x], 'float32'), r.scalar(1, 'float32'))), given.type);
});

/** ln(1 + x) = ln(u) · x / (u − 1) with u = 1 + x rounded: the error of u goes out again (Kahan). */
const log1p = recorder<'x'>((r, { x: given }) => {
  const x = cast(r, given, 'float32');
  const one = r.scalar(1, 'float32');
  const u = arithmetic(r, 'Add', x, one);
  const corrected = each(r, 'Div', [x, each(r, 'Sub', [u, one], 'float32')], 'float32');
  // Far out the correction is below float32, and at ∞ it is no number.
  const factor = where(r, each(r, 'Less', [x, r.scalar(1e6, 'float32')], 'bool'), corrected, one);
  const logarithm = each(r, 'Mul', [each(r, 'Log', [u], 'float32'), factor], 'float32');
  return cast(r, where(r, each(r, 'Equal', [u, one], 'bool'), x, logarithm), given.type);
});

const clip = (r: Recording, x: Value, low: number, high: number): Value => each(r, 'Clip', [x, r.scalar(low, x.type), r.scalar(high, x.type)], x.type);

const step = recorder<'x', { alpha?: number }>((r, { x }, { alpha = 0 }) =>
  where(r, each(r, 'Greater', [x, r.scalar(0, x.type)], 'bool'), r.scalar(1, x.type), r.scalar(alpha, x.type)),
);

const infinite = (r: Recording, x: Value): Value => each(r, 'IsInf', [cast(r, x, 'float32')], 'bool');
const notNumber = (r: Recording, x: Value): Value => each(r, 'IsNaN', [cast(r, x, 'float32')], 'bool');

export const elementwise: Recorders = {
  ...divisions,
  Abs: recorder<'x'>((r, { x }) => (x.type === 'bool' ? x : each(r, 'Abs', [x], x.type))),
  Acos: float('Acos'),
  Acosh: float('Acosh'),
  Add: sumLike('Add', 'Or'),
  AddN: listRecorder((r, [first, ...rest]) =>
    rest.reduce((sum, x) => (x.type === 'bool' ? each(r, 'Or', [sum, x], 'bool') : arithmetic(r, 'Add', sum, x)), first as Value),
  ),
  Asin: float('Asin'),
  Asinh: float('Asinh'),
  Atan: float('Atan'),
  Atan2: atan2,
  Atanh: float('Atanh'),
  Cast: recorder<'x', { dtype: 'float32' | 'int32' | 'bool' }>((r, { x }, { dtype }) => cast(r, x, dtype)),
  Ceil: rounding('Ceil'),
  ClipByValue: recorder<'x', { clipValueMin: number; clipValueMax: number }>((r, { x }, { clipValueMin, clipValueMax }) =>
    clip(r, x, clipValueMin, clipValueMax),
  ),
  Cos: float('Cos'),
  Cosh: float('Cosh'),
  Elu: float('Elu'),
  EluGrad: recorder<'dy' | 'y'>((r, { dy, y }) => {
    const positive = each(r, 'GreaterOrEqual', [y, r.scalar(0, 'float32')], 'bool');
    return arithmetic(r, 'Mul', dy, where(r, positive, r.scalar(1, 'float32'), arithmetic(r, 'Add', y, r.scalar(1, 'float32'))));
  }),
  Equal: compare('Equal'),
  Erf: float('Erf'),
  Exp: float('Exp', 'float32'),
  Expm1: expm1,
  Floor: rounding('Floor'),
  Greater: compare('Greater'),
  GreaterEqual: compare('GreaterOrEqual'),
  IsFinite: recorder<'x'>((r, { x }) => not(r, each(r, 'Or', [notNumber(r, x), infinite(r, x)], 'bool'))),
  IsInf: recorder<'x'>((r, { x }) => infinite(r, x)),
  IsNan: recorder<'x'>((r, { x }) => notNumber(r, x)),
  LeakyRelu: recorder<'x', { alpha: number }>((r, { x }, { alpha }) => each(r, 'LeakyRelu', [cast(r, x, 'float32')], 'float32', { alpha: { float: alpha } })),
  Less: compare('Less'),
  LessEqual: compare('LessOrEqual'),
  Log: float('Log'),
  Log1p: log1p,
  LogicalAnd: logical('And'),
  LogicalNot: recorder<'x'>((r, { x }) => not(r, cast(r, x, 'bool'))),
  LogicalOr: logical('Or'),
  Maximum: extremum('Max', 'Or'),
  Minimum: extremum('Min', 'And'),
  Multiply: sumLike('Mul', 'And'),
  Neg: recorder<'x'>((r, { x }) => each(r, 'Neg', [x], x.type)),
  NotEqual: recorder<'a' | 'b'>((r, { a, b }) => not(r, each(r, 'Equal', [a, b], 'bool'))),
  Pow: pow,
  Prelu: recorder<'x' | 'alpha'>((r, { x: given, alpha }) => {
    const x = cast(r, given, 'float32');
    const negative = each(r, 'Less', [x, r.scalar(0, 'float32')], 'bool');
    return where(r, negative, arithmetic(r, 'Mul', x, cast(r, alpha, 'float32')), x);
  }),
  Reciprocal: float('Reciprocal'),
  Relu: recorder<'x'>((r, { x }) => each(r, 'Relu', [x], x.type)),
  Relu6: recorder<'x'>((r, { x }) => clip(r, x, 0, 6)),
  Round: rounding('Round'),
  Rsqrt: recorder<'x'>((r, { x }) => each(r, 'Reciprocal', [each(r, 'Sqrt', [x], 'float32')], 'float32')),
  Select: recorder<'condition' | 't' | 'e'>((r, { condition, t, e }) => where(r, condition, t, e)),
  Selu: float('Selu'),
  Sigmoid: float('Sigmoid'),
  Sign: recorder<'x'>((r, { x }) => (x.type === 'bool' ? x : each(r, 'Sign', [x], x.type))),
  Sin: float('Sin'),
  Sinh: float('Sinh'),
  Softplus: float('Softplus'),
  Sqrt: float('Sqrt'),
  Square: recorder<'x'>((r, { x }) => (x.type === 'bool' ? x : each(r, 'Mul', [x, x], x.type))),
  SquaredDifference: recorder<'a' | 'b'>((r, { a, b }) => {
    const difference = arithmetic(r, 'Sub', a, b);
    return each(r, 'Mul', [difference, difference], a.type);
  }),
  Step: step,
  Sub: sumLike('Sub', 'Xor'),
  Tan: float('Tan'),
  Tanh: float('Tanh'),
};
