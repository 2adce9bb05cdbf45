// State that lies end to end: which parts of a graph it takes the place of, and how the memory keeps it.
import { describe, expect, it } from 'vitest';
import { flatState } from '../../../src/backends/onnx/flatState.js';
import type { Graph } from '../../../src/backends/onnx/graph.js';
import { hostMemory } from '../../../src/backends/onnx/hostMemory.js';
import type { Runtime, RuntimeTensor } from '../../../src/backends/onnx/runtime.js';
import { Sketch, counts, numbers } from './rewrites/sketch.js';
import { present, runGraph } from './runGraph.js';

/** w' = w − g for parameters of these shapes, laid end to end and apart again as flatUpdates does; w also serves a layer. */
function updates(shapes: Readonly<Record<string, readonly number[]>>, order = Object.keys(shapes)): Graph {
  const s = new Sketch();
  const names = Object.keys(shapes);
  const size = (name: string): number => (shapes[name] as readonly number[]).reduce((product, side) => product * side, 1);
  const total = names.reduce((sum, name) => sum + size(name), 0);
  const flat = (x: string, name: string): string => (s.shape(x).length === 1 ? x : s.reshape(x, size(name)));
  const inputs = names.map((name) => s.input(shapes[name] as readonly number[], 'float32', `weights/${name}`));
  const gradients = names.map((name) => s.input(shapes[name] as readonly number[], 'float32', `gradients/${name}`));
  const joined = (of: readonly string[]): string =>
    s.op('Concat', of.map((x, i) => flat(x, names[i] as string)), [total], { axis: { int: 0 } }); // biome-ignore format: one line
  const after = s.el('Sub', joined(inputs), joined(gradients));
  const parts = s.wide('Split', [after, s.ints(...order.map(size))], order.map((name) => [size(name)]), { axis: { int: 0 } }); // biome-ignore format: one line
  const layer = s.el('Neg', inputs[0] as string);
  const graph = s.graph();
  const outputs = new Map(order.map((name, i): [string, string] => [`next/weights/${name}`, shapes[name]?.length === 1 ? (parts[i] as string) : s.reshape(parts[i] as string, ...(shapes[name] as readonly number[]))])); // biome-ignore format: one line
  return { ...graph, outputs: new Map([...outputs, ['layer', layer]]) };
}

describe('flatState', () => {
  const shapes = { a: [2, 3], b: [4], c: [1, 2] };

  it('takes one input and one output for values that are laid end to end and apart again', async () => {
    const before = updates(shapes);
    const { graph, vectors } = flatState(before);
    expect(vectors).toEqual([{ name: 'state/0', members: ['a', 'b', 'c'].map((name) => ['weights', name]) }]);
    // What a layer reads stays an input, what nobody reads does not.
    expect(graph.inputs).toEqual(['weights/a', 'gradients/a', 'gradients/b', 'gradients/c', 'state/0']);
    expect([...graph.outputs.keys()]).toEqual(['layer', 'next/state/0']);
    // A value of another name would be copied out.
    expect(graph.outputs.get('next/state/0')).toBe('next/state/0');
    expect(counts(graph)).toEqual({ Reshape: 2, Concat: 1, Sub: 1, Neg: 1 });
    if (!present()) return;
    const data = (name: string, seed: number) =>
      numbers(
        (before.values.get(name)?.shape ?? []).reduce((product, side) => product * side, 1),
        seed,
      );
    const feeds = Object.fromEntries(before.inputs.map((name, i) => [name, data(name, i)]));
    const joined = Float32Array.from(['a', 'b', 'c'].flatMap((name) => [...(feeds[`weights/${name}`] as Float32Array)]));
    const one = await runGraph(before, feeds);
    const two = await runGraph(graph, { ...feeds, 'state/0': joined });
    const apart = ['a', 'b', 'c'].flatMap((name) => [...(one[`next/weights/${name}`]?.data ?? [])]);
    expect([...(two['next/state/0']?.data ?? [])]).toEqual(apart);
    expect(two.layer).toEqual(one.layer);
  });

  it('leaves graphs whose parts come out in another order, in part, or not at all', () => {
    const turned = updates(shapes, ['b', 'a', 'c']);
    expect(flatState(turned)).toEqual({ graph: turned, vectors: [] });
    const whole = updates(shapes);
    const part = { ...whole, outputs: new Map([...whole.outputs].filter(([name]) => name !== 'next/weights/b')) };
    expect(flatState(part).vectors).toEqual([]);
  });
});

describe('values end to end', () => {
  class Tensor implements RuntimeTensor {
    readonly type: string;
    readonly location = 'cpu';
    readonly data: Float32Array;
    readonly dims: readonly number[];
    constructor(type: string, data: Float32Array, dims: readonly number[]) {
      this.type = type;
      this.data = data;
      this.dims = dims;
    }
    dispose(): void {}
  }
  const memory = hostMemory({ Tensor } as unknown as Runtime);
  const make = () => [memory.make(Float32Array.of(1, 2), [2]), memory.make(Float32Array.of(3), [1, 1])] as const;
  const data = (tensor: RuntimeTensor | undefined): number[] => [...((tensor as RuntimeTensor).data as Float32Array)];

  it('keep their values and shapes, and see what is written into the whole', () => {
    const values = make();
    const array = memory.endToEnd(values);
    expect(data(array.now)).toEqual([1, 2, 3]);
    expect(values.map(({ now }) => [data(now), now.dims])).toEqual([
      [[1, 2], [2]],
      [[3], [1, 1]],
    ]);
    (array.next.data as Float32Array).set([4, 5, 6]);
    expect(values.map(({ now }) => data(now))).toEqual([[1, 2], [3]]);
    array.accept();
    expect(data(array.now)).toEqual([4, 5, 6]);
    expect(values.map(({ now }) => data(now))).toEqual([[4, 5], [6]]);
    expect(memory.endToEnd(values)).toBe(array);
  });

  it('are laid anew, with their newest values, when one has gone on alone or the company is another', () => {
    const values = make();
    const array = memory.endToEnd(values);
    ((values[0].next as RuntimeTensor).data as Float32Array).set([7, 8]);
    values[0].accept(values[0].next as RuntimeTensor);
    expect(values.map(({ now }) => data(now))).toEqual([[7, 8], [3]]);
    const second = memory.endToEnd(values);
    expect(second).not.toBe(array);
    expect(data(second.now)).toEqual([7, 8, 3]);
    const third = memory.endToEnd([values[1], memory.make(Float32Array.of(9), [])]);
    expect(data(third.now)).toEqual([3, 9]);
    expect(data(values[0].now)).toEqual([7, 8]);
    expect(data(memory.endToEnd(values).now)).toEqual([7, 8, 3]);
  });
});
