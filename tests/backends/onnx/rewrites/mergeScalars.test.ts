import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldConstants } from '../../../../src/backends/onnx/rewrites/foldConstants.js';
import { mergeScalars } from '../../../../src/backends/onnx/rewrites/mergeScalars.js';
import { Sketch, counts, expectSame } from './sketch.js';

/** The rule until it finds nothing more. */
const settled = (graph: ReturnType<Sketch['graph']>) => {
  let current = graph;
  for (let i = 0; i < 10; i++) current = foldConstants(mergeScalars(current));
  return current;
};

describe('mergeScalars', () => {
  it('makes one factor of a chain, of constants and run-time scalars', async () => {
    const s = new Sketch();
    const [x, rate] = [s.input([2, 3]), s.input([])];
    const before = s.graph(s.el('Div', s.el('Neg', s.el('Mul', s.el('Mul', 2, x), rate)), 4));
    const after = settled(before);
    // One on the tensor, one on the scalar.
    expect(counts(after)).toEqual({ Mul: 2 });
    await expectSame(before, after);
  });

  it('moves a factor onto the smaller operand, behind a product of equals, and out of a sum', async () => {
    const s = new Sketch();
    const [x, y, column, row] = [s.input([4, 5]), s.input([4, 5]), s.input([4, 1]), s.input([5])];
    const onColumn = s.el('Mul', s.el('Mul', x, 3), column);
    const onRow = s.el('Mul', row, s.el('Mul', y, -2));
    const behind = s.reduce('ReduceSum', s.el('Mul', s.el('Mul', x, 3), s.el('Mul', y, 0.5)), [1]);
    const square = s.el('Mul', x, 5);
    const summed = s.el('Sub', s.el('Mul', x, 7), s.el('Mul', y, 7));
    const before = s.graph(onColumn, onRow, behind, s.reduce('ReduceMean', s.el('Mul', square, square), [0, 1], false), summed);
    const after = settled(before);
    const full = after.nodes.filter(
      ({ op, outputs }) => op === 'Mul' && after.values.get(outputs[0]!)?.shape[1] === 5 && after.values.get(outputs[0]!)?.shape.length === 2,
    );
    expect(full.length).toBe(5); // x · column, y · row, x · y, x · x, (x − y) · 7
    await expectSame(before, after);
  });

  it('turns a factor of −1 in a sum into the other operation', async () => {
    const s = new Sketch();
    const [x, y] = [s.input([3]), s.input([3])];
    const before = s.graph(s.el('Add', x, s.el('Neg', y)), s.el('Sub', x, s.el('Neg', y)), s.el('Add', s.el('Neg', x), y));
    const after = settled(before);
    expect(counts(after)).toEqual({ Add: 1, Sub: 2 });
    await expectSame(before, after);
  });

  it('makes √v / r + eps one sum, and its factor one of the quotient', async () => {
    const s = new Sketch();
    const [m, v, r, a] = [s.input([40]), s.input([40]), s.input([]), s.input([])];
    const scaled = s.el('Add', s.el('Div', s.el('Sqrt', v), r), 1e-3);
    const before = s.graph(s.el('Div', s.el('Mul', m, a), scaled));
    const after = settled(before);
    const passes = after.nodes.filter(({ outputs }) => after.values.get(outputs[0]!)?.shape.length === 1);
    expect(passes.map(({ op }) => op)).toEqual(['Sqrt', 'Add', 'Div', 'Mul']);
    await expectSame(before, after, { positive: true });
  });

  it('does not move the zero of a denominator: a factor that is no reciprocal stays in the sum', () => {
    const s = new Sketch();
    const [x, k] = [s.input([4]), s.input([])];
    const graph = s.graph(s.el('Add', s.el('Mul', x, k), 1e-3));
    expect(mergeScalars(graph)).toBe(graph);
  });

  it('leaves a scaled tensor that serves twice, integers, and scalars among themselves', () => {
    const s = new Sketch();
    const [x, y, a, b] = [s.input([4]), s.input([4]), s.input([]), s.input([])];
    const twice = s.el('Mul', x, a);
    const whole = s.input([3], 'int32');
    const graph = s.graph(s.el('Mul', twice, y), s.el('Exp', twice), s.op('Neg', [whole], [3], {}, 'int32'), s.el('Mul', s.el('Mul', a, b), a), s.el('Neg', a));
    expect(mergeScalars(graph)).toBe(graph);
  });

  it('never changes a value: random expressions of tensors and scalars', async () => {
    const ops = ['Mul', 'Div', 'Add', 'Sub', 'Neg', 'Sum', 'Square'] as const;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...ops), fc.nat(), fc.nat()), { minLength: 3, maxLength: 14 }), async (steps) => {
        const s = new Sketch();
        const pool = [s.input([3, 4]), s.input([3, 4]), s.input([4]), s.input([3, 1]), s.input([]), s.constant([1.5]), s.constant([-1])];
        for (const [op, i, j] of steps) {
          const [x, y] = [pool[i % pool.length]!, pool[j % pool.length]!];
          if (op === 'Neg') pool.push(s.el('Neg', x));
          else if (op === 'Square') pool.push(s.el('Mul', x, x));
          else if (op === 'Sum') pool.push(s.shape(x).length === 2 ? s.reduce('ReduceSum', x, [1]) : x);
          else pool.push(s.el(op, x, y));
        }
        const before = s.graph(...pool.slice(-3).filter((name) => !name.startsWith('const')));
        await expectSame(before, settled(before), { positive: true, within: 1e-4 });
      }),
      { numRuns: 60, seed: 11 },
    );
  });
});
