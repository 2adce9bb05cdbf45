// The update of a small parameter is a dozen operations that take longer to start than to run, and most parameters are
// small: gains, shifts, biases. Those whose updates are the same operations with the same scalars are laid end to end and
// updated as one vector. No knowledge of an optimiser is needed: outputs that are computed number by number are enough.
import type { Attribute } from '../graph.js';
import type { Draft } from './draft.js';
import { rule } from './rule.js';
import { elementwise, sameShape } from './shapes.js';

/** Numbers of the largest tensor that goes into a vector: beyond it, the copy of the gradient costs more than starts do. */
const LIMIT = 40_000;
/** Fewer than so many tensors stay alone. */
const FEWEST = 3;

/** Batches equal elementwise computations that end in outputs of the graph. */
export const flatUpdates = rule((draft) => {
  const roots = [...new Set(draft.outputs().values())].filter((name) => isStep(draft, name));
  const depths = new Map<string, string>();
  const groups = new Map<string, string[][]>();
  for (const cluster of clusters(draft, roots)) {
    const key = cluster.map((name) => signature(draft, name, depths)).join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [cluster]);
    else group.push(cluster);
  }
  for (const group of groups.values()) if (group.length >= FEWEST) flatten(draft, group);
});

/** Whether a value is small and computed number by number from values of its own shape and scalars. */
function isStep(draft: Draft, name: string): boolean {
  const node = draft.producer(name);
  const size = draft.size(name);
  if (node === undefined || !elementwise.has(node.op) || size < 2 || size > LIMIT || draft.type(name) !== 'float32') return false;
  const shape = draft.shape(name);
  return node.inputs.every((input) => draft.type(input) === 'float32' && (isScalar(draft, input, shape) || sameShape(draft.shape(input), shape)));
}

const isScalar = (draft: Draft, name: string, shape: readonly number[]): boolean => draft.size(name) === 1 && draft.shape(name).length <= shape.length;

/** Roots that are computed from one another belong together: a weight and its moments. */
function clusters(draft: Draft, roots: readonly string[]): string[][] {
  const isRoot = new Set(roots);
  const clusterOf = new Map<string, string[]>();
  for (const root of roots) {
    const cone = new Set([root]);
    const met = new Set([clusterOf.get(root) ?? [root]]);
    for (const name of cone) {
      if (isRoot.has(name)) met.add(clusterOf.get(name) ?? [name]);
      if (isStep(draft, name)) for (const input of draft.producer(name)?.inputs ?? []) if (draft.size(input) > 1) cone.add(input);
    }
    const joined = [...new Set([...met].flat())];
    for (const name of joined) clusterOf.set(name, joined);
  }
  return [...new Set(clusterOf.values())].map((cluster) => cluster.sort((a, b) => roots.indexOf(a) - roots.indexOf(b)));
}

/** The computation as text: operations, attributes, the very scalars; tensors that are not computed number by number are all alike. */
function signature(draft: Draft, name: string, known: Map<string, string>): string {
  if (draft.size(name) === 1) return name;
  let text = known.get(name);
  if (text === undefined) {
    const node = isStep(draft, name) ? draft.producer(name) : undefined;
    text = node === undefined ? '*' : `${node.op}${JSON.stringify(node.attributes)}(${node.inputs.map((input) => signature(draft, input, known)).join()})`;
    known.set(name, text);
  }
  return text;
}

function flatten(draft: Draft, group: readonly (readonly string[])[]): void {
  const known = new Map<string, string>();
  const sizes = group.map(([first]) => draft.size(first as string));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const flat = (names: readonly string[]): string => {
    const [first] = names as [string];
    if (draft.size(first) === 1) return first;
    const key = names.join(' ');
    let made = known.get(key);
    if (made === undefined) {
      const nodes = names.map((name) => (isStep(draft, name) ? draft.producer(name) : undefined));
      const [node] = nodes;
      if (node === undefined) {
        const vectors = names.map((name) => draft.reshape(name, [draft.size(name)]));
        made = draft.add('Concat', vectors, [total], { attributes: { axis: { int: 0 } } });
      } else {
        const inputs = node.inputs.map((input, i) =>
          draft.size(input) === 1 ? draft.reshape(input, []) : flat(nodes.map((each) => each?.inputs[i] as string)),
        );
        made = draft.add(node.op, inputs, [total], { attributes: node.attributes as Readonly<Record<string, Attribute>> });
      }
      known.set(key, made);
    }
    return made;
  };
  // All vectors first: what is replaced is no longer there to be looked at.
  const results = (group[0] as readonly string[]).map((_, i) => group.map((cluster) => cluster[i] as string));
  const vectors = results.map(flat);
  results.forEach((names, i) => {
    const parts = draft.addWide(
      'Split',
      [vectors[i] as string, draft.indices(sizes)],
      sizes.map((size) => [size]),
      { attributes: { axis: { int: 0 } } },
    );
    for (const [k, name] of names.entries()) draft.replace(name, draft.reshape(parts[k] as string, draft.shape(name)));
  });
}
