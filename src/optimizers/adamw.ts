// Adam with decoupled weight decay (Loshchilov and Hutter: "Decoupled weight decay regularization", ICLR 2019, algorithm 2,
// in PyTorch's form: the decay is scaled by the learning rate). tfjs has none; its Adam keeps moments by position.
import * as tf from '@tensorflow/tfjs';
import { check, checkOptions } from '../core/options.js';
import type { Specs, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { constant } from './constant.js';
import type { OptimizerWithSchedule, Schedule } from './schedule.js';

export interface AdamwOptions {
  /** A schedule, or a number for a constant one; default 1e-3. */
  readonly learningRate?: number | Schedule;
  /** Decay of the first moment; default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment; default 0.95 (MAE). */
  readonly beta2?: number;
  /** Added to the root of the second moment; default 1e-8. */
  readonly eps?: number;
  /** Share of a weight that goes per step, before the learning rate; default 0.05 (MAE). */
  readonly weightDecay?: number;
  /** Which parameters do not decay, a pure function; default `noDecayOfVectors`. */
  readonly noDecay?: (name: string, shape: readonly number[]) => boolean;
}

/**
 * The rule of timm and of MAE's code: vectors (scales and biases of norms and layers) and whatever is called bias do not
 * decay. Class and mask tokens are stored as [1, 1, width] and do decay, as they do there.
 */
export function noDecayOfVectors(name: string, shape: readonly number[]): boolean {
  return shape.length <= 1 || name.endsWith('.bias');
}

/**
 * 1 − β^step from float32 scalars without cancellation: −expm1(step · ln β). The direct form loses three digits at
 * β = 0.999 in the first steps.
 */
function correction(beta: number, step: Tensor): Tensor {
  return tf.expm1(step.mul(Math.log(beta))).neg();
}

/**
 * AdamW. Slots `<parameter>.expAvg` and `<parameter>.expAvgSq`, the names and meaning of PyTorch's exp_avg and exp_avg_sq.
 *
 * @example
 * train(adamw({ learningRate: cosine({ peak: 1.5e-3, warmup: 200 }), weightDecay: 0.05 }));
 */
export function adamw(options: AdamwOptions = {}): OptimizerWithSchedule {
  checkOptions('adamw', options, ['learningRate', 'beta1', 'beta2', 'eps', 'weightDecay', 'noDecay']);
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.05, noDecay = noDecayOfVectors } = options;
  for (const [name, beta] of [
    ['beta1', beta1],
    ['beta2', beta2],
  ] as const)
    check(beta > 0 && beta < 1, 'adamw', name, 'must lie between 0 and 1', beta);
  check(Number.isFinite(eps) && eps > 0, 'adamw', 'eps', 'must be a positive number', eps);
  check(Number.isFinite(weightDecay) && weightDecay >= 0, 'adamw', 'weightDecay', 'must be a finite number of at least 0', weightDecay);
  const schedule = typeof learningRate === 'number' ? constant({ peak: learningRate }) : learningRate;
  const rule = noDecay === noDecayOfVectors ? 'noDecayOfVectors' : String(noDecay);
  return {
    recipe: recipe('maskflow/optimizers', 'adamw', { learningRate: schedule.recipe, beta1, beta2, eps, weightDecay, noDecay: rule }),
    learningRate: schedule,
    slots(parameters: Specs): Specs {
      return Object.fromEntries(
        Object.entries(parameters).flatMap(([name, { shape }]) =>
          ['expAvg', 'expAvgSq'].map((slot) => [`${name}.${slot}`, { shape, dtype: 'float32' as const }]),
        ),
      );
    },
    update({ weights, gradients, slots, scalars }) {
      const rate = scalars.learningRate as Tensor;
      const step = scalars.step as Tensor;
      const stepSize = rate.div(correction(beta1, step));
      const root = correction(beta2, step).sqrt();
      const kept = tf.sub(1, rate.mul(weightDecay));
      const next = { weights: {} as Record<string, Tensor>, slots: {} as Record<string, Tensor> };
      for (const [name, gradient] of Object.entries(gradients)) {
        const weight = weights[name] as Tensor;
        const mean = (slots[`${name}.expAvg`] as Tensor).mul(beta1).add(gradient.mul(1 - beta1));
        const square = (slots[`${name}.expAvgSq`] as Tensor).mul(beta2).add(gradient.square().mul(1 - beta2));
        const decayed = weightDecay === 0 || noDecay(name, weight.shape) ? weight : weight.mul(kept);
        next.weights[name] = decayed.sub(mean.mul(stepSize).div(square.sqrt().div(root).add(eps)));
        next.slots[`${name}.expAvg`] = mean;
        next.slots[`${name}.expAvgSq`] = square;
      }
      return next;
    },
  };
}
