// Common subexpressions: what is computed twice is computed once. tfjs's gradients compute 1/σ and x·Φ(x) again.
import type { ConstantData, Node } from '../graph.js';
import { textOf } from './draft.js';
import { rule } from './rule.js';

/** The call as text: equal for equal calls. */
function callOf({ op, domain, inputs, outputs, attributes }: Node): string {
  const names = Object.keys(attributes).sort();
  const options = names.length === 0 ? '' : names.map((name) => `${name}=${JSON.stringify(attributes[name])}`).join();
  return `${domain ?? ''}:${op}(${inputs.join()})${outputs.length}${options}`;
}

/** One node of those that do the same to the same values; one constant of those that hold the same few numbers. */
export const mergeEqual = rule((draft) => {
  const constants = new Map<string, string>();
  const seenConstants = new Set<string>();
  const nodes = new Map<string, Node>();
  for (const node of draft.nodes()) {
    for (const name of node.inputs) {
      const data = draft.constant(name);
      if (data === undefined || seenConstants.has(name)) continue;
      seenConstants.add(name);
      const key = keyOf(data, draft.value(name));
      if (key === undefined) continue;
      const first = constants.get(key);
      if (first === undefined) constants.set(key, name);
      else draft.replace(name, first);
    }
    const text = callOf(node);
    const twin = nodes.get(text);
    if (twin === undefined) nodes.set(text, node);
    else
      node.outputs.forEach((output, i) => {
        const same = twin.outputs[i];
        if (output !== '' && same) draft.replace(output, same);
      });
  }
});

function keyOf(data: ConstantData, { shape, type }: { shape: readonly number[]; type: string }): string | undefined {
  if (data.length > 1024) return undefined;
  return `${type}[${shape}]${textOf(data)}`;
}
