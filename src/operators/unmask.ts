// Masks undone as a stream: one state a step. The samplers decide (samplers/sampler.ts); this file asks the network for all rows at
// once, applies and checks decisions, and emits. It is a source, so it makes its next step only when those below have room.
import { type Observable, map } from 'rxjs';
import { source } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { type Key, fold, rootKey, sampleKey } from '../core/key.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { UnmaskState } from './canvas.js';
import { askNetwork } from './samplers/askNetwork.js';
import { guided } from './samplers/guided.js';
import type { Network } from './samplers/network.js';
import type { Decision, Sampler, UnmaskRow } from './samplers/sampler.js';

export interface UnmaskOptions {
  /** Where to begin: `canvas(…)`, or a state of an earlier stream. */
  readonly start: UnmaskState;
  /** Id that stands for a hidden token; never drawn. */
  readonly maskId: number;
  /** Ids that have a logit: V. The mask id may be one of them, or V itself. */
  readonly vocabulary: number;
  /** Ids that are never drawn, beside the mask id: padding, say. */
  readonly never?: readonly number[];
  /** w of unsupervised classifier-free guidance (`guided`). Default 0. */
  readonly guidance?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Stage name, the key of its draws; default `unmask`. */
  readonly name?: string;
}

/** Turns of thought (`again`) before a step after which a sampler is taken to be in a loop. */
const mostTurns = 10_000;

/**
 * Emits the state it starts from, then one state a step, and completes when no row has hidden tokens. Each row's tokens depend on
 * the network, the sampler, the seed, the stage's name and the row's id: not on the other rows. To go on from an emitted state,
 * give it as `start`: the rest is the same (with the same sampler, seed and name).
 *
 * @throws MaskflowError in the stream: for options and states that do not fit, logits of a wrong size, decisions that would
 * change a prompt, write a position twice or emit the mask id
 *
 * @example
 * unmask(network, firstHitting(), { start: canvas([[]], { maskId: 0, generate: 64 }), maskId: 0, vocabulary: 1000 })
 *   .subscribe(({ step, rows }) => console.log(step, rows[0].ids));
 */
export function unmask(network: Network, sampler: Sampler, options: UnmaskOptions): Observable<UnmaskState> {
  checkOptions('unmask', options, ['start', 'maskId', 'vocabulary', 'never', 'guidance', 'seed', 'name']);
  const { start, maskId, vocabulary, never = [], guidance = 0, seed = 0, name = 'unmask' } = options;
  check(typeof network === 'function', 'unmask', 'network', 'must be a function of a request', network, 'For a model write networkOf(executor, program).');
  check(typeof sampler?.decide === 'function', 'unmask', 'sampler', 'must be a sampler', sampler, 'Try confidence({ steps: 64 }).');
  check(Array.isArray(start?.rows), 'unmask', 'start', 'must be a state', start, 'Write canvas([[]], { maskId, generate: 64 }).');
  checkInteger('unmask', 'maskId', maskId, 0);
  checkInteger('unmask', 'vocabulary', vocabulary);
  const banned = [...new Set([...never, maskId])].filter((id) => id < vocabulary).sort((a, b) => a - b);
  check(banned.length < vocabulary, 'unmask', 'never', `must leave one of the ${vocabulary} ids`, never);
  for (const row of start.rows) checkRow(row, maskId, vocabulary);
  const key = fold(rootKey(seed), name);
  const asked = guided(network, { weight: guidance, maskId });
  const made = recipe('maskflow/operators', 'unmask', { sampler: sampler.recipe, maskId, vocabulary, never, guidance, seed });
  const states = source(made, () => ({
    async *rows() {
      const keys = start.rows.map(({ id }) => fold(sampleKey(key, { source: 0, id, epoch: 0 }), 'row'));
      let state = start;
      yield { state };
      while (state.rows.some(isHidden)) {
        state = await nextState(state, sampler, asked, { maskId, vocabulary, never: banned }, keys);
        yield { state };
      }
    },
    close() {},
  }));
  return states.pipe(map(({ fields }) => fields.state));
}

interface Ids {
  readonly maskId: number;
  readonly vocabulary: number;
  readonly never: readonly number[];
}

const isHidden = ({ masked }: UnmaskRow): boolean => masked.includes(1);

/** One step of every row that has hidden tokens; rows that think longer hold up the step, not the others' decisions. */
async function nextState(state: UnmaskState, sampler: Sampler, network: Network, ids: Ids, rowKeys: readonly Key[]): Promise<UnmaskState> {
  const rows = [...state.rows];
  let { passes } = state;
  let open = rows.flatMap((row, i) => (isHidden(row) ? [i] : []));
  for (let turn = 0; open.length > 0; turn++) {
    if (turn === mostTurns) throw new MaskflowError({ option: 'sampler', rule: `${sampler.recipe.name} has asked ${turn} times without a decision` });
    // Injective in (row, step, turn); c2 is left to the sampler.
    const keys = open.map((i): Key => ({ ...(rowKeys[i] as Key), c1: (rows[i] as UnmaskRow).step, c2: 0, c3: turn }));
    const located = <T>(j: number, work: () => T): T => {
      const { id, step } = rows[open[j] as number] as UnmaskRow;
      try {
        return work();
      } catch (error) {
        throw inStage(sampler.recipe.name, error, `row ${id}, step ${step}`);
      }
    };
    const asks = open.map((i, j) => located(j, () => sampler.ask(rows[i] as UnmaskRow, keys[j] as Key)));
    const answer = await askNetwork(
      network,
      open.map((i, j) => ({ row: rows[i] as UnmaskRow, ask: asks[j] as (typeof asks)[number] })),
      ids,
    );
    passes += answer.passes;
    open = open.filter((i, j) =>
      located(j, () => {
        const row = rows[i] as UnmaskRow;
        const decision = sampler.decide(row, answer.seen[j] as (typeof answer.seen)[number], keys[j] as Key);
        rows[i] = decision.again === true ? { ...row, memory: decision.memory } : applied(row, decision, ids);
        return decision.again === true;
      }),
    );
  }
  return { step: state.step + 1, passes, rows };
}

/** The row after a decision, or an error where the decision is none. */
function applied(row: UnmaskRow, { positions, tokens, remask = new Int32Array(0), time, memory }: Decision, { maskId, vocabulary }: Ids): UnmaskRow {
  // A step that writes nothing costs nothing: rows are immutable, so their arrays may be shared.
  const writes = positions.length > 0 || remask.length > 0;
  const ids = writes ? row.ids.slice() : row.ids;
  const masked = writes ? row.masked.slice() : row.masked;
  for (const i of remask) {
    if (row.free[i] !== 1) throw new MaskflowError({ rule: 'a sampler may not hide a token of the prompt', value: i });
    if (masked[i] !== 0) throw new MaskflowError({ rule: 'a sampler may hide only what is visible', value: i });
    masked[i] = 1;
    ids[i] = maskId;
  }
  if (tokens.length !== positions.length) throw new MaskflowError({ rule: `${positions.length} positions need as many tokens`, value: tokens.length });
  for (let k = 0; k < positions.length; k++) {
    const [i, token] = [positions[k] as number, tokens[k] as number];
    if (masked[i] !== 1) throw new MaskflowError({ rule: 'a sampler may write hidden positions alone, each once', value: i });
    if (!(token >= 0 && token < vocabulary) || token === maskId)
      throw new MaskflowError({ rule: `a token must be an id below ${vocabulary}, not the mask id`, value: token });
    masked[i] = 0;
    ids[i] = token;
  }
  return { id: row.id, ids, masked, free: row.free, step: row.step + 1, time, ...(memory === undefined ? {} : { memory }) };
}

function checkRow({ id, ids, masked, free }: UnmaskRow, maskId: number, vocabulary: number): void {
  const where = `row ${id}`;
  const fail = (rule: string, value: unknown): never => {
    throw new MaskflowError({ stage: 'unmask', option: 'start', rule, value, where });
  };
  if (masked.length !== ids.length || free.length !== ids.length) fail(`masked and free must have one byte for each of the ${ids.length} ids`, masked.length);
  for (let i = 0; i < ids.length; i++) {
    if ((ids[i] === maskId) !== (masked[i] === 1)) fail('exactly the hidden tokens must have the mask id', ids[i]);
    if (masked[i] === 1 && free[i] !== 1) fail('what is hidden must be free', i);
    if (masked[i] === 0 && (ids[i] as number) >= vocabulary) fail(`tokens must be below the vocabulary of ${vocabulary} ids`, ids[i]);
  }
}
