// One stage of a chain at its gate: what it holds, what it feeds, and whether one more item may leave it.
import { MaskflowError } from '../errors.js';
import { type Key, fold } from '../key.js';
import type { Recipe } from '../recipe.js';
import { type Ambient, within } from './ambient.js';
import type { Gate } from './gate.js';

/** What a place holds: samples (own limit), batches (the gate's budget), or nothing (synchronous stages and sources). */
export type Unit = 'sample' | 'batch' | 'none';

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
  /** Subscribed while something was emitted: inside a group, behind `concat`. */
  dynamic = false;
  /** The place that emitted at the time, where subscribing did not tell what is below. */
  late: Place | undefined;
  readonly #next = new Set<Place>();
  readonly #previous = new Set<Place>();
  #knownBelow: readonly Place[] = [];
  #knownVersion = -1;
  #key: Key | undefined;
  /** Waits for nothing that is only assumed to be below. */
  #trusting = false;

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

  /** Takes this place out of the graph. */
  unlink(): void {
    for (const other of this.#previous) other.#next.delete(this);
    for (const other of this.#next) other.#previous.delete(this);
  }

  /** Records that items go from here to `other`, and refuses a second stage of one name on a path. */
  flowsTo(other: Place, learnt: boolean): void {
    if (this.#next.has(other) || other === this) return;
    this.#next.add(other);
    this.gate.waitsNoMore(this);
    other.#previous.add(this);
    this.gate.flowChanged();
    // Known edges only: what `below` assumes before the first item would take a neighbouring branch for the same chain.
    const below = new Map<string, Place>();
    for (const place of [other, ...other.#reached()]) if (!place.isSource) below.set(place.name, place);
    for (const place of [this, ...this.#ancestors()]) {
      const twin = below.get(place.name);
      // One operator that meets itself (inside `expand`, say) is one stage; two operators of one name are not.
      if (twin === undefined || place.isSource || twin === place || (learnt && twin.recipe === place.recipe)) continue;
      throw new MaskflowError({
        stage: place.name,
        option: 'name',
        rule: `two stages of one chain are named ${JSON.stringify(place.name)}, and a stage's name is the key of its draws and of its state`,
        hint: `Give one of them a name of its own: ${place.recipe.name}(…, { name: '${place.name}2' }).`,
      });
    }
  }

  /** Every place that items from here are known to reach. */
  #known(): readonly Place[] {
    if (this.#knownVersion === this.gate.version) return this.#knownBelow;
    this.#knownBelow = [...this.#reached()];
    this.#knownVersion = this.gate.version;
    return this.#knownBelow;
  }

  /** Is what is below known, and not only assumed? */
  knows(): boolean {
    return this.late === undefined || this.#next.size > 0 || this.#trusting;
  }

  /** Goes by what is known from now on. */
  trust(): void {
    this.#trusting = true;
  }

  /**
   * Every place that items from here can reach. A late place, before its first item arrived somewhere: all that might be
   * below it, but no stage of a neighbouring group, which might be waiting for this one.
   */
  below(): readonly Place[] {
    const { late } = this;
    if (late === undefined || this.knows()) return this.#known();
    const above = this.#ancestors();
    const outer = new Set(late.#known().filter((place) => place.registration < late.registration));
    return [...this.gate.places].filter((place) => place.registration < this.registration && !above.has(place) && (!place.dynamic || outer.has(place)));
  }

  /** Every place that known edges lead to. */
  #reached(): Set<Place> {
    const reached = new Set<Place>();
    const open: Place[] = [...this.#next];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (reached.has(place) || place === this) continue;
      reached.add(place);
      open.push(...place.#next);
    }
    return reached;
  }

  /** Every place that known edges come from. */
  #ancestors(): Set<Place> {
    const found = new Set<Place>();
    const open: Place[] = [...this.#previous];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (found.has(place) || place === this) continue;
      found.add(place);
      open.push(...place.#previous);
    }
    return found;
  }

  /** An item came in: learns from whom, and counts. */
  arrive(current: Ambient | undefined): void {
    this.received++;
    this.gate.moved();
    const from = current?.upstream;
    if (from !== undefined && from.gate === this.gate) from.flowsTo(this, true);
    if (this.unit === 'batch' || this.registration === 0) this.gate.arrived();
  }

  take(): void {
    this.held++;
    if (this.unit === 'sample' && this.held === this.limit) this.gate.full++;
    if (this.unit === 'batch') {
      this.gate.batches++;
      this.gate.mostBatches = Math.max(this.gate.mostBatches, this.gate.batches);
    }
  }

  release(count = 1): void {
    if (count > 0) this.gate.moved();
    if (this.unit === 'sample' && this.held >= this.limit && this.held - count < this.limit) this.gate.full--;
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
    // Where no batch is held below, one may always come: what fills the budget above or beside may be waiting for it.
    if (this.unit !== 'batch' && this.gate.batches >= this.gate.ahead && this.#leadsToBatches()) return false;
    if (this.gate.full === 0) return true;
    // What is only assumed to be below might be a neighbouring branch, which in turn waits for this one.
    for (const place of this.#known()) if (place.unit === 'sample' && place.held >= place.limit) return false;
    return true;
  }

  /** Is a batch held below? Nearest first, so that thousands of groups beside the way to it are not looked through. */
  #leadsToBatches(): boolean {
    const seen = new Set<Place>([this]);
    for (const place of seen) {
      for (const next of place.#next) {
        if (next.unit === 'batch' && next.held > 0) return true;
        seen.add(next);
      }
    }
    return false;
  }

  /** Is nothing held between here and the sink? */
  isQuiet(): boolean {
    const quiet = this.below().every((place) => place.held === 0 && !place.busy);
    if (!this.knows()) {
      if (quiet) this.gate.waitsNoMore(this);
      else this.gate.waitsOnGuess(this);
    }
    return quiet;
  }

  /** Resolves once nothing is held between here and the sink. */
  quiet(): Promise<void> {
    return this.gate.until(() => this.isQuiet());
  }
}
