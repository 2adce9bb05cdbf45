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
