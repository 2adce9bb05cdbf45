// What rules ask of shapes and of operations that work number by number.

const unary = [
  'Abs',
  'Cast',
  'Ceil',
  'Cos',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
  'Log',
  'Neg',
  'Not',
  'Reciprocal',
  'Relu',
  'Round',
  'Sigmoid',
  'Sign',
  'Sin',
  'Softplus',
  'Sqrt',
  'Tanh',
];
const binary = ['Add', 'And', 'Div', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Max', 'Min', 'Mul', 'Or', 'Pow', 'Sub', 'Xor'];

/** Operations of one, two or three (Where) operands that work number by number and broadcast. */
export const elementwise: ReadonlySet<string> = new Set([...unary, ...binary, 'Where']);

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

export const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((side, i) => side === b[i]);

/** The shape of an elementwise operation on these. */
export function broadcast(...shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sides = shapes.map((shape) => shape[shape.length - rank + i] ?? 1);
    return sides.find((side) => side !== 1) ?? 1;
  });
}

/** Axes from 0. */
export const axesOf = (axes: readonly number[], rank: number): readonly number[] => axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);

/** Whether `from` is rows of features, of three axes or more, and `to` the matrix of the same rows. */
export const isRows = (from: readonly number[], to: readonly number[]): boolean => from.length > 2 && to.length === 2 && from.at(-1) === to.at(-1);
