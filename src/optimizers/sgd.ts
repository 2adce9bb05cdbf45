// Stochastic gradient descent with momentum, in PyTorch's form (Sutskever et al., "On the importance of initialization and
// momentum in deep learning", ICML 2013, with the learning rate outside the velocity).
import { check, checkOptions } from '../core/options.js';
import type { Specs, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { constant } from './constant.js';
import type { OptimizerWithSchedule, Schedule } from './schedule.js';

export interface SgdOptions {
  /** A schedule, or a number for a constant one; default 0.1. */
  readonly learningRate?: number | Schedule;
  /** Share of the velocity that is kept, in [0, 1); default 0. */
  readonly momentum?: number;
  /** Look ahead along the velocity; needs momentum; default false. */
  readonly nesterov?: boolean;
  /** L2 penalty, added to the gradient of every parameter (not decoupled); default 0. */
  readonly weightDecay?: number;
}

/**
 * SGD. One slot, `<parameter>.momentumBuffer`, and none without momentum.
 *
 * @example
 * train(sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }));
 */
export function sgd(options: SgdOptions = {}): OptimizerWithSchedule {
  checkOptions('sgd', options, ['learningRate', 'momentum', 'nesterov', 'weightDecay']);
  const { learningRate = 0.1, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  check(momentum >= 0 && momentum < 1, 'sgd', 'momentum', 'must lie in [0, 1)', momentum);
  check(!nesterov || momentum > 0, 'sgd', 'nesterov', 'needs momentum', momentum, 'Try sgd({ momentum: 0.9, nesterov: true }).');
  check(Number.isFinite(weightDecay) && weightDecay >= 0, 'sgd', 'weightDecay', 'must be a finite number of at least 0', weightDecay);
  const schedule = typeof learningRate === 'number' ? constant({ peak: learningRate }) : learningRate;
  return {
    recipe: recipe('maskflow/optimizers', 'sgd', { learningRate: schedule.recipe, momentum, nesterov, weightDecay }),
    learningRate: schedule,
    slots(parameters: Specs): Specs {
      if (momentum === 0) return {};
      return Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [`${name}.momentumBuffer`, { shape, dtype: 'float32' as const }]));
    },
    update({ weights, gradients, slots, scalars }) {
      const rate = scalars.learningRate as Tensor;
      const next = { weights: {} as Record<string, Tensor>, slots: {} as Record<string, Tensor> };
      for (const [name, raw] of Object.entries(gradients)) {
        const weight = weights[name] as Tensor;
        const gradient = weightDecay === 0 ? raw : raw.add(weight.mul(weightDecay));
        let direction = gradient;
        if (momentum > 0) {
          const velocity = (slots[`${name}.momentumBuffer`] as Tensor).mul(momentum).add(gradient);
          next.slots[`${name}.momentumBuffer`] = velocity;
          direction = nesterov ? gradient.add(velocity.mul(momentum)) : velocity;
        }
        next.weights[name] = weight.sub(direction.mul(rate));
      }
      return next;
    },
  };
}
