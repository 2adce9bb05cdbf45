// From what rows ask to calls of the network: one for each pass that is named, all states of all rows stacked and padded.
import { MaskflowError } from '../../core/errors.js';
import type { Network, NetworkRequest } from './network.js';
import type { Ask, Seen, UnmaskRow } from './sampler.js';

/** What is asked about one row. */
export interface Question {
  readonly row: Pick<UnmaskRow, 'ids' | 'masked' | 'free'>;
  readonly ask: Ask;
}

interface Ids {
  readonly maskId: number;
  readonly vocabulary: number;
  readonly never: readonly number[];
}

/**
 * Answers of the network, one a question; `passes` counts its calls. Questions without positions are answered without it.
 *
 * @throws MaskflowError for states of another length, and for logits of a wrong size
 */
export async function askNetwork(
  network: Network,
  questions: readonly Question[],
  ids: Ids,
): Promise<{ readonly seen: readonly Seen[]; readonly passes: number }> {
  const { vocabulary, never } = ids;
  const seen = questions.map(({ ask }): Seen => ({ ask, logits: new Float32Array(0), vocabulary, never, from: () => 0 }));
  const byPass = new Map<string, number[]>();
  questions.forEach(({ ask }, i) => {
    if (ask.positions.length === 0) return;
    const pass = ask.pass ?? 'full';
    const same = byPass.get(pass);
    if (same === undefined) byPass.set(pass, [i]);
    else same.push(i);
  });
  for (const [pass, members] of byPass) {
    const { request, first } = stacked(
      members.map((i) => questions[i] as Question),
      pass,
      ids.maskId,
    );
    const answer = await network(request);
    const { logits, kept } = answer instanceof Float32Array ? { logits: answer, kept: undefined } : answer;
    const compact = logits.length === request.positions.length * vocabulary;
    if (!compact && logits.length !== request.rows * request.width * vocabulary) {
      throw new MaskflowError({
        stage: 'unmask',
        option: 'network',
        rule: `must answer [${request.positions.length}, ${vocabulary}] logits, or [${request.rows}, ${request.width}, ${vocabulary}]`,
        value: logits.length,
        hint: `The option vocabulary says how many ids have a logit: ${vocabulary}.`,
      });
    }
    members.forEach((i, m) => {
      const { ask } = questions[i] as Question;
      const states = ask.states?.length ?? 1;
      const [row, at] = first[m] as readonly [number, number];
      const count = ask.positions.length;
      const from = compact
        ? (index: number, state = 0): number => (at + state * count + index) * vocabulary
        : (index: number, state = 0): number => ((row + state) * request.width + (ask.positions[index] as number)) * vocabulary;
      seen[i] = { ask, logits, vocabulary, never, from, ...(kept === undefined ? {} : { kept: kept.slice(row, row + states) }) };
    });
  }
  return { seen, passes: byPass.size };
}

/** All states of all questions as one request; `first` has each question's first row and first place among the positions. */
function stacked(
  questions: readonly Question[],
  pass: string,
  maskId: number,
): { readonly request: NetworkRequest; readonly first: readonly (readonly [number, number])[] } {
  const first: (readonly [number, number])[] = [];
  let [rows, wanted, width] = [0, 0, 0];
  for (const { row, ask } of questions) {
    const states = ask.states?.length ?? 1;
    first.push([rows, wanted]);
    rows += states;
    wanted += states * ask.positions.length;
    width = Math.max(width, row.ids.length);
  }
  const ids = new Int32Array(rows * width);
  const masked = new Uint8Array(rows * width);
  const prompt = new Uint8Array(rows * width);
  const lengths = new Int32Array(rows);
  const time = new Float64Array(rows);
  const positions = new Int32Array(wanted);
  const given: unknown[] = [];
  questions.forEach(({ row, ask }, q) => {
    const [begin, at] = first[q] as readonly [number, number];
    (ask.states ?? [row.ids]).forEach((state, s) => {
      if (state.length !== row.ids.length) {
        throw new MaskflowError({
          stage: 'unmask',
          option: 'sampler',
          rule: `a state to look at must have the row's ${row.ids.length} tokens`,
          value: state.length,
        });
      }
      const from = (begin + s) * width;
      ids.set(state, from);
      for (let i = 0; i < state.length; i++) {
        masked[from + i] = state[i] === maskId ? 1 : 0;
        prompt[from + i] = row.free[i] === 1 ? 0 : 1;
      }
      lengths[begin + s] = state.length;
      time[begin + s] = ask.time;
      given.push(ask.given);
      for (let i = 0; i < ask.positions.length; i++) positions[at + s * ask.positions.length + i] = from + (ask.positions[i] as number);
    });
  });
  return { request: { rows, width, ids, masked, prompt, lengths, time, positions, pass, given }, first };
}
