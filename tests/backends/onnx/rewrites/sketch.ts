// Graphs by hand for tests of rewrite rules, and the check that a rule changed nothing but the way.
import { expect } from 'vitest';
import type { Attribute, ConstantData, ElementType, Graph, Node, ValueType } from '../../../../src/backends/onnx/graph.js';
import { broadcast, sizeOf } from '../../../../src/backends/onnx/rewrites/shapes.js';
import { present, runGraph } from '../runGraph.js';

type Attributes = Readonly<Record<string, Attribute>>;

/** A graph being written; values are named by the caller or in order. */
export class Sketch {
  readonly #inputs: string[] = [];
  readonly #values = new Map<string, ValueType>();
  readonly #constants = new Map<string, ConstantData>();
  readonly #nodes: Node[] = [];
  readonly #scalars = new Map<number, string>();

  input(shape: readonly number[], type: ElementType = 'float32', name = `in${this.#inputs.length}`): string {
    this.#inputs.push(name);
    this.#values.set(name, { shape, type });
    return name;
  }

  constant(numbers: readonly number[], shape: readonly number[] = [], type: ElementType = 'float32'): string {
    const name = `const${this.#constants.size}`;
    this.#values.set(name, { shape, type });
    this.#constants.set(
      name,
      type === 'int64'
        ? BigInt64Array.from(numbers, BigInt)
        : type === 'int32'
          ? Int32Array.from(numbers)
          : type === 'float32'
            ? Float32Array.from(numbers)
            : Uint8Array.from(numbers),
    );
    return name;
  }

  ints(...numbers: readonly number[]): string {
    return this.constant(numbers, [numbers.length], 'int64');
  }

  op(op: string, inputs: readonly string[], shape: readonly number[], attributes: Attributes = {}, type: ElementType = 'float32'): string {
    return this.wide(op, inputs, [shape], attributes, type)[0] as string;
  }

  wide(op: string, inputs: readonly string[], shapes: readonly (readonly number[])[], attributes: Attributes = {}, type: ElementType = 'float32'): string[] {
    const outputs = shapes.map((shape, i) => {
      const name = `v${this.#nodes.length}_${i}`;
      this.#values.set(name, { shape, type });
      return name;
    });
    this.#nodes.push({ op, ...(op === 'FusedMatMul' ? { domain: 'com.microsoft' as const } : {}), inputs, outputs, attributes });
    return outputs;
  }

  /** An elementwise operation; numbers are scalars. */
  el(op: string, ...operands: readonly (string | number)[]): string {
    const inputs = operands.map((operand) => (typeof operand === 'number' ? this.#scalar(operand) : operand));
    return this.op(op, inputs, broadcast(...inputs.map((name) => this.shape(name))), {}, this.#values.get(inputs[0] as string)?.type);
  }

  #scalar(number: number): string {
    const name = this.#scalars.get(number) ?? this.constant([number]);
    this.#scalars.set(number, name);
    return name;
  }

  /** A reduction over axes, which stay as sides of 1 where `keep`. */
  reduce(op: string, x: string, axes: readonly number[], keep = true): string {
    const shape = this.shape(x).flatMap((side, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [side]));
    return this.op(op, [x, this.ints(...axes)], shape, { keepdims: { int: keep ? 1 : 0 } });
  }

  reshape(x: string, ...shape: readonly number[]): string {
    return this.op('Reshape', [x, this.ints(...shape)], shape);
  }

  transpose(x: string, ...perm: readonly number[]): string {
    const shape = this.shape(x);
    return this.op(
      'Transpose',
      [x],
      perm.map((axis) => shape[axis] as number),
      { perm: { ints: perm } },
    );
  }

  gemm(
    a: string,
    b: string,
    { c, ta = false, tb = false, alpha, beta }: { c?: string; ta?: boolean; tb?: boolean; alpha?: number; beta?: number } = {},
  ): string {
    const [m, n] = [this.shape(a)[ta ? 1 : 0] as number, this.shape(b)[tb ? 0 : 1] as number];
    return this.op('Gemm', c === undefined ? [a, b] : [a, b, c], [m, n], {
      transA: { int: ta ? 1 : 0 },
      transB: { int: tb ? 1 : 0 },
      ...(alpha === undefined ? {} : { alpha: { float: alpha } }),
      ...(beta === undefined ? {} : { beta: { float: beta } }),
    });
  }

  shape(name: string): readonly number[] {
    return (this.#values.get(name) as ValueType).shape;
  }

  graph(...outputs: readonly string[]): Graph {
    const named = new Map(outputs.map((value, i) => [`out${i}`, value]));
    return { inputs: this.#inputs, outputs: named, values: this.#values, constants: this.#constants, nodes: this.#nodes };
  }
}

/** How many nodes of each operation. */
export function counts({ nodes }: Graph): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { op } of nodes) result[op] = (result[op] ?? 0) + 1;
  return result;
}

export const opsOf = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);

/** Numbers from −2 to 2, the same for the same seed. */
export function numbers(size: number, seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}

/** Both graphs give the same outputs, up to `within` of each output's largest number, when ONNX Runtime runs them. */
export async function expectSame(before: Graph, after: Graph, { within = 1e-5, seed = 1, positive = false } = {}): Promise<void> {
  expect(after.inputs).toEqual(before.inputs);
  expect([...after.outputs.keys()]).toEqual([...before.outputs.keys()]);
  expectWhole(after);
  if (!present()) return;
  const feeds = Object.fromEntries(
    before.inputs.map((name, i) => {
      const { shape, type } = before.values.get(name) as ValueType;
      const drawn = numbers(sizeOf(shape), seed + i);
      const data = positive ? drawn.map((number) => Math.abs(number) + 0.1) : drawn;
      return [
        name,
        type === 'float32'
          ? data
          : type === 'int32'
            ? Int32Array.from(data)
            : type === 'int64'
              ? BigInt64Array.from(Array.from(data, (n) => BigInt(Math.trunc(n))))
              : Uint8Array.from(data, (n) => (n > 0 ? 1 : 0)),
      ];
    }),
  );
  const [left, right] = [await runGraph(before, feeds), await runGraph(after, feeds)];
  for (const [name, { data, shape }] of Object.entries(left)) {
    const other = right[name] as { data: ArrayLike<number | bigint>; shape: readonly number[] };
    expect(other.shape).toEqual(shape);
    const [a, b] = [Array.from(data as ArrayLike<number | bigint>, Number), Array.from(other.data, Number)];
    const largest = Math.max(1e-3, ...a.map(Math.abs));
    const worst = Math.max(0, ...a.map((number, i) => Math.abs(number - (b[i] as number)) / largest));
    expect(worst, `${name} differs`).toBeLessThanOrEqual(within);
  }
}

/** Every value has a type and one producer, which stands before its readers. */
export function expectWhole({ inputs, outputs, values, constants, nodes }: Graph): void {
  const there = new Set([...inputs, ...constants.keys()]);
  for (const node of nodes) {
    for (const name of node.inputs) if (name !== '') expect(there.has(name), `${node.op} reads ${name} too early`).toBe(true);
    for (const name of node.outputs) {
      expect(there.has(name), `${name} is made twice`).toBe(false);
      expect(values.has(name)).toBe(true);
      there.add(name);
    }
  }
  for (const value of outputs.values()) expect(there.has(value)).toBe(true);
}
