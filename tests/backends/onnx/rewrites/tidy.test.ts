// The rules that make a graph canonical, each on graphs by hand.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropNoOps } from '../../../../src/backends/onnx/rewrites/dropNoOps.js';
import { foldConstants } from '../../../../src/backends/onnx/rewrites/foldConstants.js';
import { mergeEqual } from '../../../../src/backends/onnx/rewrites/mergeEqual.js';
import { mergeMoves } from '../../../../src/backends/onnx/rewrites/mergeMoves.js';
import { nameOutputs } from '../../../../src/backends/onnx/rewrites/nameOutputs.js';
import { rowsAsMatrix } from '../../../../src/backends/onnx/rewrites/rowsAsMatrix.js';
import { shrinkBroadcasts } from '../../../../src/backends/onnx/rewrites/shrinkBroadcasts.js';
import { Sketch, counts, expectSame, opsOf } from './sketch.js';

describe('foldConstants', () => {
  it('computes what depends on constants alone, as ONNX Runtime does', async () => {
    const s = new Sketch();
    const x = s.input([2, 3]);
    const a = s.constant([1, -2, 3, 4, 5, 6], [2, 3]);
    const row = s.constant([10, 20, 30], [3]);
    const sum = s.el('Div', s.el('Add', a, row), s.el('Sqrt', 2));
    const turned = s.transpose(s.reshape(s.op('Concat', [sum, a], [4, 3], { axis: { int: 0 } }), 3, 4), 1, 0);
    const used = s.op('Expand', [s.constant([0.5]), s.ints(2, 3)], [2, 3]);
    const before = s.graph(s.el('Mul', x, used), s.el('Mul', s.reshape(turned, 2, 6), s.constant([2])));
    const after = foldConstants(before);
    expect(opsOf(after)).toEqual(['Mul']);
    await expectSame(before, after);
  });

  it('keeps int32 whole and truncates its quotients', async () => {
    const s = new Sketch();
    const x = s.input([2], 'int32');
    const quotient = s.op('Div', [s.constant([-7, 7], [2], 'int32'), s.constant([2], [], 'int32')], [2], {}, 'int32');
    const before = s.graph(s.op('Add', [x, quotient], [2], {}, 'int32'));
    const after = foldConstants(before);
    expect(opsOf(after)).toEqual(['Add']);
    expect([...(after.constants.get(after.nodes[0]!.inputs[1]!) as Int32Array)]).toEqual([-3, 3]);
    await expectSame(before, after);
  });

  it('leaves inputs and large results alone', () => {
    const s = new Sketch();
    const big = s.op('Expand', [s.constant([1]), s.ints(300, 300)], [300, 300]);
    const graph = s.graph(s.el('Add', s.input([2]), 1), big);
    expect(foldConstants(graph)).toBe(graph);
  });
});

describe('mergeEqual', () => {
  it('computes once what is computed twice, and not what differs in an attribute', async () => {
    const s = new Sketch();
    const x = s.input([2, 3]);
    const [a, b] = [s.el('Exp', s.el('Mul', x, 2)), s.el('Exp', s.el('Mul', x, 2))];
    const [p, q] = [s.op('Softmax', [x], [2, 3], { axis: { int: 1 } }), s.op('Softmax', [x], [2, 3], { axis: { int: 0 } })];
    const before = s.graph(s.el('Add', a, b), s.el('Add', p, q), a);
    const after = mergeEqual(before);
    expect(counts(after)).toEqual({ Mul: 1, Exp: 1, Softmax: 2, Add: 2 });
    await expectSame(before, after);
  });

  it('keeps constants of different types apart', () => {
    const s = new Sketch();
    const x = s.input([1]);
    const graph = s.graph(s.op('ReduceSum', [x, s.constant([0], [1], 'int64')], [], { keepdims: { int: 0 } }), s.el('Add', x, s.constant([0], [1])));
    expect(mergeEqual(graph)).toBe(graph);
  });
});

describe('dropNoOps', () => {
  it('drops copies, neutral numbers and moves of nothing', async () => {
    const s = new Sketch();
    const x = s.input([2, 1, 3]);
    const same = s.op('Cast', [s.op('Identity', [x], [2, 1, 3])], [2, 1, 3], { to: { int: 1 } });
    const neutral = s.el('Div', s.el('Mul', s.el('Add', s.el('Sub', same, 0), 0), 1), 1);
    const moved = s.transpose(s.reduce('ReduceSum', neutral, [1]), 1, 0, 2);
    const sliced = s.op('Slice', [moved, s.ints(0), s.ints(2), s.ints(1)], [1, 2, 3]);
    const before = s.graph(s.el('Exp', s.op('Pad', [sliced, s.ints(0, 0, 0, 0, 0, 0), s.constant([0])], [1, 2, 3])));
    const after = dropNoOps(before);
    expect(opsOf(after)).toEqual(['Reshape', 'Exp']);
    await expectSame(before, after);
  });

  it('keeps a 1 that broadcasts, a slice that runs backwards, a cast and a transpose that moves', () => {
    const s = new Sketch();
    const x = s.input([3]);
    const wide = s.el('Mul', x, s.constant([1, 1, 1, 1, 1, 1], [2, 3]));
    const backwards = s.op('Slice', [x, s.ints(-1), s.ints(-4), s.ints(0), s.ints(-1)], [3]);
    const cast = s.op('Cast', [x], [3], { to: { int: 6 } }, 'int32');
    const graph = s.graph(wide, backwards, cast, s.transpose(s.input([2, 3]), 1, 0), s.el('Sub', 0, x));
    expect(dropNoOps(graph)).toBe(graph);
  });
});

describe('mergeMoves', () => {
  it('makes one reshape of two, one transpose of two, and keeps the axes that a reshape would put back', async () => {
    const s = new Sketch();
    const x = s.input([2, 3, 4]);
    const before = s.graph(
      s.reshape(s.reshape(x, 6, 4), 24),
      s.transpose(s.transpose(x, 2, 0, 1), 1, 0, 2),
      s.reshape(s.reduce('ReduceSum', x, [2], false), 2, 3, 1),
    );
    const after = mergeMoves(before);
    expect(counts(after)).toEqual({ Reshape: 1, Transpose: 1, ReduceSum: 1 });
    await expectSame(before, after);
  });

  it('moves the four groups of axes of a 5-D transpose, over random shapes and orders', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(...([1, 2, 3, 4, 5].map(() => fc.integer({ min: 1, max: 3 })) as [fc.Arbitrary<number>])),
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5, maxLength: 5 }),
        async (shape, perm) => {
          const s = new Sketch();
          const before = s.graph(s.transpose(s.input(shape), ...perm));
          await expectSame(before, mergeMoves(before), { within: 0 });
        },
      ),
      { numRuns: 25 },
    );
    const s = new Sketch();
    const merged = mergeMoves(s.graph(s.transpose(s.input([2, 4, 3, 2, 5]), 2, 0, 1, 3, 4)));
    expect(merged.nodes.find(({ op }) => op === 'Transpose')?.attributes.perm).toEqual({ ints: [1, 0, 2] });
  });

  it('leaves a reduction whose result serves twice, and transposes of four axes', () => {
    const s = new Sketch();
    const x = s.input([2, 3, 4]);
    const sum = s.reduce('ReduceSum', x, [2], false);
    const graph = s.graph(s.reshape(sum, 2, 3, 1), sum, s.transpose(s.input([2, 3, 4, 5]), 2, 3, 0, 1));
    expect(mergeMoves(graph)).toBe(graph);
  });
});

describe('shrinkBroadcasts', () => {
  it('does not make what an operation broadcasts by itself', async () => {
    const s = new Sketch();
    const column = s.input([2, 3, 1]);
    const full = s.input([2, 3, 4]);
    const ones = s.constant(new Array<number>(24).fill(1), [2, 3, 4]);
    const expanded = s.op('Expand', [s.el('Mul', column, 3), s.ints(2, 3, 4)], [2, 3, 4]);
    const before = s.graph(s.el('Add', s.el('Exp', expanded), full), s.el('Mul', s.el('Mul', column, ones), full));
    const after = shrinkBroadcasts(before);
    expect(counts(after)).toEqual({ Mul: 3, Exp: 1, Add: 1 });
    await expectSame(before, after);
  });

  it('sums a broadcast by a factor, and expands where an output needs it', async () => {
    const s = new Sketch();
    const row = s.input([1, 4]);
    const expanded = s.op('Expand', [row, s.ints(5, 4)], [5, 4]);
    const before = s.graph(s.reduce('ReduceSum', expanded, [0], false), s.reduce('ReduceSum', expanded, [1], false), s.el('Mul', expanded, 2));
    const after = shrinkBroadcasts(before);
    await expectSame(before, after);
    expect(after.values.get(after.outputs.get('out2')!)?.shape).toEqual([5, 4]);
  });

  it('leaves constants of several numbers alone', () => {
    const s = new Sketch();
    const graph = s.graph(s.el('Add', s.input([2]), s.constant([1, 2], [2])));
    expect(shrinkBroadcasts(graph)).toBe(graph);
  });
});

describe('rowsAsMatrix', () => {
  it('takes the reshapes out of what works row by row, over random shapes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 5 }), async (batch, tokens, width) => {
        const s = new Sketch();
        const rows = batch * tokens;
        const product = s.reshape(s.gemm(s.input([rows, 3]), s.input([3, width])), batch, tokens, width);
        const biased = s.el('Add', product, s.input([width]));
        const residual = s.el('Add', s.input([batch, tokens, width]), biased);
        const mean = s.reduce('ReduceMean', residual, [2]);
        const centred = s.el('Sub', residual, mean);
        const before = s.graph(s.gemm(s.reshape(centred, rows, width), s.input([width, 2])), s.reduce('ReduceSum', centred, [0, 1], false));
        const after = rowsAsMatrix(before);
        await expectSame(before, after);
        for (const { op, outputs } of after.nodes) if (op !== 'Reshape') expect(after.values.get(outputs[0]!)?.shape.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 20 },
    );
  });

  it('leaves what mixes rows or has other broadcasts', async () => {
    const s = new Sketch();
    const product = s.reshape(s.gemm(s.input([6, 3]), s.input([3, 4])), 2, 3, 4);
    const positions = s.el('Add', product, s.input([3, 4])); // one row a token: broadcasts over the batch alone
    const overTokens = s.reduce('ReduceSum', product, [1], false);
    const graph = s.graph(positions, overTokens, s.transpose(product, 1, 0, 2));
    expect(rowsAsMatrix(graph)).toBe(graph);
  });
});

describe('nameOutputs', () => {
  it('calls a value as its output is called, once, and leaves inputs their names', async () => {
    const s = new Sketch();
    const x = s.input([2]);
    const y = s.el('Exp', x);
    const before = s.graph(y, y, x, s.el('Neg', y));
    const after = nameOutputs(before);
    expect([...after.outputs]).toEqual([
      ['out0', 'out0'],
      ['out1', 'out0'],
      ['out2', 'in0'],
      ['out3', 'out3'],
    ]);
    await expectSame(before, after, { within: 0 });
  });
});
