// What is laid end to end once serves the norm and the update alike.
import { describe, expect, it } from 'vitest';
import { joinSlices } from '../../../../src/backends/onnx/rewrites/joinSlices.js';
import { mergeSquares } from '../../../../src/backends/onnx/rewrites/mergeSquares.js';
import { Sketch, counts, expectSame } from './sketch.js';

/** [1]: the sum of the squares of all of `x`. */
const squareOf = (s: Sketch, x: string): string => {
  const axes = s.shape(x).map((_, axis) => axis);
  return s.reshape(s.reduce('ReduceSumSquare', x, axes, false), 1);
};
const concat = (s: Sketch, parts: readonly string[], length: number): string => s.op('Concat', parts, [length], { axis: { int: 0 } });
const norm = (s: Sketch, squares: readonly string[]): string => s.reduce('ReduceSum', concat(s, squares, squares.length), [0], false);
const flat = (s: Sketch, x: string): string =>
  s.reshape(
    x,
    s.shape(x).reduce((product, side) => product * side, 1),
  );

describe('mergeSquares', () => {
  it('sums the squares of a vector once, and those of what stays alone as before', async () => {
    const s = new Sketch();
    const [a, b, c] = [s.input([3, 4]), s.input([2, 5]), s.input([7])];
    const before = s.graph(norm(s, [squareOf(s, a), squareOf(s, c), squareOf(s, b)]), s.el('Mul', concat(s, [flat(s, a), flat(s, b)], 22), 2));
    const after = mergeSquares(before);
    expect(counts(after)).toMatchObject({ ReduceSumSquare: 2, ReduceSum: 1 });
    await expectSame(before, after);
  });

  it('takes a factor that all members share out of the sum', async () => {
    const s = new Sketch();
    const parts = [s.input([3]), s.input([2])];
    const before = s.graph(norm(s, [...parts.map((part) => s.el('Mul', squareOf(s, part), 0.25))]), s.el('Neg', concat(s, parts, 5)));
    const after = mergeSquares(before);
    expect(counts(after)).toMatchObject({ ReduceSumSquare: 1, Mul: 1 });
    await expectSame(before, after);
  });

  it('leaves vectors that hold something else, members of unequal factors, and one member twice', () => {
    const cases: ((s: Sketch, a: string, b: string) => [string, string])[] = [
      (s, a, b) => [norm(s, [squareOf(s, a), squareOf(s, b)]), concat(s, [a, b, s.input([4])], 9)],
      (s, a, b) => [norm(s, [s.el('Mul', squareOf(s, a), 0.5), squareOf(s, b)]), concat(s, [a, b], 5)],
      (s, a, b) => [norm(s, [squareOf(s, a), squareOf(s, b)]), concat(s, [a, a], 6)],
    ];
    for (const make of cases) {
      const s = new Sketch();
      const [sum, vector] = make(s, s.input([3]), s.input([2]));
      const graph = s.graph(sum, s.el('Neg', vector));
      expect(mergeSquares(graph)).toBe(graph);
    }
  });
});

describe('joinSlices', () => {
  const rows = (s: Sketch, x: string, start: number, end: number): string =>
    s.op('Slice', [x, s.ints(start), s.ints(end), s.ints(0), s.ints(1)], [end - start, ...s.shape(x).slice(1)]);

  it('puts a tensor in the place of its parts, in their order', async () => {
    const s = new Sketch();
    const [x, bias, other] = [s.input([6, 2]), s.input([5]), s.input([3])];
    const parts = [flat(s, rows(s, x, 0, 1)), flat(s, rows(s, x, 1, 4)), flat(s, rows(s, x, 4, 6))];
    const before = s.graph(s.el('Neg', concat(s, [other, ...parts, rows(s, bias, 0, 2), rows(s, bias, 2, 5)], 20)), s.el('Neg', rows(s, x, 0, 1)));
    const after = joinSlices(before);
    expect(counts(after)).toMatchObject({ Slice: 1, Reshape: 1, Concat: 1 });
    await expectSame(before, after, { within: 0 });
  });

  it('needs no Concat where the parts are all that there is', async () => {
    const s = new Sketch();
    const x = s.input([4, 2]);
    const before = s.graph(s.el('Neg', concat(s, [flat(s, rows(s, x, 0, 3)), flat(s, rows(s, x, 3, 4))], 8)));
    const after = joinSlices(before);
    expect(counts(after)).toEqual({ Reshape: 1, Neg: 1 });
    await expectSame(before, after, { within: 0 });
  });

  it('leaves parts out of order, with a gap, of something else, or without the end', () => {
    const cases: (readonly [string, number, number])[][] = [
      [
        ['x', 3, 6],
        ['x', 0, 3],
      ],
      [
        ['x', 0, 2],
        ['x', 3, 6],
      ],
      [
        ['x', 0, 3],
        ['y', 3, 6],
      ],
      [
        ['x', 0, 3],
        ['x', 3, 5],
      ],
      [
        ['x', 1, 3],
        ['x', 3, 6],
      ],
    ];
    for (const given of cases) {
      const s = new Sketch();
      const inputs = { x: s.input([6]), y: s.input([6]) };
      const parts = given.map(([of, start, end]) => rows(s, inputs[of as 'x' | 'y'], start, end));
      const length = parts.reduce((sum, part) => sum + (s.shape(part)[0] as number), 0);
      const graph = s.graph(s.el('Neg', concat(s, parts, length)));
      expect(joinSlices(graph)).toBe(graph);
    }
  });
});
