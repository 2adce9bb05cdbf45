// Gradients as a handle, wherever their values live: each change makes a new handle and uses the old one up, so that what
// is alive never depends on how many changes there were.
import { MaskflowError } from '../core/errors.js';
import type { Gradients, Tensor } from '../core/program.js';
import { type Values, type WeightValue, sameShape } from './weightSets.js';

/** What handles share with the executor that made them. */
export interface GradientsOwner {
  /** Makes the engine current; throws after `dispose`. */
  readonly enter: () => void;
  /** Handles alive, freed with the executor. */
  readonly alive: Set<{ readonly size: number; free(by: string): void }>;
}

export abstract class GradientHandle<V extends WeightValue, O extends GradientsOwner = GradientsOwner> implements Gradients {
  readonly sum: number;
  readonly count: number;
  protected readonly owner: O;
  readonly #values: Values<V>;
  #used: string | undefined;
  /** Takes over `values`. */
  constructor(owner: O, values: Values<V>, sum: number, count: number) {
    this.owner = owner;
    this.#values = values;
    this.sum = sum;
    this.count = count;
    owner.alive.add(this);
  }

  /** Values alive. */
  get size(): number {
    return this.#used === undefined ? Object.keys(this.#values).length : 0;
  }

  abstract norm(): Promise<number>;
  /** A handle of the same owner. */
  protected abstract make(values: Values<V>, sum: number, count: number): GradientHandle<V, O>;
  protected abstract added(a: Values<V>, b: Values<V>): Values<V>;
  protected abstract scaled(values: Values<V>, by: number): Values<V>;
  protected abstract changed(values: Values<V>, change: (name: string, gradient: Tensor) => Tensor): Values<V>;
  protected abstract release(value: V): void;

  /** The values, for reading; an error where the handle has been used up or belongs to another executor. */
  read(use: string, owner: GradientsOwner = this.owner): Values<V> {
    if (this.#used !== undefined) {
      throw new MaskflowError({
        stage: 'gradients',
        option: use,
        rule: `these gradients were freed by ${this.#used}`,
        hint: 'Use the handle that it returned.',
      });
    }
    if (owner !== this.owner) throw foreign(use);
    owner.enter();
    return this.#values;
  }

  add(other: Gradients): Gradients {
    if (!(other instanceof GradientHandle)) throw foreign('add');
    if (other === this) throw new MaskflowError({ stage: 'gradients', option: 'add', rule: 'gradients cannot be added to themselves', hint: 'Use scale(2).' });
    const a = this.read('add');
    const b = other.read('add', this.owner) as Values<V>;
    const names = Object.keys(a);
    if (names.length !== Object.keys(b).length || names.some((name) => b[name] === undefined)) {
      throw new MaskflowError({ stage: 'gradients', option: 'add', rule: `both must have the parameters ${names.join(', ')}`, value: Object.keys(b) });
    }
    const sums = this.#next(this.added(a, b), 'add', this.sum + other.sum, this.count + other.count);
    other.free('add');
    return sums;
  }

  scale(by: number): Gradients {
    return this.#next(this.scaled(this.read('scale'), by), 'scale');
  }

  map(change: (name: string, gradient: Tensor) => Tensor): Gradients {
    const checked = (name: string, gradient: Tensor): Tensor => {
      const after = change(name, gradient);
      if (sameShape(after.shape, gradient.shape)) return after;
      throw new MaskflowError({
        stage: 'gradients',
        option: 'map',
        rule: `the gradient of ${name} must keep its shape [${gradient.shape.join(', ')}]`,
        value: after.shape,
      });
    };
    return this.#next(this.changed(this.read('map'), checked), 'map');
  }

  dispose(): void {
    this.free('dispose');
  }

  /** Frees the values and remembers by what. */
  free(by: string): void {
    if (this.#used !== undefined) return;
    this.#used = by;
    this.owner.alive.delete(this);
    for (const value of Object.values(this.#values)) this.release(value);
  }

  #next(values: Values<V>, use: string, sum = this.sum, count = this.count): Gradients {
    this.free(use);
    return this.make(values, sum, count);
  }
}

/** The error for gradients of another executor. */
export function foreign(use: string): MaskflowError {
  return new MaskflowError({ stage: 'gradients', option: use, rule: 'these gradients belong to another executor' });
}
