// Runs an optimiser on one parameter with given gradients, as an executor would: slots from zeros, step counted from 1.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../src/core/program.js';
import type { OptimizerWithSchedule } from '../../src/optimizers/schedule.js';

/** The weights after each of `steps` updates. `gradient(step, i)` with step from 1. */
export function trajectory(
  optimizer: OptimizerWithSchedule,
  start: readonly number[],
  gradient: (step: number, i: number) => number,
  steps: number,
  { name = 'w', shape = [1, start.length] }: { name?: string; shape?: number[] } = {},
): number[][] {
  const result: number[][] = [];
  const slotSpecs = optimizer.slots({ [name]: { shape, dtype: 'float32' } });
  let weights: Record<string, Tensor> = { [name]: tf.tensor([...start], shape) };
  let slots: Record<string, Tensor> = Object.fromEntries(Object.entries(slotSpecs).map(([slot, spec]) => [slot, tf.zeros([...spec.shape])]));
  for (let step = 1; step <= steps; step++) {
    const next = tf.tidy(() => {
      const gradients = {
        [name]: tf.tensor(
          start.map((_, i) => gradient(step, i)),
          shape,
        ),
      };
      const scalars = { learningRate: tf.scalar(optimizer.learningRate.at({ step: step - 1, progress: (step - 1) / steps })), step: tf.scalar(step) };
      const updated = optimizer.update({ weights, gradients, slots, scalars });
      return { ...updated.weights, ...updated.slots };
    });
    tf.dispose([weights, slots]);
    weights = { [name]: next[name] as Tensor };
    slots = Object.fromEntries(Object.keys(slotSpecs).map((slot) => [slot, next[slot] as Tensor]));
    result.push([...(weights[name] as Tensor).dataSync()]);
  }
  tf.dispose([weights, slots]);
  return result;
}

/** The gradients of the frozen vectors: sin(step + i) · (1 + i). */
export const waves = (step: number, i: number): number => Math.sin(step + i) * (1 + i);
