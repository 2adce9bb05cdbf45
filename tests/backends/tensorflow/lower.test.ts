// What is written: the bytes as the messages that TensorFlow reads, and the operations that only rewrite rules make.
import { PbfReader } from 'pbf';
import { describe, expect, it } from 'vitest';
import { lower } from '../../../src/backends/tensorflow/lower.js';
import { encodeSavedModel } from '../../../src/backends/tensorflow/savedModel.js';
import { normals, rootKey } from '../../../src/core/key.js';
import { close } from '../onnx/agree.js';
import { Sketch } from '../onnx/rewrites/sketch.js';
import { present as presentOnnx, runGraph } from '../onnx/runGraph.js';
import { presentBackends } from '../presentBackends.js';
import { addon, runTensorflow } from './runTensorflow.js';

/** The bytes of all fields of one number in a message. */
function fields(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  new PbfReader(bytes).readFields((tag: number, _: unknown, reader: PbfReader) => {
    if (tag === wanted) found.push(reader.readBytes());
  }, undefined);
  return found;
}
const texts = (bytes: Uint8Array, wanted: number): string[] => fields(bytes, wanted).map((field) => new TextDecoder().decode(field));
const first = (bytes: Uint8Array, wanted: number): Uint8Array => fields(bytes, wanted)[0] as Uint8Array;

describe('lower', () => {
  it('feeds what is read, writes each constant once, and leaves out those that became attributes', () => {
    const s = new Sketch();
    const [x, , y] = [s.input([2, 3]), s.input([7]), s.input([2, 3])];
    const sum = s.op('ReduceSum', [s.el('Mul', s.el('Add', x, 2), s.el('Add', y, 2)), s.ints(1)], [2], { keepdims: { int: 0 } });
    const { nodes, inputs, outputs } = lower(s.graph(sum, sum, x));
    expect([...inputs.keys()]).toEqual(['in0', 'in2']);
    expect(nodes.map(({ op }) => op)).toEqual(['Placeholder', 'Placeholder', 'Const', 'AddV2', 'AddV2', 'Mul', 'Const', 'Sum', 'Identity', 'Identity']);
    // What is fed cannot be fetched, and nothing is fetched twice.
    expect(new Set(outputs.values()).size).toBe(3);
    const fed = new Set(inputs.values());
    for (const tensor of outputs.values()) expect(fed.has(tensor.replace(/:0$/, ''))).toBe(false);
  });

  it('names an operation that TensorFlow has no counterpart for', () => {
    const s = new Sketch();
    const graph = s.graph(s.op('Unheard', [s.input([2])], [2]));
    expect(() => lower(graph)).toThrow('the graphs of TensorFlow have no operation for Unheard');
  });
});

it('a SavedModel holds the tag, the nodes with inputs and attributes, and the version', () => {
  const bytes = encodeSavedModel([
    { name: 'a', op: 'Placeholder', inputs: [], attributes: { dtype: { type: 'float32' }, shape: { shape: [2, 0] } } },
    { name: 'b', op: 'Const', inputs: [], attributes: { value: { tensor: { type: 'int32', shape: [1], data: Int32Array.of(7) } } } },
    { name: 'c', op: 'Foo', inputs: ['a:0', 'b:0'], attributes: { keep: { bool: false }, alpha: { float: 0.5 }, n: { int: 0 } } },
  ]);
  const meta = first(bytes, 2);
  expect(texts(first(meta, 1), 4)).toEqual(['serve']);
  const graph = first(meta, 2);
  const nodes = fields(graph, 1);
  expect(nodes.map((node) => [texts(node, 1)[0], texts(node, 2)[0], texts(node, 3)])).toEqual([
    ['a', 'Placeholder', []],
    ['b', 'Const', []],
    ['c', 'Foo', ['a:0', 'b:0']],
  ]);
  const attributes = nodes.map((node) => Object.fromEntries(fields(node, 5).map((entry) => [texts(entry, 1)[0], [...first(entry, 2)]])));
  expect(attributes).toEqual([
    // type = 6: DT_FLOAT; shape = 7 of dimensions 2 { size = 1 }, of which 0 must be written too.
    { dtype: [0x30, 1], shape: [0x3a, 8, 0x12, 2, 8, 2, 0x12, 2, 8, 0] },
    { value: [0x42, 14, 8, 3, 0x12, 4, 0x12, 2, 8, 1, 0x22, 4, 7, 0, 0, 0] },
    { keep: [0x28, 0], alpha: [0x25, 0, 0, 0, 0x3f], n: [0x18, 0] },
  ]);
  expect(fields(graph, 4)).toHaveLength(1);
});

const present = presentOnnx() && (await presentBackends({ only: ['tfjs-node'] })).length > 0;
describe.runIf(present)('forms that rewrite rules make, as ONNX Runtime computes them', () => {
  const numbers = (count: number, of: number): Float32Array => Float32Array.from(normals(rootKey(of), count));
  const forms: Readonly<Record<string, (s: Sketch) => string | readonly string[]>> = {
    'Gemm with a row': (s) => s.op('Gemm', [s.input([4, 3]), s.input([5, 3]), s.input([5])], [4, 5], { transB: { int: 1 }, alpha: { float: 0.5 } }),
    'Gemm with a matrix': (s) => s.op('Gemm', [s.input([3, 4]), s.input([3, 5]), s.input([4, 5])], [4, 5], { transA: { int: 1 }, beta: { float: -2 } }),
    'Gemm with a column': (s) => s.op('Gemm', [s.input([4, 3]), s.input([3, 5]), s.input([4, 1])], [4, 5]),
    'Gemm with a column as wide as the result': (s) => s.op('Gemm', [s.input([4, 3]), s.input([3, 1]), s.input([1, 1])], [4, 1]),
    'MatMul of a vector': (s) => s.op('MatMul', [s.input([3]), s.input([3, 5])], [5]),
    'MatMul by a vector': (s) => s.op('MatMul', [s.input([2, 4, 3]), s.input([3])], [2, 4]),
    'MatMul of batches that broadcast': (s) => s.op('MatMul', [s.input([2, 1, 4, 3]), s.input([5, 3, 2])], [2, 5, 4, 2]),
    FusedMatMul: (s) => s.op('FusedMatMul', [s.input([2, 6, 3, 4]), s.input([2, 6, 3, 5])], [2, 6, 4, 5], { transA: { int: 1 }, alpha: { float: 0.25 } }),
    'FusedMatMul with a batch behind the rows': (s) =>
      s.op('FusedMatMul', [s.input([4, 2, 6, 3]), s.input([2, 6, 3, 5])], [2, 6, 4, 5], { transBatchA: { int: 1 } }),
    'FusedMatMul, both, turned': (s) =>
      s.op('FusedMatMul', [s.input([2, 6, 3, 4]), s.input([5, 2, 6, 3])], [2, 6, 4, 5], { transA: { int: 1 }, transB: { int: 1 }, transBatchB: { int: 1 } }),
    'LayerNormalization with all outputs': (s) =>
      s.wide(
        'LayerNormalization',
        [s.input([4, 6]), s.input([6]), s.input([6])],
        [
          [4, 6],
          [4, 1],
          [4, 1],
        ],
        { epsilon: { float: 1e-3 } },
      ),
    'LayerNormalization over two axes': (s) =>
      s.op('LayerNormalization', [s.input([2, 4, 6]), s.constant(Array(24).fill(1), [4, 6])], [2, 4, 6], { axis: { int: 1 } }),
    Gelu: (s) => s.op('Gelu', [s.input([2, 5])], [2, 5]),
    ReduceSumSquare: (s) => s.op('ReduceSumSquare', [s.input([2, 5]), s.ints(0)], [5], { keepdims: { int: 0 } }),
    Split: (s) =>
      s.wide(
        'Split',
        [s.input([7, 2]), s.ints(3, 4)],
        [
          [3, 2],
          [4, 2],
        ],
        { axis: { int: 0 } },
      ),
    'Slice backwards': (s) => s.op('Slice', [s.input([5, 2]), s.ints(4), s.ints(-6), s.ints(0), s.ints(-2)], [3, 2]),
    'Slice from the end': (s) => s.op('Slice', [s.input([5, 2]), s.ints(-2), s.ints(5), s.ints(0)], [2, 2]),
  };

  it.each(Object.entries(forms))('%s', async (_, draw) => {
    const s = new Sketch();
    const made = draw(s);
    const graph = s.graph(...(typeof made === 'string' ? [made] : made));
    if (graph.nodes.at(-1)?.op === 'Gelu') Object.assign(graph.nodes.at(-1) as object, { domain: 'com.microsoft' });
    const feeds = Object.fromEntries(
      graph.inputs.map((name, i) => [
        name,
        numbers(
          graph.values.get(name)!.shape.reduce((a, b) => a * b, 1),
          i,
        ),
      ]),
    );
    const [got, wanted] = [await runTensorflow(graph, feeds), await runGraph(graph, feeds)];
    for (const [name, { data, shape, type }] of Object.entries(wanted)) {
      expect([got[name]?.shape, got[name]?.type]).toEqual([shape, type]);
      close(name, got[name]?.data as Float32Array, data as Float32Array, 2e-6);
    }
    expect(addon().getNumOfSavedModels()).toBe(0);
  });
});
