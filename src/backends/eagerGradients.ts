// Gradients as named tensors of tfjs that live until somebody uses the handle up.
import * as tf from '@tensorflow/tfjs';
import type { Tensor, Tensors } from '../core/program.js';
import { GradientHandle } from './gradientHandle.js';

export class EagerGradients extends GradientHandle<Tensor> {
  async norm(): Promise<number> {
    const tensors = Object.values(this.read('norm'));
    const squares = tf.tidy(() => tf.stack(tensors.map((gradient) => gradient.square().sum())));
    try {
      return Math.sqrt((await squares.data<'float32'>()).reduce((total, square) => total + square, 0));
    } finally {
      squares.dispose();
    }
  }

  protected make(tensors: Tensors, sum: number, count: number): EagerGradients {
    return new EagerGradients(this.owner, tensors, sum, count);
  }

  protected added(a: Tensors, b: Tensors): Tensors {
    return kept(a, (name, gradient) => gradient.add(b[name] as Tensor));
  }

  protected scaled(tensors: Tensors, by: number): Tensors {
    return tf.tidy(() => {
      const factor = tf.scalar(by);
      return kept(tensors, (_, gradient) => gradient.mul(factor));
    });
  }

  protected changed(tensors: Tensors, change: (name: string, gradient: Tensor) => Tensor): Tensors {
    return kept(tensors, change);
  }

  protected release(tensor: Tensor): void {
    tensor.dispose();
  }
}

function kept(before: Tensors, change: (name: string, gradient: Tensor) => Tensor): Tensors {
  const after = tf.tidy(() => {
    const result: Record<string, Tensor> = {};
    // A clone: its own handle on the values, for `change` may answer the very tensor that it was given.
    for (const [name, gradient] of Object.entries(before)) result[name] = change(name, gradient).clone();
    return result;
  });
  for (const tensor of Object.values(after)) tf.keep(tensor);
  return after;
}
