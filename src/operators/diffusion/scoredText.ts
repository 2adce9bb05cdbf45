// What likelihood heads score, and how they ask the network.
import { check, checkInteger } from '../../core/options.js';
import { askNetwork } from '../samplers/askNetwork.js';
import type { Network } from '../samplers/network.js';
import { type Seen, positionsOf } from '../samplers/sampler.js';
import { tokenStats } from '../samplers/tokenStats.js';

/** A text of which some tokens are scored, the others given. */
export interface ScoredText {
  /** Token ids, Int32Array [length]. */
  readonly ids: Int32Array;
  /** 1 = scored (the target); 0 = given (the prefix), never hidden. Default: all scored. Uint8Array [length]. */
  readonly scored?: Uint8Array;
}

export interface HeadIds {
  readonly maskId: number;
  /** Ids that have a logit. */
  readonly vocabulary: number;
}

/** One state to ask about: positions that are hidden in it, and those whose cross-entropy is wanted. */
export interface HiddenState {
  readonly hidden: Int32Array;
  readonly wanted: Int32Array;
  readonly time: number;
}

/** The scored positions, ascending; throws for a text that does not fit. */
export function scoredPositions(stage: string, { ids, scored }: ScoredText, { maskId, vocabulary }: HeadIds): Int32Array {
  checkInteger(stage, 'maskId', maskId, 0);
  checkInteger(stage, 'vocabulary', vocabulary);
  check(scored === undefined || scored.length === ids.length, stage, 'scored', `must have one byte for each of the ${ids.length} ids`, scored?.length);
  const positions = scored === undefined ? Int32Array.from(ids.keys()) : positionsOf(scored);
  for (const i of positions) {
    const legal = (ids[i] as number) < vocabulary && ids[i] !== maskId;
    check(legal, stage, 'ids', `must be below ${vocabulary} where they are scored, and not the mask id`, ids[i]);
  }
  return positions;
}

/** −ln p of the true tokens at `wanted` of each state, in nats; [states][wanted]. One network call. */
export async function crossEntropies(network: Network, text: ScoredText, states: readonly HiddenState[], ids: HeadIds): Promise<readonly Float64Array[]> {
  const { maskId, vocabulary } = ids;
  const free = text.scored ?? new Uint8Array(text.ids.length).fill(1);
  const never = maskId < vocabulary ? [maskId] : [];
  const questions = states.map(({ hidden, wanted, time }) => {
    const state = text.ids.slice();
    for (const i of hidden) state[i] = maskId;
    const masked = Uint8Array.from(state, (id) => (id === maskId ? 1 : 0));
    return { row: { ids: state, masked, free }, ask: { time, positions: wanted } };
  });
  const { seen } = await askNetwork(network, questions, { maskId, vocabulary, never });
  return states.map(({ wanted }, s) => {
    const answer = seen[s] as Seen;
    return Float64Array.from(wanted, (position, i) => {
      const from = answer.from(i);
      return tokenStats(answer, from).logSum - (answer.logits[from + (text.ids[position] as number)] as number);
    });
  });
}
