// Demand through plain RxJS operators. One gate per subscription; every stage of ours registers a place at it and
// counts what it holds. A source pulls its next item only while every place that its items can reach is below its
// limit and fewer than `prefetch` batches are held in all. RxJS's synchronous operators hold nothing, so they need no
// change. The flow graph between places is learnt: from subscribing (who is below me) and from emitting (who received
// what I emitted), so `share`, `zip`, `groupBy` and inner streams are seen as they really flow.
import { MaskflowError } from '../errors.js';
import { type Key, rootKey } from '../key.js';
import type { Recipe } from '../recipe.js';
import type { Run } from '../run.js';
import { Cursor } from '../cursor.js';
import type { Ambient } from './ambient.js';
import { fillUpWarning } from './fillUp.js';
import { nextTurn } from './nextTurn.js';
import { Place, type Unit } from './place.js';

/** One batch in the step and one in the making; more would only wait, and be cold when their step comes. */
export const usualPrefetch = 2;

export interface GateOptions {
  /** Batches in flight in the whole chain; default 2. */
  readonly prefetch?: number;
  readonly seed?: number;
  readonly cursor?: Cursor;
  readonly run?: Run;
  readonly warn?: (message: string) => void;
  /** Warn when this many samples have entered since something last arrived; default 10,000. */
  readonly warnAfter?: number;
  /** Told of every item that leaves a place: for `describe` and live views. */
  readonly observe?: (place: Place, item: unknown) => void;
}

export class Gate {
  readonly prefetch: number;
  readonly seed: number;
  readonly root: Key;
  readonly cursor: Cursor;
  readonly run: Run | undefined;
  readonly observe: ((place: Place, item: unknown) => void) | undefined;
  /** Batches held now, and the most there ever were. */
  batches = 0;
  /** Places of samples that are at their limit. */
  full = 0;
  mostBatches = 0;
  /** Sources serve nothing while this is true: a run that drains before it stops. */
  paused = false;
  /** What each source will serve, where it knows: the base of learning-rate schedules. */
  readonly totals = new Map<number, { readonly perEpoch: number; readonly epochs: number }>();
  #ending: { readonly position: number; readonly end: () => void }[] = [];
  #sources = 0;
  #places = new Set<Place>();
  #registered = 0;
  #listeners = new Set<() => void>();
  #scheduled = false;
  #open = new Set<Promise<unknown>>();
  #version = 0;
  #moves = 0;
  #underWay = 0;
  /** Work that was still under way a turn of the event loop later. */
  #waiting = 0;
  #watching = false;
  #guessing = new Set<Place>();
  #sinceArrival = 0;
  #warned = false;
  #warnAfter: number;
  #warn: ((message: string) => void) | undefined;

  constructor({ prefetch = usualPrefetch, seed = 0, cursor = new Cursor(), run, warn, warnAfter = 10_000, observe }: GateOptions = {}) {
    if (!Number.isInteger(prefetch) || prefetch < 1) {
      throw new MaskflowError({ stage: 'run', option: 'prefetch', rule: 'must be an integer of at least 1', value: prefetch });
    }
    this.prefetch = prefetch;
    this.seed = seed;
    this.root = rootKey(seed);
    this.cursor = cursor;
    this.run = run;
    this.observe = observe;
    this.#warn = warn;
    this.#warnAfter = warnAfter;
  }

  /** Registers a stage; `current` is the ambient value in which it was subscribed. */
  enter(name: string, recipe: Recipe, options: { unit?: Unit; limit?: number; source?: boolean; current?: Ambient | undefined } = {}): Place {
    const { unit = 'none', limit = Number.POSITIVE_INFINITY, source = false, current } = options;
    const place = new Place(this, name, recipe, unit, limit, this.#registered++, source);
    place.dynamic = current?.upstream !== undefined || current?.downstream?.dynamic === true;
    if (current?.downstream === undefined) place.late = current?.upstream;
    if (current?.downstream !== undefined) place.flowsTo(current.downstream, false);
    this.#places.add(place);
    this.#version++;
    return place;
  }

  leave(place: Place): void {
    if (!this.#places.delete(place)) return;
    place.release(place.held);
    place.unlink();
    this.#version++;
    this.#guessing.delete(place);
    this.changed();
  }

  get places(): ReadonlySet<Place> {
    return this.#places;
  }
  get version(): number {
    return this.#version;
  }
  flowChanged(): void {
    this.#version++;
  }

  nextSource(): number {
    return this.#sources++;
  }

  /** Calls `listener` after every change of what is held, in a microtask, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    if (this.#scheduled || this.#listeners.size === 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Resolves once `holds` is true; checked now and after every change. */
  until(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.onChange(() => {
        if (!holds()) return;
        stop();
        resolve();
      });
    });
  }

  /**
   * Batches that may be held before sources wait: `prefetch` while anything waits for the event loop. Where all happens at
   * once, on the one thread, a batch made ahead gains nothing and is cold when its step comes: then one.
   */
  get ahead(): number {
    return this.#waiting > 0 ? this.prefetch : 1;
  }

  /** Work that will bring something about by itself: while there is any, nobody waits in vain. */
  async working<T>(work: T | Promise<T>): Promise<T> {
    this.#underWay++;
    let ended = false;
    let waiting = false;
    if (this.prefetch > 1) {
      nextTurn(() => {
        if (ended) return;
        waiting = true;
        this.#waiting++;
        this.changed();
      });
    }
    try {
      return await work;
    } finally {
      ended = true;
      if (waiting) this.#waiting--;
      this.#underWay--;
      this.moved();
      if (this.#guessing.size > 0) this.#watch();
    }
  }

  /** Something arrived or was released. */
  moved(): void {
    this.#moves++;
  }

  /**
   * A late place waits for what it only assumes to be below it. That may be a neighbouring branch which, in turn, waits for
   * this place: where nothing at all moves any more, the place that came first goes by what it knows.
   */
  waitsOnGuess(place: Place): void {
    this.#guessing.add(place);
    this.#watch();
  }

  waitsNoMore(place: Place): void {
    this.#guessing.delete(place);
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const before = this.#moves;
    nextTurn(() => {
      this.#watching = false;
      // Work under way calls again when it ends.
      if (this.#underWay > 0 || this.#guessing.size === 0) return;
      if (this.#moves === before) {
        const first = [...this.#guessing].reduce((a, b) => (a.registration < b.registration ? a : b));
        this.#guessing.delete(first);
        first.trust();
        this.changed();
      } else this.#watch();
    });
  }

  /**
   * How far the run is, by the samples that finished steps have used: epoch as a fraction, number of epochs, and share of
   * the whole. Undefined where a source does not know its length. A function of the finished steps alone.
   */
  extent(): { epoch: number; epochs: number; progress: number } | undefined {
    let served = 0;
    let total = 0;
    let epoch = Number.POSITIVE_INFINITY;
    let epochs = 0;
    for (let source = 0; source < this.#sources; source++) {
      const known = this.totals.get(source);
      if (known === undefined) return undefined;
      const next = this.cursor.settled(source).end;
      served += next;
      total += known.perEpoch * known.epochs;
      if (known.perEpoch === 0) continue;
      epoch = Math.min(epoch, next / known.perEpoch);
      epochs = Math.max(epochs, known.epochs);
    }
    return total === 0 ? undefined : { epoch, epochs, progress: served / total };
  }

  /**
   * Ends a collection when its source has ended. Collections that end in the same turn (one per group behind `groupBy`) end
   * in the order of `position`, that of the last sample that each gathered: the order in which RxJS made the groups depends
   * on where a run was resumed, this one does not.
   */
  endInOrder(position: number, end: () => void): void {
    if (this.#ending.push({ position, end }) > 1) return;
    queueMicrotask(() => {
      const ending = this.#ending.sort((a, b) => a.position - b.position);
      this.#ending = [];
      for (const collection of ending) collection.end();
    });
  }

  /** Nothing is held anywhere. */
  idle(): boolean {
    for (const place of this.#places) if (place.held > 0 || place.busy) return false;
    return true;
  }

  /** Work that outlives its subscription (closing a file, a kernel under way); `closed` waits for it. */
  track(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#open.add(settled);
    void settled.then(() => this.#open.delete(settled));
  }

  async closed(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Something went wrong that ends nothing. */
  warn(message: string): void {
    this.#warn?.(message);
  }

  /** A collecting stage says how many samples it gathers, so that gathering is not taken for a blockage. */
  expect(samples: number): void {
    this.#warnAfter = Math.max(this.#warnAfter, 4 * samples);
  }

  /** Something got through: to the end of the chain, to a stage that holds batches, or to a report of drops. */
  arrived(): void {
    this.#sinceArrival = 0;
  }

  entered(): void {
    if (++this.#sinceArrival < this.#warnAfter || this.#warned || this.#warn === undefined) return;
    this.#warned = true;
    this.#warn(fillUpWarning(this.#sinceArrival, [...this.#places]));
  }
}
