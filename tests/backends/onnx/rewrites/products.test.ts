// The rules around products: transposes, factors and addends that a product takes by itself, and its faster forms.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../../../src/backends/onnx/graph.js';
import { columnSums } from '../../../../src/backends/onnx/rewrites/columnSums.js';
import { foldAddends } from '../../../../src/backends/onnx/rewrites/foldAddends.js';
import { foldScales } from '../../../../src/backends/onnx/rewrites/foldScales.js';
import { foldTransposes } from '../../../../src/backends/onnx/rewrites/foldTransposes.js';
import { squareSums } from '../../../../src/backends/onnx/rewrites/squareSums.js';
import { weightGradients } from '../../../../src/backends/onnx/rewrites/weightGradients.js';
import { Sketch, counts, expectSame, opsOf } from './sketch.js';

const only = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op);

describe('foldTransposes', () => {
  it('reads transposed factors in place, over random shapes and orders', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(
          fc.integer({ min: 1, max: 2 }),
          fc.integer({ min: 2, max: 3 }),
          ...([2, 3, 4].map((n) => fc.integer({ min: 1, max: n })) as [fc.Arbitrary<number>, fc.Arbitrary<number>, fc.Arbitrary<number>]),
        ),
        fc.boolean(),
        fc.boolean(),
        async ([b, h, m, k, n], ta, tb) => {
          const s = new Sketch();
          const a = ta ? s.transpose(s.input([b, h, k, m]), 0, 1, 3, 2) : s.input([b, h, m, k]);
          const c = tb ? s.transpose(s.input([b, h, n, k]), 0, 1, 3, 2) : s.input([b, h, k, n]);
          const before = s.graph(s.op('MatMul', [a, c], [b, h, m, n]));
          const after = foldTransposes(before);
          expect(opsOf(after)).toEqual([ta || tb ? 'FusedMatMul' : 'MatMul']);
          await expectSame(before, after);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('of one transpose with a swap in it, leaves the one that copies rows', async () => {
    const s = new Sketch();
    const [q, k] = [s.transpose(s.input([2, 5, 3, 4]), 0, 2, 1, 3), s.transpose(s.input([2, 5, 3, 4]), 0, 2, 3, 1)];
    const before = s.graph(s.op('MatMul', [q, k], [2, 3, 5, 5]));
    const after = foldTransposes(before);
    expect(only(after, 'Transpose').map(({ attributes }) => attributes.perm)).toEqual([{ ints: [0, 2, 1, 3] }, { ints: [0, 2, 1, 3] }]);
    expect(only(after, 'FusedMatMul')[0]?.attributes).toEqual({ transB: { int: 1 } });
    await expectSame(before, after);
  });

  it('toggles Gemm, keeps alpha and addend, and makes Gemm of rows times a matrix', async () => {
    const s = new Sketch();
    const [x, w] = [s.input([6, 3]), s.input([3, 4])];
    const toggled = s.gemm(s.transpose(x, 1, 0), s.input([6, 2]), { ta: false, alpha: 0.5, c: s.input([2]), beta: 3 });
    const rows = s.op('MatMul', [s.input([2, 3, 3]), w], [2, 3, 4]);
    const before = s.graph(toggled, rows);
    const after = foldTransposes(before);
    expect(counts(after)).toEqual({ Gemm: 2, Reshape: 2 });
    await expectSame(before, after);
  });

  it('leaves other orders of axes, and integers', () => {
    const s = new Sketch();
    const moved = s.transpose(s.input([2, 3, 4]), 1, 0, 2);
    const whole = s.op('MatMul', [s.input([2, 3], 'int32'), s.input([3, 2], 'int32')], [2, 2], {}, 'int32');
    const graph = s.graph(s.op('MatMul', [moved, s.input([3, 4, 2])], [3, 2, 2]), whole);
    expect(foldTransposes(graph)).toBe(graph);
  });
});

describe('foldScales', () => {
  it('puts a factor into the product that made the tensor, through moves, and scales its addend too', async () => {
    const s = new Sketch();
    const product = s.gemm(s.input([6, 3]), s.input([3, 4]), { c: s.input([4]), alpha: 2 });
    const before = s.graph(s.el('Mul', s.transpose(s.reshape(product, 2, 3, 4), 1, 0, 2), 0.25));
    const after = foldScales(before);
    expect(opsOf(after)).toEqual(['Gemm', 'Reshape', 'Transpose']);
    expect(only(after, 'Gemm')[0]?.attributes).toEqual({ alpha: { float: 0.5 }, beta: { float: 0.25 } });
    await expectSame(before, after);
  });

  it('puts it into all readers where they are products, sums over many numbers, or moves to such', async () => {
    const s = new Sketch();
    const x = s.el('Mul', s.el('Exp', s.input([6, 4])), 0.5);
    const before = s.graph(
      s.gemm(x, s.input([4, 2])),
      s.gemm(s.input([6, 3]), x, { ta: true, c: s.input([3, 4]) }),
      s.reduce('ReduceSum', x, [0], false),
      s.op('MatMul', [s.input([3, 2, 2]), s.transpose(s.reshape(x, 3, 4, 2), 0, 2, 1)], [3, 2, 4]),
      s.op('MatMul', [s.transpose(s.reshape(x, 3, 4, 2), 0, 2, 1), s.reshape(x, 3, 4, 2)], [3, 2, 2]),
    );
    const after = foldScales(before);
    const full = only(after, 'Mul').filter(({ outputs }) => after.values.get(outputs[0]!)?.shape.length !== 1);
    expect(full).toEqual([]);
    await expectSame(before, after);
  });

  it('leaves a factor that something else reads, that is an output or an addend, or is known only at run time', () => {
    const s = new Sketch();
    const bare = s.gemm(s.input([6, 3]), s.input([3, 4]));
    const x = s.el('Mul', s.el('Exp', s.input([6, 4])), 0.5);
    const addend = s.el('Mul', s.el('Abs', s.input([6, 4])), 0.5);
    const graph = s.graph(
      s.el('Mul', bare, 0.25),
      bare,
      s.gemm(x, s.input([4, 2])),
      s.el('Tanh', x),
      s.gemm(s.input([6, 2]), s.input([2, 4]), { c: addend }),
      s.el('Mul', s.gemm(s.input([2, 3]), s.input([3, 4])), s.input([])),
    );
    expect(foldScales(graph)).toBe(graph);
  });
});

describe('foldAddends', () => {
  it('adds a bias, a residual and another product by the product itself', async () => {
    const s = new Sketch();
    const [x, y, z] = [s.gemm(s.input([6, 3]), s.input([3, 4])), s.gemm(s.input([6, 2]), s.input([2, 4])), s.gemm(s.input([6, 3]), s.input([3, 4]))];
    const before = s.graph(s.el('Add', s.input([4]), x), s.el('Add', y, z), s.el('Add', s.gemm(s.input([6, 3]), s.input([3, 4])), s.input([6, 4])));
    const after = foldAddends(before);
    expect(opsOf(after)).toEqual(['Gemm', 'Gemm', 'Gemm', 'Gemm']);
    await expectSame(before, after);
  });

  it('leaves a product that has an addend, serves twice or is broadcast', () => {
    const s = new Sketch();
    const with1 = s.gemm(s.input([6, 3]), s.input([3, 4]), { c: s.input([4]) });
    const twice = s.gemm(s.input([6, 3]), s.input([3, 4]));
    const row = s.gemm(s.input([1, 3]), s.input([3, 4]));
    const graph = s.graph(s.el('Add', with1, s.input([4])), s.el('Add', twice, s.input([4])), twice, s.el('Add', row, s.input([5, 4])), s.el('Add', row, row));
    expect(foldAddends(graph)).toBe(graph);
  });
});

describe('columnSums', () => {
  it('sums rows by a product with ones, of one constant for all of a shape', async () => {
    const s = new Sketch();
    const [x, y] = [s.input([100, 5]), s.input([100, 3])];
    const before = s.graph(s.reduce('ReduceSum', x, [0], false), s.reduce('ReduceSum', y, [0]), s.reduce('ReduceSum', y, [0], false));
    const after = columnSums(before);
    expect(counts(after)).toEqual({ MatMul: 3 });
    expect(new Set(only(after, 'MatMul').map(({ inputs }) => inputs[0])).size).toBe(2);
    await expectSame(before, after);
  });

  it('leaves few rows, other axes, more axes and other types', () => {
    const s = new Sketch();
    const whole = s.input([100, 5], 'int32');
    const graph = s.graph(
      s.reduce('ReduceSum', s.input([10, 5]), [0]),
      s.reduce('ReduceSum', s.input([100, 5]), [1]),
      s.reduce('ReduceSum', s.input([100, 5, 2]), [0]),
      s.op('ReduceSum', [whole, s.ints(0)], [1, 5], {}, 'int32'),
    );
    expect(columnSums(graph)).toBe(graph);
  });
});

describe('squareSums', () => {
  it('squares and sums in one', async () => {
    const s = new Sketch();
    const [x, y] = [s.input([3, 4]), s.input([5])];
    const before = s.graph(s.reduce('ReduceSum', s.el('Mul', x, x), [0, 1], false), s.reduce('ReduceSum', s.el('Mul', y, y), [0]));
    const after = squareSums(before);
    expect(opsOf(after)).toEqual(['ReduceSumSquare', 'ReduceSumSquare']);
    await expectSame(before, after);
  });

  it('leaves squares that something else reads, other products and other types', () => {
    const s = new Sketch();
    const [x, y, whole] = [s.input([3]), s.input([3]), s.input([3], 'int32')];
    const squares = s.el('Mul', x, x);
    const wholes = s.op('Mul', [whole, whole], [3], {}, 'int32');
    const graph = s.graph(
      s.reduce('ReduceSum', squares, [0]),
      squares,
      s.reduce('ReduceSum', s.el('Mul', x, y), [0]),
      s.op('ReduceSum', [wholes, s.ints(0)], [1], {}, 'int32'),
    );
    expect(squareSums(graph)).toBe(graph);
  });
});

describe('weightGradients', () => {
  it('transposes the factor that is smaller, or the one that several share', async () => {
    const s = new Sketch();
    const [x, dy, wide] = [s.input([300, 40]), s.input([300, 40]), s.input([300, 90])];
    const [dq, dk, dv] = [s.input([300, 40]), s.input([300, 40]), s.input([300, 40])];
    const shared = s.input([300, 40]);
    const before = s.graph(
      s.gemm(dy, x, { ta: true, alpha: 0.5, c: s.input([40, 40]) }),
      s.gemm(wide, s.input([300, 20]), { ta: true }),
      ...[dq, dk, dv].map((each) => s.gemm(each, shared, { ta: true })),
    );
    const after = weightGradients(before);
    expect(only(after, 'Gemm').every(({ attributes }) => attributes.transA === undefined)).toBe(true);
    // One for the first, two for the second (its result is turned), one shared and three results for the others.
    expect(only(after, 'Transpose').length).toBe(1 + 2 + 4);
    await expectSame(before, after);
  });

  it('changes a product that is added to another one, too', async () => {
    const s = new Sketch();
    const factors = () => [s.input([300, 40]), s.input([300, 40])] as const;
    const inner = s.gemm(...factors(), { ta: true });
    const before = s.graph(s.gemm(...factors(), { ta: true, c: inner }));
    const after = weightGradients(before);
    expect(only(after, 'Gemm').every(({ attributes }) => attributes.transA === undefined)).toBe(true);
    await expectSame(before, after);
  });

  it('leaves few rows, small results and products of two transposed factors', () => {
    const s = new Sketch();
    const graph = s.graph(
      s.gemm(s.input([100, 40]), s.input([100, 40]), { ta: true }),
      s.gemm(s.input([300, 4]), s.input([300, 4]), { ta: true }),
      s.gemm(s.input([300, 40]), s.input([40, 300]), { ta: true, tb: true }),
      s.gemm(s.input([300, 40]), s.input([40, 40])),
    );
    expect(weightGradients(graph)).toBe(graph);
  });
});
