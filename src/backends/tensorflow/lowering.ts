// A TensorFlow graph under construction, made from one of ours: what the tables of operations write into.
import { MaskflowError } from '../../core/errors.js';
import type { ConstantData, ElementType, Graph, Node, ValueType } from '../onnx/graph.js';
import { numbersOf } from '../onnx/rewrites/draft.js';
import type { TfAttribute, TfNode } from './savedModel.js';

/** An output of a node of TensorFlow. */
export interface Ref extends ValueType {
  /** `node:output`. */
  readonly name: string;
}

/** Writes the nodes of one of our operations; answers its outputs, one or several. */
export type Lower = (lowering: Lowering, node: Node, inputs: readonly Ref[]) => Ref | readonly (Ref | undefined)[];

/** By our operator. */
export type Lowers = Readonly<Record<string, Lower>>;

export class Lowering {
  readonly nodes: TfNode[] = [];
  readonly #graph: Graph;
  readonly #refs = new Map<string, Ref>();
  readonly #constants = new Map<string, Ref>();
  constructor(graph: Graph) {
    this.#graph = graph;
  }

  /** A value of our graph in TensorFlow's. */
  ref(name: string): Ref {
    const known = this.#refs.get(name);
    if (known !== undefined) return known;
    const data = this.#graph.constants.get(name);
    if (data === undefined) throw new Error(`the value ${name} is read before it is made`);
    const made = this.constant(data, this.typeOf(name));
    this.#refs.set(name, made);
    return made;
  }

  bind(name: string, ref: Ref): void {
    this.#refs.set(name, ref);
  }

  typeOf(name: string): ValueType {
    const type = this.#graph.values.get(name);
    if (type === undefined) throw new Error(`no type for value ${name}`);
    return type;
  }

  /** The numbers of a constant input, which TensorFlow wants as an attribute or in another form. */
  numbers(node: Node, input: number): readonly number[] {
    const data = this.#graph.constants.get(node.inputs[input] as string);
    if (data === undefined) throw new MaskflowError({ rule: `input ${input} of ${node.op} must be a constant` });
    return numbersOf(data);
  }

  /** The number that a constant holds everywhere. */
  uniform(name: string): number | undefined {
    const data = this.#graph.constants.get(name);
    if (data === undefined || data.length === 0) return undefined;
    const first = Number(data[0]);
    return (data as Float32Array).every((x) => Number(x) === first) ? first : undefined;
  }

  /** What our graph computes a value by. */
  producer(name: string): Node | undefined {
    return this.#graph.nodes.find(({ outputs }) => outputs.includes(name));
  }

  /** A node of one output. */
  node(op: string, inputs: readonly Ref[], { type, shape }: ValueType, attributes: Readonly<Record<string, TfAttribute>> = {}): Ref {
    return this.wide(op, inputs, [{ type, shape }], attributes)[0] as Ref;
  }

  /** A node of several outputs. */
  wide(op: string, inputs: readonly Ref[], types: readonly ValueType[], attributes: Readonly<Record<string, TfAttribute>> = {}): readonly Ref[] {
    const name = `n${this.nodes.length}`;
    this.nodes.push({ name, op, inputs: inputs.map((input) => input.name), attributes });
    return types.map(({ type, shape }, i) => ({ name: `${name}:${i}`, type, shape }));
  }

  /** A node whose inputs and output have one type and this shape. */
  same(op: string, inputs: readonly Ref[], shape: readonly number[], attributes: Readonly<Record<string, TfAttribute>> = {}): Ref {
    const { type } = inputs[0] as Ref;
    return this.node(op, inputs, { type, shape }, { T: { type }, ...attributes });
  }

  constant(data: ConstantData, { type, shape }: ValueType): Ref {
    const key = data.length <= 16 ? `${type} [${shape}] ${Array.from(data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? '-0' : String(x)))}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known !== undefined) return known;
    const made = this.node('Const', [], { type, shape }, { dtype: { type }, value: { tensor: { type, shape, data } } });
    if (key !== undefined) this.#constants.set(key, made);
    return made;
  }

  /** Axes, shapes and places: an int32 vector. */
  integers(numbers: readonly number[]): Ref {
    return this.constant(Int32Array.from(numbers), { type: 'int32', shape: [numbers.length] });
  }

  integer(number: number): Ref {
    return this.constant(Int32Array.of(number), { type: 'int32', shape: [] });
  }

  float(number: number): Ref {
    return this.constant(Float32Array.of(number), { type: 'float32', shape: [] });
  }

  cast(x: Ref, type: ElementType): Ref {
    return x.type === type ? x : this.node('Cast', [x], { type, shape: x.shape }, { SrcT: { type: x.type }, DstT: { type } });
  }

  reshape(x: Ref, shape: readonly number[]): Ref {
    if (x.shape.length === shape.length && x.shape.every((side, i) => side === shape[i])) return x;
    return this.same('Reshape', [x, this.integers(shape)], shape, { Tshape: { type: 'int32' } });
  }

  transpose(x: Ref, perm: readonly number[]): Ref {
    return this.same(
      'Transpose',
      [x, this.integers(perm)],
      perm.map((axis) => x.shape[axis] as number),
      { Tperm: { type: 'int32' } },
    );
  }

  /** A reduction along axes that are kept with side 1, or go. */
  reduce(op: string, x: Ref, axes: readonly number[], shape: readonly number[], keep: boolean): Ref {
    return this.same(op, [x, this.integers(axes)], shape, { Tidx: { type: 'int32' }, keep_dims: { bool: keep } });
  }
}
