// Demand through plain RxJS operators. One gate per subscription; every stage of ours registers a place at it and
// counts what it holds. A source pulls its next item only while every place that its items can reach is below its
// limit and fewer than `prefetch` batches are held in all. RxJS's synchronous operators hold nothing, so they need no
// change. The flow graph between places is learnt: from subscribing (who is below me) and from emitting (who received
// what I emitted), so `share`, `zip`, `groupBy` and inner streams are seen as they really flow.
import { MaskflowError } from '../errors.js';
import { type Key, fold, rootKey } from '../key.js';
import type { Recipe } from '../recipe.js';
import type { Run } from '../run.js';
import { Cursor } from '../cursor.js';
import { type Ambient, within } from './ambient.js';
import { fillUpWarning } from './fillUp.js';

/** What a place holds: samples (own limit), batches (the gate's budget), or nothing (synchronous stages and sources). */
export type Unit = 'sample' | 'batch' | 'none';

export interface GateOptions {
  /** Batches in flight in the whole chain; default 4. */
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
  #sinceArrival = 0;
  #warned = false;
  #warnAfter: number;
  #warn: ((message: string) => void) | undefined;

  constructor({ prefetch = 4, seed = 0, cursor = new Cursor(), run, warn, warnAfter = 10_000, observe }: GateOptions = {}) {
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

  /** Registers a stage; `downstream` is the nearest stage of ours below it, where subscribing tells. */
  enter(name: string, recipe: Recipe, options: { unit?: Unit; limit?: number; downstream?: Place | undefined; source?: boolean } = {}): Place {
    const { unit = 'none', limit = Number.POSITIVE_INFINITY, downstream, source = false } = options;
    const place = new Place(this, name, recipe, unit, limit, this.#registered++, source);
    if (downstream !== undefined) place.flowsTo(downstream, false);
    this.#places.add(place);
    this.#version++;
    return place;
  }

  leave(place: Place): void {
    if (!this.#places.delete(place)) return;
    place.release(place.held);
    for (const other of this.#places) other.forget(place);
    this.#version++;
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

/** One stage at the gate. */
export class Place {
  held = 0;
  /** Works on something that it has passed on already: counts for quiet, not for demand. */
  busy = false;
  received = 0;
  emitted = 0;
  readonly gate: Gate;
  readonly name: string;
  readonly recipe: Recipe;
  readonly unit: Unit;
  readonly limit: number;
  readonly registration: number;
  readonly isSource: boolean;
  /** The ambient value while this place emits. */
  readonly emitting: Ambient;
  readonly #next = new Set<Place>();
  #below: readonly Place[] = [];
  #belowVersion = -1;
  #key: Key | undefined;

  constructor(gate: Gate, name: string, recipe: Recipe, unit: Unit, limit: number, registration: number, isSource: boolean) {
    this.gate = gate;
    this.name = name;
    this.recipe = recipe;
    this.unit = unit;
    this.limit = limit;
    this.registration = registration;
    this.isSource = isSource;
    this.emitting = { gate, upstream: this };
  }

  /** The stage's key: f(seed, stage name). */
  get key(): Key {
    this.#key ??= fold(this.gate.root, this.name);
    return this.#key;
  }

  get next(): ReadonlySet<Place> {
    return this.#next;
  }

  forget(other: Place): void {
    this.#next.delete(other);
  }

  /** Records that items go from here to `other`, and refuses a second stage of one name on a path. */
  flowsTo(other: Place, learnt: boolean): void {
    if (this.#next.has(other) || other === this) return;
    this.#next.add(other);
    this.gate.flowChanged();
    if (this.isSource) return;
    for (const place of [other, ...other.below()]) {
      // One operator that meets itself (inside `expand`, say) is one stage; two operators of one name are not.
      if (place.name !== this.name || place.isSource || (learnt && place.recipe === this.recipe)) continue;
      throw new MaskflowError({
        stage: this.name,
        option: 'name',
        rule: `two stages of one chain are named ${JSON.stringify(this.name)}, and a stage's name is the key of its draws and of its state`,
        hint: `Give one of them a name of its own: ${this.recipe.name}(…, { name: '${this.name}2' }).`,
      });
    }
  }

  /** Every place that items from here can reach. Before the first item went out: also all that registered earlier and do not lead here. */
  below(): readonly Place[] {
    if (this.#belowVersion === this.gate.version) return this.#below;
    const reached = new Set<Place>();
    const open: Place[] = [...this.#next];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (reached.has(place) || place === this) continue;
      reached.add(place);
      open.push(...place.#next);
    }
    if (this.#next.size === 0) {
      for (const place of this.gate.places) if (place.registration < this.registration && !place.#leadsTo(this)) reached.add(place);
    }
    this.#below = [...reached].filter((place) => this.gate.places.has(place));
    this.#belowVersion = this.gate.version;
    return this.#below;
  }

  #leadsTo(target: Place): boolean {
    const seen = new Set<Place>();
    const open: Place[] = [...this.#next];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (place === target) return true;
      if (seen.has(place)) continue;
      seen.add(place);
      open.push(...place.#next);
    }
    return false;
  }

  /** An item came in: learns from whom, and counts. */
  arrive(current: Ambient | undefined): void {
    this.received++;
    const from = current?.upstream;
    if (from !== undefined && from.gate === this.gate) from.flowsTo(this, true);
    if (this.unit === 'batch' || this.registration === 0) this.gate.arrived();
  }

  take(): void {
    this.held++;
    if (this.unit === 'batch') {
      this.gate.batches++;
      this.gate.mostBatches = Math.max(this.gate.mostBatches, this.gate.batches);
    }
  }

  release(count = 1): void {
    this.held -= count;
    if (this.unit === 'batch') this.gate.batches -= count;
    if (count > 0) this.gate.changed();
  }

  /** Sends one item down to `subscriber`; what is subscribed or received on the way knows that it came from here. */
  emit<T>(subscriber: { next(item: T): void }, item: T): void {
    this.emitted++;
    this.gate.observe?.(this, item);
    within(this.emitting, () => subscriber.next(item));
  }

  /** May one more item leave here? */
  isOpen(): boolean {
    if (this.isSource && this.gate.paused) return false;
    if (this.unit !== 'batch' && this.gate.batches >= this.gate.prefetch) return false;
    for (const place of this.below()) if (place.unit === 'sample' && place.held >= place.limit) return false;
    return true;
  }

  /** Is nothing held between here and the sink? */
  isQuiet(): boolean {
    for (const place of this.below()) if (place.held > 0 || place.busy) return false;
    return true;
  }

  /** Resolves once nothing is held between here and the sink. */
  quiet(): Promise<void> {
    return this.gate.until(() => this.isQuiet());
  }
}
