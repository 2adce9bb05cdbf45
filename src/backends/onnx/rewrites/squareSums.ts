// A sum of squares, for the norm of a gradient: one pass that writes nothing, instead of two.
import { rule } from './rule.js';

/** ReduceSum(x · x) → ReduceSumSquare(x), unless the squares serve something else (Adam's second moment). */
export const squareSums = rule((draft) => {
  for (const node of draft.nodes('ReduceSum')) {
    const squares = node.inputs[0] as string;
    const square = draft.from(squares, 'Mul');
    const output = node.outputs[0] as string;
    if (square === undefined || square.inputs[0] !== square.inputs[1] || !draft.isUsedOnce(squares) || draft.type(output) !== 'float32') continue;
    const inputs = [square.inputs[0] as string, ...node.inputs.slice(1)];
    draft.replace(output, draft.add('ReduceSumSquare', inputs, draft.shape(output), { attributes: node.attributes }));
  }
});
