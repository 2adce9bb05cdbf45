// Named weight sets as tensors of tfjs that outlive every scope. A value is made by whoever needs it first, and is the
// same whoever that is: a function of (seed, set, parameter).
import * as tf from '@tensorflow/tfjs';
import { type Column, sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { type Key, fold, rootKey } from '../core/key.js';
import { nearest } from '../core/nearest.js';
import type { Parameters, Tensor, Tensors, Weights } from '../core/program.js';

/** The weight sets of one executor; `enter` makes its backend current and refuses after `dispose`. */
export class EagerWeights implements Weights {
  step = 0;
  readonly #sets = new Map<string, Map<string, Tensor>>();
  readonly #root: Key;
  readonly #enter: () => void;
  constructor(seed: number, enter: () => void) {
    this.#root = fold(rootKey(seed), 'weights');
    this.#enter = enter;
  }

  sets(): readonly string[] {
    return [...this.#sets.keys()];
  }

  /** The tensors of `parameters` in `set`; missing ones are made now, present ones must have the shape that is asked for. */
  ensure(set: string, parameters: Parameters): Tensors {
    const values = this.#sets.get(set) ?? new Map<string, Tensor>();
    const tensors: Record<string, Tensor> = {};
    const made = new Map<string, Tensor>();
    const key = fold(this.#root, set);
    try {
      for (const [name, { shape, init }] of Object.entries(parameters)) {
        const present = values.get(name);
        if (present !== undefined && !sameShape(present.shape, shape)) throw shapeError(set, name, present.shape, shape);
        tensors[name] = present ?? upload(set, name, init.values(fold(key, name), shape), shape);
        if (present === undefined) made.set(name, tensors[name]);
      }
    } catch (error) {
      for (const tensor of made.values()) tensor.dispose();
      throw error;
    }
    for (const [name, tensor] of made) values.set(name, tensor);
    this.#sets.set(set, values);
    return tensors;
  }

  /** The present tensors of these names. */
  pick(set: string, names: readonly string[]): Tensors {
    const values = this.#get(set);
    return Object.fromEntries(names.map((name) => [name, values.get(name) ?? this.#missing(set, name)]));
  }

  /** Puts new tensors, kept already, in the place of old ones of the same names and shapes, and frees those. */
  replace(set: string, tensors: Tensors): void {
    const values = this.#get(set);
    for (const [name, tensor] of Object.entries(tensors)) {
      values.get(name)?.dispose();
      values.set(name, tensor);
    }
  }

  async copy(from: string, to: string, mix = 0): Promise<void> {
    this.#enter();
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
    const target = this.#sets.get(to) ?? new Map<string, Tensor>();
    const mixed = tf.tidy(() => {
      const result: Record<string, Tensor> = {};
      for (const [name, value] of source) result[name] = tf.keep(mix === 0 ? value.clone() : (target.get(name) as Tensor).mul(mix).add(value.mul(1 - mix)));
      return result;
    });
    this.#sets.set(to, target);
    this.replace(to, mixed);
  }

  /** A copy of the set on the host, float32, in order of names. */
  async snapshot(set: string): Promise<ReadonlyMap<string, Column<Float32Array>>> {
    this.#enter();
    const entries = [...this.#get(set)].sort(([a], [b]) => (a < b ? -1 : 1));
    const data = await Promise.all(entries.map(([, tensor]) => tensor.data()));
    // A copy: tfjs's cpu backend hands out the very array that it computes with.
    return new Map(entries.map(([name, tensor], i) => [name, { data: Float32Array.from(data[i] as ArrayLike<number>), shape: [...tensor.shape] }]));
  }

  /** Puts these values in the place of the whole set. */
  async restore(set: string, values: ReadonlyMap<string, Column>): Promise<void> {
    this.#enter();
    const restored = new Map<string, Tensor>();
    try {
      for (const [name, { data, shape }] of values) restored.set(name, upload(set, name, Float32Array.from(data), shape));
    } catch (error) {
      for (const tensor of restored.values()) tensor.dispose();
      throw error;
    }
    this.forget(set);
    this.#sets.set(set, restored);
  }

  /** Frees a set; nothing happens where there is none. */
  forget(set: string): void {
    for (const tensor of this.#sets.get(set)?.values() ?? []) tensor.dispose();
    this.#sets.delete(set);
  }

  #get(set: string, hint?: string): Map<string, Tensor> {
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

function upload(set: string, name: string, data: Float32Array, shape: readonly number[]): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new MaskflowError({
      stage: 'weights',
      option: set,
      rule: `parameter ${name} of shape [${shape.join(', ')}] needs ${sizeOf(shape)} values`,
      value: data.length,
    });
  }
  return tf.keep(tf.tensor(data, [...shape], 'float32'));
}

function shapeError(set: string, name: string, present: readonly number[], asked: readonly number[]): MaskflowError {
  return new MaskflowError({
    stage: 'weights',
    option: set,
    rule: `parameter ${name} has shape [${present.join(', ')}] and the program asks for [${asked.join(', ')}]`,
    hint: 'Use the model options with which the set was made, or another weight set.',
  });
}
