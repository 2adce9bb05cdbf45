import { rule } from './rule.js';

/** Calls what a node makes for an output as the output is called: written as ONNX, an output of another name is a copy. */
export const nameOutputs = rule((draft) => {
  const named = new Set<string>();
  for (const [output, value] of draft.outputs()) {
    if (output === value || named.has(value) || draft.producer(value) === undefined || draft.knows(output)) continue;
    draft.rename(value, output);
    named.add(output);
  }
});
