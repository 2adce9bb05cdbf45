// Parts that are cut from one tensor and laid end to end again in their order are that tensor: the gradients of queries, keys
// and values come out of one product, are cut apart, and meet again in the vector of the update.
import type { Draft } from './draft.js';
import { rule } from './rule.js';

/** Rows of a value, from `start` to before `end`. */
interface Rows {
  readonly of: string;
  readonly start: number;
  readonly end: number;
}

/** Concat(Reshape(Slice(x, 0 … a)), Reshape(Slice(x, a … n))) of vectors → Reshape(x). */
export const joinSlices = rule((draft) => {
  for (const node of draft.nodes('Concat')) {
    const output = node.outputs[0] as string;
    if (draft.shape(output).length !== 1) continue;
    const inputs: string[] = [];
    for (let i = 0; i < node.inputs.length; ) {
      const count = wholeFrom(draft, node.inputs, i);
      const first = node.inputs[i] as string;
      if (count > 1) {
        const { of } = rowsOf(draft, first) as Rows;
        inputs.push(draft.reshape(of, [draft.size(of)]));
      } else inputs.push(first);
      i += count;
    }
    if (inputs.length === node.inputs.length) continue;
    if (inputs.length === 1) draft.replace(output, inputs[0] as string);
    else draft.reconnect(node, inputs);
  }
});

/** How many inputs from `first` on are a whole value, cut along its first axis; 1 where none. */
function wholeFrom(draft: Draft, inputs: readonly string[], first: number): number {
  const begin = rowsOf(draft, inputs[first] as string);
  if (begin === undefined || begin.start !== 0) return 1;
  const total = draft.shape(begin.of)[0] as number;
  let { end } = begin;
  let count = 1;
  while (end < total) {
    const rows = first + count < inputs.length ? rowsOf(draft, inputs[first + count] as string) : undefined;
    if (rows === undefined || rows.of !== begin.of || rows.start !== end) return 1;
    end = rows.end;
    count++;
  }
  return count;
}

/** What this vector holds, if it is rows of something, one after the other. */
function rowsOf(draft: Draft, vector: string): Rows | undefined {
  const slice = draft.from(draft.from(vector, 'Reshape')?.inputs[0] ?? vector, 'Slice');
  if (slice === undefined) return undefined;
  const [of, starts, ends, axes, steps] = slice.inputs as [string, string, string, string?, string?];
  const only = (name: string | undefined): number | undefined => {
    const numbers = draft.integers(name);
    return numbers?.length === 1 ? numbers[0] : undefined;
  };
  const [start, end, axis, step] = [only(starts), only(ends), axes === undefined ? 0 : only(axes), steps === undefined ? 1 : only(steps)];
  const length = draft.shape(of)[0];
  if (start === undefined || end === undefined || axis !== 0 || step !== 1 || length === undefined || start < 0 || end > length || end <= start)
    return undefined;
  return { of, start, end };
}
