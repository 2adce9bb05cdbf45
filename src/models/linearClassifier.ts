// Multinomial logistic regression on ready features: the head of a linear probe.
import { checkInteger, checkOptions } from '../core/options.js';
import type { Program, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { zeros } from './initializers/zeros.js';
import { linear, linearParameters } from './layers/linear.js';

export interface LinearClassifierOptions {
  /** Width of a feature vector. */
  readonly width: number;
  readonly classes: number;
  /** Weight set; default `probe`. */
  readonly weights?: string;
}

/**
 * `logits` [rows, classes] = features · Wᵀ + b of a column `features` float32 [rows, width]; both start at zero, so the
 * (convex) fit does not depend on a seed.
 *
 * @example
 * const head = linearClassifier({ width: 48, classes: 10 });
 */
export function linearClassifier(options: LinearClassifierOptions): Program<'logits'> {
  checkOptions('linearClassifier', options, ['width', 'classes', 'weights']);
  const { width, classes, weights = 'probe' } = options;
  checkInteger('linearClassifier', 'width', width);
  checkInteger('linearClassifier', 'classes', classes, 2);
  return {
    recipe: recipe('maskflow/models', 'linearClassifier', { width, classes }),
    weights,
    inputs: () => ['features'],
    parameters: () => linearParameters('head', { inputs: width, outputs: classes, init: zeros() }),
    draws: () => ({}),
    build: (parameters, { features }) => ({ logits: linear(parameters, 'head', features as Tensor) }),
  };
}
