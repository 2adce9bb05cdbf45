// How a stage finds its gate: subscribing travels synchronously from the sink up to the source, emitting travels
// synchronously down again. Around both we keep one ambient value in a slot of the realm; no AsyncLocalStorage, no
// RxJS internals. The slot is shared by all copies of the package in a process, so that a second copy is noticed.
import { MaskflowError } from '../errors.js';
import type { Gate } from './gate.js';
import type { Place } from './place.js';
import type { OrderRequest } from './order.js';

export interface Ambient {
  readonly gate: Gate;
  /** While subscribing: the nearest stage of ours below. */
  readonly downstream?: Place;
  /** While emitting: the stage or source of ours that emits. */
  readonly upstream?: Place;
  /** While subscribing per-sample stages: what `epochs` and `shuffle` ask of the source. */
  readonly order?: OrderRequest;
}

interface Slot {
  owner: symbol;
  current: Ambient | undefined;
  /** Runs that are under way in this process. */
  runs: number;
}

const me = Symbol('maskflow copy');
const place = Symbol.for('maskflow.ambient');
const realm = globalThis as unknown as Record<symbol, Slot | undefined>;

function slot(): Slot {
  const existing = realm[place];
  if (existing !== undefined && existing.owner === me) return existing;
  if (existing !== undefined && (existing.current !== undefined || existing.runs > 0)) {
    throw new MaskflowError({
      rule: 'two copies of maskflow are loaded in one process, and a stage of one stands in a run of the other',
      hint: "Import everything from 'maskflow' (not from '../src' or a second installation); `npm ls maskflow` shows where the copies are.",
    });
  }
  const fresh: Slot = { owner: me, current: undefined, runs: 0 };
  realm[place] = fresh;
  return fresh;
}

/** The ambient value here and now: defined while a chain of ours subscribes or emits. */
export function ambient(): Ambient | undefined {
  return slot().current;
}

/** Runs `work` with the ambient value `inner`. */
export function within<T>(inner: Ambient | undefined, work: () => T): T {
  const s = slot();
  const outer = s.current;
  s.current = inner;
  try {
    return work();
  } finally {
    s.current = outer;
  }
}

/** Counts a run as under way until the returned function is called. */
export function enterRun(): () => void {
  const s = slot();
  s.runs++;
  let left = false;
  return () => {
    if (!left) s.runs--;
    left = true;
  };
}

/** Runs under way in this process. */
export function runsUnderWay(): number {
  return slot().runs;
}
