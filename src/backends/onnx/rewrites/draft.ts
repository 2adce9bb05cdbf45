// A graph while a rule works on it: indexed by producer and by user, so that a look around a node costs nothing and a rule
// stays linear in the number of nodes. A node that nobody reads any more goes at once, with all that only it read: "is this
// the only use?" always has a true answer. Graphs stay immutable: a draft is made from one and made into another.
import type { Attribute, ConstantData, ElementType, Graph, Node, ValueType } from '../graph.js';
import { sizeOf } from './shapes.js';

export interface Addition {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: 'com.microsoft';
  /** Default: the type of the first input. */
  readonly type?: ElementType;
}

/** The numbers of a constant; int64 up to 2⁵³ exactly. */
export const numbersOf = (data: ConstantData): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

/** The numbers as text: equal for equal ones, −0 and 0 apart. */
export const textOf = (data: ConstantData): string =>
  Array.from(data as ArrayLike<number | bigint>, (number) => (Object.is(number, -0) ? '-0' : String(number))).join();

const noUsers: ReadonlySet<Node> = new Set();
/** Whether all numbers of a constant are the same, remembered per array. */
const uniform = new WeakMap<ConstantData, number | null>();

export class Draft {
  readonly inputs: readonly string[];
  /** Whether anything was changed. */
  changed = false;
  readonly #outputs: Map<string, string>;
  readonly #values: Map<string, ValueType>;
  readonly #constants: Map<string, ConstantData>;
  readonly #order: readonly Node[];
  readonly #alive = new Set<Node>();
  readonly #producers = new Map<string, Node>();
  readonly #users = new Map<string, Set<Node>>();
  /** How many outputs of the graph a value is. */
  readonly #exits = new Map<string, number>();
  readonly #made = new Map<string, string>();
  #count: number;

  constructor(graph: Graph) {
    this.inputs = graph.inputs;
    this.#outputs = new Map(graph.outputs);
    this.#values = new Map(graph.values);
    this.#constants = new Map(graph.constants);
    this.#order = graph.nodes.map((node) => ({ ...node }));
    this.#count = graph.nodes.length;
    for (const value of this.#outputs.values()) this.#exits.set(value, (this.#exits.get(value) ?? 0) + 1);
    for (const node of this.#order) this.#insert(node);
  }

  /** The nodes at the beginning, producers first; those that are gone by the time it is their turn are left out. */
  *nodes(op?: string): Generator<Node> {
    for (const node of this.#order) if (this.#alive.has(node) && (op === undefined || node.op === op)) yield node;
  }

  /** The same from the last to the first. */
  *nodesBackwards(op?: string): Generator<Node> {
    for (let i = this.#order.length - 1; i >= 0; i--) {
      const node = this.#order[i] as Node;
      if (this.#alive.has(node) && (op === undefined || node.op === op)) yield node;
    }
  }

  /** Whether a value bears this name. */
  knows(name: string): boolean {
    return this.#values.has(name);
  }

  outputs(): ReadonlyMap<string, string> {
    return this.#outputs;
  }

  value(name: string): ValueType {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`no type for value ${name}`);
    return value;
  }

  shape(name: string): readonly number[] {
    return this.value(name).shape;
  }

  size(name: string): number {
    return sizeOf(this.shape(name));
  }

  type(name: string): ElementType {
    return this.value(name).type;
  }

  producer(name: string): Node | undefined {
    return this.#producers.get(name);
  }

  /** The node that makes the value, if it is this operation. */
  from(name: string | undefined, op: string): Node | undefined {
    if (name === undefined) return undefined;
    const node = this.#producers.get(name);
    return node?.op === op ? node : undefined;
  }

  users(name: string): ReadonlySet<Node> {
    return this.#users.get(name) ?? noUsers;
  }

  isOutput(name: string): boolean {
    return this.#exits.has(name);
  }

  /** Whether one node reads the value, and nothing else does. */
  isUsedOnce(name: string): boolean {
    return this.users(name).size === 1 && !this.isOutput(name);
  }

  constant(name: string): ConstantData | undefined {
    return this.#constants.get(name);
  }

  /** The number that a constant holds everywhere; undefined where it holds several, and for values that are no constants. */
  number(name: string | undefined): number | undefined {
    const data = name === undefined ? undefined : this.#constants.get(name);
    if (data === undefined || data.length === 0) return undefined;
    let found = uniform.get(data);
    if (found === undefined) {
      const first = data[0] as number | bigint;
      found = Number(first);
      for (let i = 1; i < data.length; i++) {
        if (data[i] !== first) {
          found = null;
          break;
        }
      }
      uniform.set(data, found);
    }
    return found ?? undefined;
  }

  /** The whole numbers of an int64 constant: axes, shapes. */
  integers(name: string | undefined): readonly number[] | undefined {
    const data = name === undefined ? undefined : this.#constants.get(name);
    return data === undefined ? undefined : numbersOf(data);
  }

  /** A name that no value has. */
  fresh(): string {
    let name: string;
    do name = `r${this.#count++}`;
    while (this.#values.has(name));
    return name;
  }

  /** A constant; equal ones of up to 16 numbers are one. */
  addConstant(data: ConstantData, shape: readonly number[], type: ElementType): string {
    const key = data.length <= 16 ? `${type}|${shape}|${textOf(data)}` : undefined;
    const known = key === undefined ? undefined : this.#made.get(key);
    if (known !== undefined) return known;
    const name = this.fresh();
    this.#values.set(name, { shape, type });
    this.#constants.set(name, data);
    if (key !== undefined) this.#made.set(key, name);
    return name;
  }

  /** A float32 scalar. */
  scalar(number: number): string {
    return this.addConstant(Float32Array.of(number), [], 'float32');
  }

  /** Ones of float32; of one shape there is one such constant. */
  ones(shape: readonly number[]): string {
    const key = `ones|${shape}`;
    let name = this.#made.get(key);
    if (name === undefined) {
      name = this.addConstant(new Float32Array(sizeOf(shape)).fill(1), shape, 'float32');
      this.#made.set(key, name);
    }
    return name;
  }

  /** An int64 vector. */
  indices(numbers: readonly number[]): string {
    return this.addConstant(BigInt64Array.from(numbers, BigInt), [numbers.length], 'int64');
  }

  /** A node with one output; its name. */
  add(op: string, inputs: readonly string[], shape: readonly number[], addition: Addition = {}): string {
    return this.addWide(op, inputs, [shape], addition)[0] as string;
  }

  /** A node with several outputs; their names. */
  addWide(op: string, inputs: readonly string[], shapes: readonly (readonly number[])[], { attributes = {}, domain, type }: Addition = {}): string[] {
    const names = shapes.map((shape) => {
      const name = this.fresh();
      this.#values.set(name, { shape, type: type ?? this.type(inputs[0] as string) });
      return name;
    });
    this.#insert({ op, ...(domain === undefined ? {} : { domain }), inputs, outputs: names, attributes });
    this.changed = true;
    return names;
  }

  /** The value in another shape of the same size; itself where it has that shape. */
  reshape(name: string, shape: readonly number[]): string {
    const { shape: now } = this.value(name);
    if (now.length === shape.length && now.every((side, i) => side === shape[i])) return name;
    return this.add('Reshape', [name, this.indices(shape)], shape);
  }

  /** All that read `before` read `after` from now on. */
  replace(before: string, after: string): void {
    if (before === after) return;
    this.changed = true;
    for (const node of [...this.users(before)]) {
      const inputs = node.inputs.map((input) => (input === before ? after : input));
      this.#exchange(node, inputs);
    }
    const exits = this.#exits.get(before);
    if (exits !== undefined) {
      for (const [output, value] of this.#outputs) if (value === before) this.#outputs.set(output, after);
      this.#exits.delete(before);
      this.#exits.set(after, (this.#exits.get(after) ?? 0) + exits);
    }
    this.#release(before);
  }

  /** Makes a node read other values; its outputs stay what they are called. */
  reconnect(node: Node, inputs: readonly string[]): void {
    this.changed = true;
    const before = node.inputs;
    this.#exchange(node, inputs);
    for (const input of before) this.#release(input);
  }

  /** Calls a value otherwise; `after` must be new. */
  rename(before: string, after: string): void {
    if (this.#values.has(after)) throw new Error(`there is a value ${after}`);
    const node = this.#producers.get(before) as Node;
    this.changed = true;
    this.#values.set(after, this.value(before));
    (node as { outputs: readonly string[] }).outputs = node.outputs.map((name) => (name === before ? after : name));
    this.#producers.set(after, node);
    this.replace(before, after);
    this.#producers.delete(before);
  }

  /** The graph of what the outputs need, producers first. */
  finish(): Graph {
    const nodes: Node[] = [];
    const state = new Map<Node, 'open' | 'done'>();
    const stack: Node[] = [];
    const visit = (root: Node): void => {
      stack.push(root);
      while (stack.length > 0) {
        const node = stack[stack.length - 1] as Node;
        if (state.get(node) === undefined) {
          state.set(node, 'open');
          for (let i = node.inputs.length - 1; i >= 0; i--) {
            const producer = this.#producers.get(node.inputs[i] as string);
            const seen = producer && state.get(producer);
            if (seen === 'open') throw new Error(`a rule made a cycle at ${node.op} ${node.outputs[0]}`);
            if (producer !== undefined && seen === undefined) stack.push(producer);
          }
        } else {
          stack.pop();
          if (state.get(node) === 'done') continue;
          state.set(node, 'done');
          nodes.push(node);
        }
      }
    };
    // In the order of the trace, for what is computed together is used together. New ends, which the trace does not know,
    // come first: ONNX Runtime starts at the last end of a graph and goes down from there, and what needs everything (the
    // update of many small parameters) had better not be it.
    const reached = this.#reached();
    const traced = new Set(this.#order);
    for (const node of reached) if (!traced.has(node) && node.outputs.every((name) => this.users(name).size === 0)) visit(node);
    for (const node of this.#order) if (reached.has(node)) visit(node);

    const values = new Map<string, ValueType>();
    const constants = new Map<string, ConstantData>();
    const keep = (name: string): void => {
      if (name === '' || values.has(name)) return;
      values.set(name, this.value(name));
      const data = this.#constants.get(name);
      if (data !== undefined) constants.set(name, data);
    };
    for (const name of this.inputs) keep(name);
    for (const node of nodes) {
      for (const name of node.inputs) {
        if (name !== '' && !values.has(name) && !this.#constants.has(name))
          throw new Error(`a rule left ${node.op} ${node.outputs[0]} with ${name}, which is gone`);
        keep(name);
      }
      for (const name of node.outputs) keep(name);
    }
    for (const name of this.#outputs.values()) keep(name);
    return { inputs: this.inputs, outputs: this.#outputs, values, constants, nodes };
  }

  #reached(): Set<Node> {
    const reached = new Set<Node>();
    const open = [...this.#outputs.values()];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = this.#producers.get(name);
      if (node === undefined || reached.has(node)) continue;
      reached.add(node);
      open.push(...node.inputs);
    }
    return reached;
  }

  #insert(node: Node): void {
    this.#alive.add(node);
    for (const name of node.outputs) if (name !== '') this.#producers.set(name, node);
    for (const name of node.inputs) this.#use(name, node);
  }

  #use(name: string, node: Node): void {
    if (name === '') return;
    const users = this.#users.get(name);
    if (users === undefined) this.#users.set(name, new Set([node]));
    else users.add(node);
  }

  #remove(node: Node): void {
    this.#alive.delete(node);
    for (const name of node.inputs) this.#users.get(name)?.delete(node);
  }

  /** The draft's nodes are its own copies: their inputs may change under it. */
  #exchange(node: Node, inputs: readonly string[]): void {
    for (const name of node.inputs) this.#users.get(name)?.delete(node);
    (node as { inputs: readonly string[] }).inputs = inputs;
    for (const name of inputs) this.#use(name, node);
  }

  /** Removes the producer of a value that nobody reads any more, and so on upwards. */
  #release(first: string): void {
    const open = [first];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = this.#producers.get(name);
      if (node === undefined || !this.#alive.has(node)) continue;
      if (node.outputs.some((output) => output !== '' && (this.users(output).size > 0 || this.isOutput(output)))) continue;
      this.#remove(node);
      for (const output of node.outputs) this.#producers.delete(output);
      open.push(...node.inputs);
    }
  }
}
