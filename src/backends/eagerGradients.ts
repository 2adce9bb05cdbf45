// Gradients as a handle: named tensors of tfjs that live until somebody uses them up. Each change makes a new handle and
// frees the old one, so that the number of tensors alive never depends on how many changes there were.
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Gradients, Tensor, Tensors } from '../core/program.js';
import { sameShape } from './eagerWeights.js';

/** What handles share with the executor that made them. */
export interface GradientsOwner {
  /** Makes the backend current; throws after `dispose`. */
  readonly enter: () => void;
  /** Handles alive, freed with the executor. */
  readonly alive: Set<EagerGradients>;
}

export class EagerGradients implements Gradients {
  readonly sum: number;
  readonly count: number;
  readonly #tensors: Tensors;
  readonly #owner: GradientsOwner;
  #used: string | undefined;
  /** Takes over `tensors`, which must be kept. */
  constructor(owner: GradientsOwner, tensors: Tensors, sum: number, count: number) {
    this.#owner = owner;
    this.#tensors = tensors;
    this.sum = sum;
    this.count = count;
    owner.alive.add(this);
  }

  /** The tensors, for reading; an error where the handle has been used up or belongs to another executor. */
  read(use: string, owner: GradientsOwner = this.#owner): Tensors {
    if (this.#used !== undefined) {
      throw new MaskflowError({
        stage: 'gradients',
        option: use,
        rule: `these gradients were freed by ${this.#used}`,
        hint: 'Use the handle that it returned.',
      });
    }
    if (owner !== this.#owner) throw new MaskflowError({ stage: 'gradients', option: use, rule: 'these gradients belong to another executor' });
    owner.enter();
    return this.#tensors;
  }

  add(other: Gradients): Gradients {
    if (!(other instanceof EagerGradients)) throw new MaskflowError({ stage: 'gradients', option: 'add', rule: 'these gradients belong to another executor' });
    if (other === this) throw new MaskflowError({ stage: 'gradients', option: 'add', rule: 'gradients cannot be added to themselves', hint: 'Use scale(2).' });
    const [a, b] = [this.read('add'), other.read('add', this.#owner)];
    const names = Object.keys(a);
    if (names.length !== Object.keys(b).length || names.some((name) => b[name] === undefined)) {
      throw new MaskflowError({ stage: 'gradients', option: 'add', rule: `both must have the parameters ${names.join(', ')}`, value: Object.keys(b) });
    }
    const sums = this.#changed((name, gradient) => gradient.add(b[name] as Tensor), 'add', this.sum + other.sum, this.count + other.count);
    other.free('add');
    return sums;
  }

  scale(by: number): Gradients {
    this.read('scale');
    const factor = tf.keep(tf.scalar(by));
    try {
      return this.#changed((_, gradient) => gradient.mul(factor), 'scale');
    } finally {
      factor.dispose();
    }
  }

  async norm(): Promise<number> {
    const tensors = Object.values(this.read('norm'));
    const squares = tf.tidy(() => tf.stack(tensors.map((gradient) => gradient.square().sum())));
    try {
      return Math.sqrt((await squares.data<'float32'>()).reduce((total, square) => total + square, 0));
    } finally {
      squares.dispose();
    }
  }

  map(change: (name: string, gradient: Tensor) => Tensor): Gradients {
    return this.#changed(change, 'map');
  }

  dispose(): void {
    this.free('dispose');
  }

  /** Frees the tensors and remembers by what. */
  free(by: string): void {
    if (this.#used !== undefined) return;
    this.#used = by;
    this.#owner.alive.delete(this);
    for (const tensor of Object.values(this.#tensors)) tensor.dispose();
  }

  #changed(change: (name: string, gradient: Tensor) => Tensor, use: string, sum = this.sum, count = this.count): EagerGradients {
    const before = this.read(use);
    const after = tf.tidy(() => {
      const result: Record<string, Tensor> = {};
      for (const [name, gradient] of Object.entries(before)) {
        const changed = change(name, gradient);
        if (!sameShape(changed.shape, gradient.shape)) {
          throw new MaskflowError({
            stage: 'gradients',
            option: use,
            rule: `the gradient of ${name} must keep its shape [${gradient.shape.join(', ')}]`,
            value: changed.shape,
          });
        }
        result[name] = changed.clone(); // its own handle on the values: `change` may answer the very tensor that it was given
      }
      return result;
    });
    for (const tensor of Object.values(after)) tf.keep(tensor);
    this.free(use);
    return new EagerGradients(this.#owner, after, sum, count);
  }
}
