// State that a step lays end to end anyway (rewrites/flatUpdates.ts) can lie end to end in memory: then nothing is copied
// together before the update and apart after it, and a session takes and gives one tensor instead of dozens. A graph reads
// small weights for its layers by name as before: those tensors are views of the vector.
import type { Graph, Node } from './graph.js';
import { nameOutputs } from './rewrites/nameOutputs.js';

/** Values that lie end to end: an input `name`, an output `next/name`. */
export interface StateVector {
  readonly name: string;
  /** Inputs `weights/…` or `slots/…` in their order, by what they are of and their name there. */
  readonly members: readonly (readonly ['weights' | 'slots', string])[];
}

export interface FlatState {
  readonly graph: Graph;
  readonly vectors: readonly StateVector[];
}

/**
 * Takes out what only lays state end to end (Concat of inputs) and apart again (Split into the outputs of the same names, in
 * the same order). The members' outputs go; those that nothing else reads are no inputs any more.
 */
export function flatState(graph: Graph): FlatState {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output): [string, Node] => [output, node])));
  const inputs = new Set(graph.inputs);
  /** The value before a change of its shape. */
  const plain = (value: string): string => {
    const node = producers.get(value);
    return node?.op === 'Reshape' ? (node.inputs[0] as string) : value;
  };
  const taken = new Set<string>();
  const vectors: StateVector[] = [];
  /** What stands for the vectors in the nodes, and what goes out for them. */
  const renamed = new Map<string, string>();
  const outputs = new Map(graph.outputs);
  for (const node of graph.nodes) {
    if (node.op !== 'Concat' || attributeOf(node, 'axis') !== 0) continue;
    const members = node.inputs.map(plain);
    if (!members.every((name) => inputs.has(name) && isState(name) && !taken.has(name)) || new Set(members).size !== members.length) continue;
    const split = splitInto(members, graph, producers, plain);
    if (split === undefined) continue;
    const name = `state/${vectors.length}`;
    vectors.push({ name, members: members.map(partsOf) });
    renamed.set(node.outputs[0] as string, name);
    for (const member of members) {
      taken.add(member);
      outputs.delete(`next/${member}`);
    }
    outputs.set(`next/${name}`, split.inputs[0] as string);
  }
  if (vectors.length === 0) return { graph, vectors };
  // What comes out for a vector was an inner value: by its own name it would be copied out.
  return { graph: nameOutputs(swept(graph, renamed, outputs)), vectors };
}

/** The node whose parts, and nothing else, become the outputs of these members, in their order. */
function splitInto(members: readonly string[], graph: Graph, producers: ReadonlyMap<string, Node>, plain: (value: string) => string): Node | undefined {
  const parts = members.map((member) => plain(graph.outputs.get(`next/${member}`) ?? ''));
  const split = producers.get(parts[0] as string);
  const fits = split?.op === 'Split' && split.outputs.length === parts.length && parts.every((part, i) => part === split.outputs[i]);
  return fits ? split : undefined;
}

function attributeOf({ attributes }: Node, name: string): number | undefined {
  const attribute = attributes[name];
  return attribute !== undefined && 'int' in attribute ? attribute.int : undefined;
}

function partsOf(input: string): readonly ['weights' | 'slots', string] {
  const slash = input.indexOf('/');
  return [input.slice(0, slash) as 'weights' | 'slots', input.slice(slash + 1)];
}

/** The graph with inputs in the place of values, without what nobody reads any more. */
function swept(graph: Graph, renamed: ReadonlyMap<string, string>, outputs: ReadonlyMap<string, string>): Graph {
  const replaced = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((input) => renamed.get(input) ?? input) }));
  const read = new Set(outputs.values());
  const nodes: Node[] = [];
  for (const node of replaced.reverse()) {
    if (!node.outputs.some((output) => read.has(output))) continue;
    for (const input of node.inputs) read.add(input);
    nodes.push(node);
  }
  const values = new Map(graph.values);
  for (const [value, name] of renamed) values.set(name, values.get(value) as NonNullable<ReturnType<typeof values.get>>);
  const inputs = [...graph.inputs.filter((name) => read.has(name) || !isState(name)), ...renamed.values()];
  return { ...graph, inputs, outputs, values, nodes: nodes.reverse() };
}

const isState = (name: string): boolean => name.startsWith('weights/') || name.startsWith('slots/');
