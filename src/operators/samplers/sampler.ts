// The seam of samplers. A sampler is two pure decisions about one row: which outputs it wants (`ask`), and what it does with
// them (`decide`). `unmask` does everything else: it calls the network once for all rows that ask, applies decisions, checks
// them and emits states. Methods that look ahead ask for `states` other than the row's own; methods with a second network or a
// cache name a `pass` and hand it what the last one `kept`; all of them think in several turns by `again`.
import type { Key } from '../../core/key.js';
import type { Recipe } from '../../core/recipe.js';

/** One row while it is unmasked. Immutable: a decision makes a new one. */
export interface UnmaskRow {
  /** Identity of the row: what its draws depend on, beside the seed. */
  readonly id: number;
  /** Token ids, the mask id where `masked`. Int32Array [length]. */
  readonly ids: Int32Array;
  /** 1 = still hidden. Uint8Array [length]. */
  readonly masked: Uint8Array;
  /** 1 = hidden at the start, so to be generated; 0 = prompt, which never changes. Uint8Array [length]. */
  readonly free: Uint8Array;
  /** Steps that the row has made. */
  readonly step: number;
  /** Diffusion time, from 1 (all hidden) down to 0. */
  readonly time: number;
  /** What the sampler has left itself for the next decision. */
  readonly memory?: unknown;
}

/** What a sampler wants to know before it decides. */
export interface Ask {
  /** Time that the network is told, in (0, 1]; networks without a time input ignore it. */
  readonly time: number;
  /** Positions whose logits are wanted, ascending; none: the network is not called for this row. */
  readonly positions: Int32Array;
  /** States to look at instead of the row's own ids, each Int32Array [length]. */
  readonly states?: readonly Int32Array[];
  /** Which network, where there are several (`unmask` calls it once for each name); default `full`. */
  readonly pass?: string;
  /** Anything for that network: what an earlier pass kept, say. */
  readonly given?: unknown;
}

/** The answer: logits of the positions that were asked for. */
export interface Seen {
  readonly ask: Ask;
  readonly logits: Float32Array;
  /** Ids that have a logit: 0 … vocabulary − 1. */
  readonly vocabulary: number;
  /** Ids that are never drawn, ascending: the mask id where it has a logit, and those of `unmask`'s option `never`. */
  readonly never: readonly number[];
  /** Where the logits of `ask.positions[index]` begin, in the given one of `ask.states`. */
  from(index: number, state?: number): number;
  /** What the network kept of each state: hidden features, a cache. */
  readonly kept?: readonly unknown[];
}

export interface Decision {
  /** Positions that become visible, and their tokens. Positions of the prompt are refused. */
  readonly positions: Int32Array;
  readonly tokens: Int32Array;
  /** Visible positions that are hidden first; one that is also in `positions` gets a new token. */
  readonly remask?: Int32Array;
  /** Diffusion time afterwards. */
  readonly time: number;
  readonly memory?: unknown;
  /** True: nothing is written yet and no step is over; ask again. */
  readonly again?: boolean;
}

/**
 * How masks are undone. Both functions are pure: the same row, answer and key give the same decision. A key is that of
 * (seed, row id, step, turn) and its word c2 is 0: a sampler may put numbers of its own there, one for each kind of draw.
 *
 * @example
 * const leftToRight: Sampler = {
 *   recipe: recipe('mine', 'leftToRight'),
 *   ask: ({ masked, time }) => ({ time, positions: Int32Array.of(masked.indexOf(1)) }),
 *   decide: ({ time }, seen, key) => {
 *     beginDraws(key);
 *     return { positions: seen.ask.positions, tokens: Int32Array.of(drawToken(seen, seen.from(0), 1)), time };
 *   },
 * };
 */
export interface Sampler {
  readonly recipe: Recipe;
  ask(row: UnmaskRow, key: Key): Ask;
  decide(row: UnmaskRow, seen: Seen, key: Key): Decision;
}

/** Positions where `flags` is 1, ascending. */
export function positionsOf(flags: Uint8Array): Int32Array {
  let count = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] === 1) count++;
  const positions = new Int32Array(count);
  for (let i = 0, at = 0; i < flags.length; i++) if (flags[i] === 1) positions[at++] = i;
  return positions;
}

/** How many of `flags` are 1. */
export function countOf(flags: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < flags.length; i++) if (flags[i] === 1) count++;
  return count;
}

/** The key of one kind of draw in a decision. */
export const drawsOf = (key: Key, kind: number): Key => ({ ...key, c2: kind });
