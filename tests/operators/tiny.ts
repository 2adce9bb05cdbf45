// The smallest model that has everything: one weight, one input column, one draw, two outputs. And terms over them.
import type { Tensor } from '@tensorflow/tfjs';
import { type LossTerm, type Program, lazy } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';

/** prediction = w · x + noise; `features` counts how often it was computed. */
export function tiny(computed: { features: number } = { features: 0 }): Program<'prediction' | 'features'> {
  return {
    recipe: recipe('tests', 'tiny'),
    weights: 'student',
    inputs: () => ['x'],
    parameters: () => ({ w: { shape: [], init: { recipe: recipe('tests', 'two'), values: () => Float32Array.of(2) } } }),
    draws: () => ({ noise: { shape: [], law: 'normal' } }),
    config: () => ({ model_type: 'tiny' }),
    build({ w }, { x }, { noise }) {
      return lazy<'prediction' | 'features', Tensor>({
        prediction: () => (w as Tensor).mul(x as Tensor).add(noise as Tensor),
        features: () => {
          computed.features++;
          return (x as Tensor).square();
        },
      });
    },
  };
}

/** Σ weight · (prediction − target)² over rows, and Σ weight. */
export function squared(target: string): LossTerm<'prediction'> {
  return {
    recipe: recipe('tests', 'squared', { target }),
    inputs: () => [target, 'weight'],
    build({ prediction }, columns) {
      const weight = columns.weight as Tensor;
      return {
        sum: prediction
          .sub(columns[target] as Tensor)
          .square()
          .mul(weight)
          .sum(),
        count: weight.sum(),
      };
    },
  };
}

/** Σ features over rows and the number of rows. */
export const size: LossTerm<'features'> = {
  recipe: recipe('tests', 'size'),
  inputs: () => ['x'],
  build: ({ features }) => ({ sum: features.sum(), count: features.onesLike().sum() }),
};
