// Named weight sets, wherever their values live. A value is made by whoever needs it first, and is the same whoever that
// is: a function of (seed, set, parameter).
import { type Column, sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { type Key, fold, rootKey } from '../core/key.js';
import { nearest } from '../core/nearest.js';
import type { Parameters, Weights } from '../core/program.js';

/** What an engine keeps for a weight. */
export interface WeightValue {
  readonly shape: readonly number[];
}

/** How an engine makes, reads and frees values. */
export interface WeightStore<V extends WeightValue> {
  /** Makes the engine current; throws after `dispose`. */
  enter(): void;
  /** A value of this data, which it may keep. */
  make(data: Float32Array, shape: readonly number[]): V;
  free(value: V): void;
  /** A copy on the host. */
  read(value: V): Promise<Float32Array>;
  /** mix · to + (1 − mix) · from; `to` may be absent where mix is 0. The answer may be `to` itself, changed. */
  blend(from: V, to: V | undefined, mix: number): V | Promise<V>;
}

export type Values<V> = Readonly<Record<string, V>>;

/** The weight sets of one executor. */
export class WeightSets<V extends WeightValue> implements Weights {
  step = 0;
  readonly #sets = new Map<string, Map<string, V>>();
  /** What was asked for last and found whole, as long as no set has changed: a step asks for the same hundreds of values. */
  readonly #found = new WeakMap<Parameters, { readonly set: string; readonly version: number; readonly values: Values<V> }>();
  #version = 0;
  readonly #root: Key;
  readonly #store: WeightStore<V>;
  constructor(seed: number, store: WeightStore<V>) {
    this.#root = fold(rootKey(seed), 'weights');
    this.#store = store;
  }

  sets(): readonly string[] {
    return [...this.#sets.keys()];
  }

  /** Values alive in all sets. */
  size(): number {
    let values = 0;
    for (const set of this.#sets.values()) values += set.size;
    return values;
  }

  /** The values of `parameters` in `set`; missing ones are made now, present ones must have the shape that is asked for. */
  ensure(set: string, parameters: Parameters): Values<V> {
    const { values, made } = this.prepare(set, parameters);
    this.add(set, made);
    return values;
  }

  /** As `ensure`, but the missing ones (`made`) belong to the caller, who adds them or frees them. */
  prepare(set: string, parameters: Parameters): { readonly values: Values<V>; readonly made: ReadonlyMap<string, V> } {
    const found = this.#found.get(parameters);
    if (found?.version === this.#version && found.set === set) return { values: found.values, made: new Map() };
    const present = this.#sets.get(set);
    const values: Record<string, V> = {};
    const made = new Map<string, V>();
    const key = fold(this.#root, set);
    try {
      for (const [name, { shape, init }] of Object.entries(parameters)) {
        const value = present?.get(name);
        if (value !== undefined && !sameShape(value.shape, shape)) throw shapeError(set, name, value.shape, shape);
        values[name] = value ?? this.#make(set, name, init.values(fold(key, name), shape), shape);
        if (value === undefined) made.set(name, values[name]);
      }
    } catch (error) {
      for (const value of made.values()) this.#store.free(value);
      throw error;
    }
    if (made.size === 0) this.#found.set(parameters, { set, version: this.#version, values });
    return { values, made };
  }

  /** Puts values into a set, which is made where it is missing. */
  add(set: string, made: ReadonlyMap<string, V>): void {
    if (made.size > 0 || !this.#sets.has(set)) this.#version++;
    const values = this.#sets.get(set) ?? new Map<string, V>();
    for (const [name, value] of made) values.set(name, value);
    this.#sets.set(set, values);
  }

  /** The present values of these names. */
  pick(set: string, names: readonly string[]): Values<V> {
    const values = this.#get(set);
    return Object.fromEntries(names.map((name) => [name, values.get(name) ?? this.#missing(set, name)]));
  }

  /** Puts new values in the place of old ones of the same names and shapes, and frees those. */
  replace(set: string, after: Values<V>): void {
    const values = this.#get(set);
    this.#version++;
    for (const [name, value] of Object.entries(after)) {
      const before = values.get(name);
      if (before !== undefined && before !== value) this.#store.free(before);
      values.set(name, value);
    }
  }

  async copy(from: string, to: string, mix = 0): Promise<void> {
    this.#store.enter();
    if (!(mix >= 0 && mix <= 1)) throw new MaskflowError({ stage: 'weights.copy', option: 'mix', rule: 'must lie in [0, 1]', value: mix });
    const source = this.#get(from);
    if (from === to) return;
    if (mix > 0) {
      const target = this.#get(to, 'Copy it once with mix 0, which makes it.');
      for (const [name, { shape }] of source) {
        const present = target.get(name) ?? this.#missing(to, name);
        if (!sameShape(present.shape, shape)) throw shapeError(to, name, present.shape, shape);
      }
    }
    const target = this.#sets.get(to) ?? new Map<string, V>();
    const blended: Record<string, V> = {};
    for (const [name, value] of source) {
      const made = this.#store.blend(value, target.get(name), mix);
      // Where the engine answers at once, nothing comes between.
      blended[name] = made instanceof Promise ? await made : made;
    }
    this.#version++;
    this.#sets.set(to, target);
    this.replace(to, blended);
  }

  /** A copy of the set on the host, float32, in order of names. */
  async snapshot(set: string): Promise<ReadonlyMap<string, Column<Float32Array>>> {
    this.#store.enter();
    const entries = [...this.#get(set)].sort(([a], [b]) => (a < b ? -1 : 1));
    const data = await Promise.all(entries.map(([, value]) => this.#store.read(value)));
    return new Map(entries.map(([name, { shape }], i) => [name, { data: data[i] as Float32Array<ArrayBuffer>, shape: [...shape] }]));
  }

  /** Puts these values in the place of the whole set. */
  async restore(set: string, values: ReadonlyMap<string, Column>): Promise<void> {
    this.#store.enter();
    const restored = new Map<string, V>();
    try {
      for (const [name, { data, shape }] of values) restored.set(name, this.#make(set, name, Float32Array.from(data), shape));
    } catch (error) {
      for (const value of restored.values()) this.#store.free(value);
      throw error;
    }
    this.forget(set);
    this.#version++;
    this.#sets.set(set, restored);
  }

  /** Frees a set; nothing happens where there is none. */
  forget(set: string): void {
    for (const value of this.#sets.get(set)?.values() ?? []) this.#store.free(value);
    this.#version++;
    this.#sets.delete(set);
  }

  #make(set: string, name: string, data: Float32Array, shape: readonly number[]): V {
    if (data.length !== sizeOf(shape)) {
      throw new MaskflowError({
        stage: 'weights',
        option: set,
        rule: `parameter ${name} of shape [${shape.join(', ')}] needs ${sizeOf(shape)} values`,
        value: data.length,
      });
    }
    return this.#store.make(data, shape);
  }

  #get(set: string, hint?: string): Map<string, V> {
    const values = this.#sets.get(set);
    if (values !== undefined) return values;
    const known = this.sets();
    const near = nearest(set, known);
    throw new MaskflowError({
      stage: 'weights',
      option: set,
      rule: 'there is no weight set of this name yet',
      hint: hint ?? (near ? `Did you mean ${near}?` : `Known: ${known.join(', ') || 'none; the first program that reads a set makes it'}.`),
    });
  }

  #missing(set: string, name: string): never {
    const near = nearest(name, this.#get(set).keys());
    throw new MaskflowError({ stage: 'weights', option: set, rule: `the set has no parameter ${name}`, ...(near ? { hint: `Did you mean ${near}?` } : {}) });
  }
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((side, i) => side === b[i]);
}

function shapeError(set: string, name: string, present: readonly number[], asked: readonly number[]): MaskflowError {
  return new MaskflowError({
    stage: 'weights',
    option: set,
    rule: `parameter ${name} has shape [${present.join(', ')}] and the program asks for [${asked.join(', ')}]`,
    hint: 'Use the model options with which the set was made, or another weight set.',
  });
}
