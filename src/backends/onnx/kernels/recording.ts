// A graph under construction: what the recorders of the kernels write into. Values are objects that know their producer,
// so that the canonical forms (forms.ts) can look one step back; names are given at the end, to what reaches an output.
// A node that was recorded before with the same inputs and attributes is not recorded again.
import { sizeOf } from '../../../core/batch.js';
import type { Attribute, ConstantData, ElementType, Graph, Node, ValueType } from '../graph.js';

export type Attributes = Readonly<Record<string, Attribute>>;

/** A value of the graph under construction. */
export interface Value extends ValueType {
  readonly id: number;
  /** Name of the tfjs kernel that it belongs to, or of the input. */
  readonly origin: string;
  readonly producer?: Operation;
  /** Of a constant: its elements; never written to. */
  readonly data?: ConstantData;
}

/** The node behind a value, with its inputs as values. */
export interface Operation {
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  /** All outputs, in order. */
  readonly outputs: readonly Value[];
}

/** Constants up to this size are compared with those that there are. */
const SHARED_SIZE = 64;
/** Constants of equal elements up to this size are written out where a node needs them whole. */
const WRITTEN_SIZE = 1024;

const arrays = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, bool: Uint8Array } as const;

/** An array of the data type of constants; numbers become bigint for int64. */
export function constantData(type: ElementType, numbers: readonly number[]): ConstantData {
  return type === 'int64' ? BigInt64Array.from(numbers, BigInt) : new arrays[type](numbers);
}

export class Recording {
  /** The tfjs kernel that is being recorded: names its values. */
  kernel = '';
  /** What went wrong where nobody could be told: a read that answers later. */
  failure: Error | undefined;
  readonly #inputs = new Map<string, Value>();
  readonly #operations: Operation[] = [];
  readonly #known = new Map<string, readonly Value[]>();
  readonly #constants = new Map<string, Value>();
  readonly #bounded = new Map<number, Set<number>>();
  #values = 0;

  #value(type: ValueType, rest: Partial<Value> = {}): Value {
    return { id: this.#values++, origin: this.kernel, shape: [...type.shape], type: type.type, ...rest };
  }

  input(name: string, type: ValueType): Value {
    const value = this.#value(type, { origin: name });
    this.#inputs.set(name, value);
    return value;
  }

  /** A constant that holds `data`; small ones are shared. */
  constant(data: ConstantData, shape: readonly number[], type: ElementType): Value {
    if (data.length > SHARED_SIZE) return this.#value({ shape, type }, { data });
    const key = `${type} [${shape}] ${Array.from(data as ArrayLike<unknown>, (x) => (Object.is(x, -0) ? '-0' : String(x)))}`;
    const known = this.#constants.get(key) ?? this.#value({ shape, type }, { data });
    this.#constants.set(key, known);
    return known;
  }

  scalar(value: number, type: ElementType): Value {
    return this.constant(constantData(type, [value]), [], type);
  }

  /** Shapes, axes and places: an int64 vector. */
  int64(numbers: readonly number[]): Value {
    return this.constant(constantData('int64', numbers), [numbers.length], 'int64');
  }

  /** A node with one output. */
  node(op: string, inputs: readonly Value[], shape: readonly number[], type: ElementType, attributes: Attributes = {}): Value {
    return this.nodes(op, inputs, [{ shape, type }], attributes)[0] as Value;
  }

  /** A node with several outputs. */
  nodes(op: string, given: readonly Value[], types: readonly ValueType[], attributes: Attributes = {}): readonly Value[] {
    const inputs = given.map((value) => this.#written(value));
    const key = `${op} ${inputs.map(({ id }) => id)} ${JSON.stringify(attributes)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const outputs: Value[] = [];
    const producer: Operation = { op, inputs, attributes, outputs };
    for (const type of types) outputs.push(this.#value(type, { producer }));
    this.#operations.push(producer);
    this.#known.set(key, outputs);
    return outputs;
  }

  /** An expanded constant that is small is written out: a node would cost more than its bytes. */
  #written(value: Value): Value {
    const source = value.producer?.op === 'Expand' ? value.producer.inputs[0] : undefined;
    const count = sizeOf(value.shape);
    if (source?.data?.length !== 1 || count > WRITTEN_SIZE) return value;
    return this.constant(
      constantData(
        value.type,
        Array.from({ length: count }, () => Number(source.data?.[0])),
      ),
      value.shape,
      value.type,
    );
  }

  /** Notes that a node refuses indices outside [−size, size): whoever uses the same ones again need not look. */
  bound(indices: Value, size: number): void {
    const sizes = this.#bounded.get(indices.id) ?? new Set();
    this.#bounded.set(indices.id, sizes.add(size));
  }

  isBound(indices: Value, size: number): boolean {
    return this.#bounded.get(indices.id)?.has(size) === true;
  }

  /** The graph of what reaches the outputs. A value that a node makes bears the name of (one of) its outputs. */
  graph(outputs: ReadonlyMap<string, Value>): Graph {
    const reached = new Set<Value>();
    const visit = [...outputs.values()];
    for (let value = visit.pop(); value !== undefined; value = visit.pop()) {
      if (reached.has(value)) continue;
      reached.add(value);
      visit.push(...(value.producer?.inputs ?? []));
    }

    const names = new Map<Value, string>([...this.#inputs].map(([name, value]) => [value, name]));
    const taken = new Set([...this.#inputs.keys(), ...outputs.keys()]);
    for (const [name, value] of outputs) if (value.producer !== undefined && !names.has(value)) names.set(value, name);
    const values = new Map<string, ValueType>();
    const constants = new Map<string, ConstantData>();
    const nameOf = (value: Value): string => {
      let name = names.get(value);
      if (name === undefined) {
        name = value.data === undefined ? `${value.origin}_${values.size}` : `constant_${constants.size}`;
        while (taken.has(name)) name += '_';
        taken.add(name);
        names.set(value, name);
      }
      if (!values.has(name)) {
        values.set(name, { shape: value.shape, type: value.type });
        if (value.data !== undefined) constants.set(name, value.data.slice());
      }
      return name;
    };

    for (const value of this.#inputs.values()) nameOf(value);
    const nodes: Node[] = [];
    for (const { op, inputs, attributes, outputs: made } of this.#operations) {
      if (made.some((value) => reached.has(value))) nodes.push({ op, inputs: inputs.map(nameOf), outputs: made.map(nameOf), attributes });
    }
    return { inputs: [...this.#inputs.keys()], outputs: new Map([...outputs].map(([name, value]) => [name, nameOf(value)])), values, constants, nodes };
  }
}

/** Elements of a value. */
export function elements(value: ValueType): number {
  return sizeOf(value.shape);
}
