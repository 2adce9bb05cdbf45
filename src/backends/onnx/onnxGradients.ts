// Gradients as arrays on the host. Adding and scaling write into the arrays of the handle that they use up.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';
import { GradientHandle, type GradientsOwner } from '../gradientHandle.js';
import { useBackend } from '../useBackend.js';
import type { Values } from '../weightSets.js';

export interface HostGradient {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

export interface OnnxGradientsOwner extends GradientsOwner {
  /** The sum of all squares, in a turn of its own; `read` is called when the turn has come. */
  squares(read: () => Values<HostGradient>): Promise<number>;
}

/** `map` runs its change on tensors of tfjs's cpu backend: a function of the caller that may read, keep or print them. */
export class OnnxGradients extends GradientHandle<HostGradient, OnnxGradientsOwner> {
  #norms = 0;

  async norm(): Promise<number> {
    this.#norms++;
    try {
      return Math.sqrt(await this.owner.squares(() => this.read('norm')));
    } finally {
      this.#norms--;
    }
  }

  protected make(values: Values<HostGradient>, sum: number, count: number): OnnxGradients {
    return new OnnxGradients(this.owner, values, sum, count);
  }

  protected added(a: Values<HostGradient>, b: Values<HostGradient>): Values<HostGradient> {
    return this.#written(a, (into, from, name) => {
      const { data } = b[name] as HostGradient;
      for (let i = 0; i < into.length; i++) into[i] = (from[i] as number) + (data[i] as number);
    });
  }

  protected scaled(values: Values<HostGradient>, by: number): Values<HostGradient> {
    const factor = Math.fround(by);
    return this.#written(values, (into, from) => {
      for (let i = 0; i < into.length; i++) into[i] = (from[i] as number) * factor;
    });
  }

  protected changed(values: Values<HostGradient>, change: (name: string, gradient: Tensor) => Tensor): Values<HostGradient> {
    useBackend('cpu');
    const after: Record<string, HostGradient> = {};
    for (const [name, { data, shape }] of Object.entries(values)) {
      tf.tidy(() => {
        // Copies on both ways: the cpu backend computes with the very array that it is given, and hands it out.
        after[name] = { data: Float32Array.from(change(name, tf.tensor(data.slice(), [...shape], 'float32')).dataSync()), shape };
      });
    }
    return after;
  }

  protected release(): void {}

  /** In place, unless a norm is being computed from the arrays. */
  #written(values: Values<HostGradient>, write: (into: Float32Array, from: Float32Array, name: string) => void): Values<HostGradient> {
    const after: Record<string, HostGradient> = {};
    for (const [name, { data, shape }] of Object.entries(values)) {
      after[name] = { data: this.#norms === 0 ? data : new Float32Array(data.length), shape };
      write((after[name] as HostGradient).data, data, name);
    }
    return after;
  }
}
