// Quotients and remainders. Canonical forms: floats Div, Floor(Div), Mod {fmod: 1}; integers Div and Mod {fmod: 0} of int64.
import { arithmetic, cast, elementwise as each, unexpanded, where } from './forms.js';
import { type Recorders, recorder } from './recorder.js';
import type { Recording, Value } from './recording.js';

/**
 * Operands of an integer division, as int64 (the smallest int32 over −1 does not fit int32), with 1 in place of a divisor of
 * 0, which would end the process; `finish` gives back int32, and 0 where the divisor was 0, as JavaScript does.
 */
function integers(r: Recording, a: Value, b: Value): { a: Value; b: Value; finish: (result: Value) => Value } {
  const { data } = unexpanded(b);
  const [a64, b64] = [cast(r, a, 'int64'), cast(r, b, 'int64')];
  if (data !== undefined && !Array.from(data, Number).includes(0)) return { a: a64, b: b64, finish: (result) => cast(r, result, 'int32') };
  const zero = each(r, 'Equal', [b64, r.scalar(0, 'int64')], 'bool');
  return {
    a: a64,
    b: where(r, zero, r.scalar(1, 'int64'), b64),
    finish: (result) => cast(r, where(r, zero, r.scalar(0, 'int64'), result), 'int32'),
  };
}

/** a − b · ⌊a / b⌋ for integers: ONNX's Mod. */
const integerMod = (r: Recording, a: Value, b: Value): Value => each(r, 'Mod', [a, b], a.type, { fmod: { int: 0 } });

const realDiv = recorder<'a' | 'b'>((r, { a, b }) => {
  if (a.type === 'float32') return arithmetic(r, 'Div', a, b);
  const whole = integers(r, a, b);
  return whole.finish(each(r, 'Div', [whole.a, whole.b], 'int64'));
});

/** tfjs answers int32 for floats too. */
const floorDiv = recorder<'a' | 'b'>((r, { a, b }) => {
  if (a.type === 'float32') return cast(r, each(r, 'Floor', [arithmetic(r, 'Div', a, b)], 'float32'), 'int32');
  const whole = integers(r, a, b);
  const multiple = each(r, 'Sub', [whole.a, integerMod(r, whole.a, whole.b)], 'int64');
  return whole.finish(each(r, 'Div', [multiple, whole.b], 'int64'));
});

/** The remainder has the sign of the divisor. */
const mod = recorder<'a' | 'b'>((r, { a, b }) => {
  if (a.type !== 'float32') {
    const whole = integers(r, a, b);
    return whole.finish(integerMod(r, whole.a, whole.b));
  }
  const zero = r.scalar(0, 'float32');
  const remainder = (x: Value): Value => each(r, 'Mod', [x, b], 'float32', { fmod: { int: 1 } });
  const first = remainder(a);
  const sameSign = each(r, 'Equal', [each(r, 'Less', [a, zero], 'bool'), each(r, 'Less', [b, zero], 'bool')], 'bool');
  return where(r, sameSign, first, remainder(each(r, 'Add', [first, b], 'float32')));
});

export const divisions: Recorders = { FloorDiv: floorDiv, Mod: mod, RealDiv: realDiv };
