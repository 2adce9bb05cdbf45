// Operations element by element; both sides broadcast alike.
import type { ElementType } from '../../onnx/graph.js';
import { floatOf, intOf } from '../../onnx/rewrites/attributes.js';
import type { Lower, Lowering, Lowers, Ref } from '../lowering.js';

/** The same operation under TensorFlow's name; the result has the type of the operands. */
const same =
  (op: string): Lower =>
  (l, node, inputs) =>
    l.same(op, inputs, l.typeOf(node.outputs[0] as string).shape);

const compare =
  (op: string): Lower =>
  (l, node, inputs) =>
    l.node(op, inputs, l.typeOf(node.outputs[0] as string), { T: { type: (inputs[0] as Ref).type } });

/** Logic has booleans alone, and no attribute for their type. */
const logical =
  (op: string): Lower =>
  (l, node, inputs) =>
    l.node(op, inputs, l.typeOf(node.outputs[0] as string));

const shapeOf = (l: Lowering, outputs: readonly string[]): readonly number[] => l.typeOf(outputs[0] as string).shape;

/** Numbers of ONNX's TensorProto.DataType. */
const types: Readonly<Record<number, ElementType>> = { 1: 'float32', 2: 'uint8', 6: 'int32', 7: 'int64', 9: 'bool' };

export const elementwise: Lowers = {
  Abs: same('Abs'),
  Acos: same('Acos'),
  Acosh: same('Acosh'),
  Add: same('AddV2'),
  And: logical('LogicalAnd'),
  Asin: same('Asin'),
  Asinh: same('Asinh'),
  Atan: same('Atan'),
  Atanh: same('Atanh'),
  Cast: (l, node, [x]) => l.cast(x as Ref, types[intOf(node, 'to')] as ElementType),
  Ceil: same('Ceil'),
  Clip: (l, { outputs }, [x, low, high]) => {
    const shape = shapeOf(l, outputs);
    return l.same('Minimum', [l.same('Maximum', [x as Ref, low as Ref], shape), high as Ref], shape);
  },
  Cos: same('Cos'),
  Cosh: same('Cosh'),
  // Of integers the quotient loses its fraction, in ONNX; TensorFlow's Div of them does so too.
  Div: (l, node, inputs) => l.same((inputs[0] as Ref).type === 'float32' ? 'RealDiv' : 'TruncateDiv', inputs, shapeOf(l, node.outputs)),
  Elu: same('Elu'),
  Equal: compare('Equal'),
  Erf: same('Erf'),
  Exp: same('Exp'),
  Floor: same('Floor'),
  Gelu: (l, { outputs }, [x]) => {
    const shape = shapeOf(l, outputs);
    const error = l.same('Erf', [l.same('Mul', [x as Ref, l.float(Math.SQRT1_2)], shape)], shape);
    const twice = l.same('Mul', [x as Ref, l.same('AddV2', [error, l.float(1)], shape)], shape);
    return l.same('Mul', [twice, l.float(0.5)], shape);
  },
  Greater: compare('Greater'),
  GreaterOrEqual: compare('GreaterEqual'),
  Identity: (_, __, [x]) => x as Ref,
  IsInf: compare('IsInf'),
  IsNaN: compare('IsNan'),
  LeakyRelu: (l, node, inputs) => l.same('LeakyRelu', inputs, shapeOf(l, node.outputs), { alpha: { float: floatOf(node, 'alpha', 0.01) } }),
  Less: compare('Less'),
  LessOrEqual: compare('LessEqual'),
  Log: same('Log'),
  Max: same('Maximum'),
  Min: same('Minimum'),
  // ONNX tells the two by an attribute: the remainder of C, or that which has the sign of the divisor.
  Mod: (l, node, inputs) => l.same(intOf(node, 'fmod') === 1 ? 'Mod' : 'FloorMod', inputs, shapeOf(l, node.outputs)),
  Mul: same('Mul'),
  Neg: same('Neg'),
  Not: logical('LogicalNot'),
  Or: logical('LogicalOr'),
  Pow: same('Pow'),
  Reciprocal: same('Reciprocal'),
  Relu: same('Relu'),
  Round: same('Round'),
  Selu: same('Selu'),
  Sigmoid: same('Sigmoid'),
  Sign: same('Sign'),
  Sin: same('Sin'),
  Sinh: same('Sinh'),
  Softplus: same('Softplus'),
  Sqrt: same('Sqrt'),
  Sub: same('Sub'),
  Tan: same('Tan'),
  Tanh: same('Tanh'),
  Where: (l, { outputs }, inputs) => {
    const { type, shape } = l.typeOf(outputs[0] as string);
    return l.node('SelectV2', inputs, { type, shape }, { T: { type } });
  },
  Xor: compare('NotEqual'),
};
