// From our graph, in ONNX operators, to TensorFlow's: operation by operation, by the tables in operations/.
import { MaskflowError } from '../../core/errors.js';
import type { Graph } from '../onnx/graph.js';
import { Lowering, type Lowers } from './lowering.js';
import { elementwise } from './operations/elementwise.js';
import { moves } from './operations/moves.js';
import { products } from './operations/products.js';
import { reductions } from './operations/reductions.js';
import type { TfNode } from './savedModel.js';

/** What each of our operators is in TensorFlow. */
export const operations: Lowers = { ...elementwise, ...moves, ...products, ...reductions };

export interface TfGraph {
  readonly nodes: readonly TfNode[];
  /** Our input → the node that is fed. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Our output → what is fetched, `node:output`. */
  readonly outputs: ReadonlyMap<string, string>;
}

/**
 * A graph of TensorFlow that computes the same; inputs that nothing reads are left out.
 *
 * @throws MaskflowError that names an operator without a counterpart
 */
export function lower(graph: Graph): TfGraph {
  const lowering = new Lowering(graph);
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.values()]);
  const inputs = new Map<string, string>();
  for (const name of graph.inputs) {
    if (!read.has(name)) continue;
    const { type, shape } = lowering.typeOf(name);
    const fed = lowering.node('Placeholder', [], { type, shape }, { dtype: { type }, shape: { shape } });
    lowering.bind(name, fed);
    inputs.set(name, fed.name.slice(0, -2));
  }
  for (const node of graph.nodes) {
    const lowered = operations[node.op];
    if (lowered === undefined) throw new MaskflowError({ rule: `the graphs of TensorFlow have no operation for ${node.op}` });
    const out = lowered(
      lowering,
      node,
      node.inputs.filter((name) => name !== '').map((name) => lowering.ref(name)),
    );
    const made = 'name' in out ? [out] : out;
    node.outputs.forEach((name, i) => {
      const ref = made[i];
      if (name !== '' && ref !== undefined) lowering.bind(name, ref);
    });
  }
  // What is fed cannot be fetched, and what is fetched twice comes once: each output is a node of its own where it must be.
  const fetched = new Set<string>(inputs.values());
  const outputs = new Map<string, string>();
  for (const [name, value] of graph.outputs) {
    const ref = lowering.ref(value);
    const own = fetched.has(ref.name) || fetched.has(ref.name.slice(0, -2)) ? lowering.same('Identity', [ref], ref.shape) : ref;
    fetched.add(own.name);
    outputs.set(name, own.name);
  }
  return { nodes: needed(lowering.nodes, [...inputs.values(), ...outputs.values()]), inputs, outputs };
}

const nodeOf = (tensor: string): string => tensor.split(':', 1)[0] as string;

/** Without the constants that became attributes. */
function needed(nodes: readonly TfNode[], ends: readonly string[]): readonly TfNode[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const reached = new Set<string>();
  const open = ends.map(nodeOf);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    open.push(...(byName.get(name) as TfNode).inputs.map(nodeOf));
  }
  return nodes.filter(({ name }) => reached.has(name));
}
