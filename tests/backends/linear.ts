// Tiny hand-written programs and an optimiser, for tests of executors.
import * as tf from '@tensorflow/tfjs';
import type { AnyBatch } from '../../src/core/batch.js';
import { fold, normals, rootKey } from '../../src/core/key.js';
import type { Draw, Initializer, Optimizer, Parameter, Program, Tensor } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';

export const gaussian: Initializer = {
  recipe: recipe('tests', 'gaussian'),
  values: (key, shape) =>
    Float32Array.from(
      normals(
        key,
        shape.reduce((a, b) => a * b, 1),
      ),
    ),
};
export const constant = (value: number): Initializer => ({
  recipe: recipe('tests', 'constant', { value }),
  values: (_, shape) => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});

export interface LinearOptions {
  readonly weights?: string;
  readonly draws?: Readonly<Record<string, Draw>>;
  /** Extra parameters and the order in which they are declared. */
  readonly parameters?: Readonly<Record<string, Parameter>>;
  readonly width?: number;
}

/** prediction = x · w + b + offset; loss Σ use · (prediction − y)² over Σ use. `offset` is not trainable. */
export function linear({ weights = 'student', draws = {}, parameters = {}, width = 3 }: LinearOptions = {}): Program<'prediction' | 'loss' | 'noise'> {
  return {
    recipe: recipe('tests', 'linear'),
    weights,
    inputs: ({ columns }) => ['x', 'y', ...('use' in columns ? ['use'] : [])],
    parameters: () => ({
      ...parameters,
      w: { shape: [width], init: gaussian },
      b: { shape: [], init: gaussian },
      offset: { shape: [], init: constant(0.25), trainable: false },
    }),
    draws: () => draws,
    build({ w, b, offset }, { x, y, use }, drawn) {
      const prediction = (x as Tensor)
        .mul(w as Tensor)
        .sum(1)
        .add(b as Tensor)
        .add(offset as Tensor);
      const each = (use ?? tf.onesLike(y as Tensor)).toFloat();
      return {
        prediction,
        loss: {
          sum: prediction
            .sub(y as Tensor)
            .square()
            .mul(each)
            .sum(),
          count: each.sum(),
        },
        noise: Object.keys(drawn).length === 0 ? tf.zeros([1]) : tf.concat(Object.values(drawn), 1),
      };
    },
  };
}

/** A batch of linear data with the ids given; `use` 0 leaves a row out of the loss. */
export function lines(ids: readonly number[], { epoch = 0, use, width = 3 }: { epoch?: number; use?: readonly number[]; width?: number } = {}): AnyBatch {
  const x = ids.flatMap((id) => [...normals(fold(rootKey(7), `x${id}`), width)]);
  const y = ids.map((id) => (normals(fold(rootKey(7), `y${id}`), 1)[0] as number) + 1);
  return {
    rows: ids.length,
    columns: {
      x: { data: Float32Array.from(x), shape: [ids.length, width] },
      y: { data: Float32Array.from(y), shape: [ids.length] },
      caption: { rows: ids.length, values: ids.map((id) => `row ${id}`) },
      unread: { data: Uint8Array.from(ids), shape: [ids.length] },
      ...(use === undefined ? {} : { use: { data: Uint8Array.from(use), shape: [ids.length] } }),
    },
    origins: ids.map((id) => ({ source: 0, id, epoch, position: id })),
    program: undefined,
  };
}

/** SGD with momentum; the velocity of a step is divided by the step's number, so that tests see both scalars arrive. */
export function sgd({ momentum = 0.9 }: { momentum?: number } = {}): Optimizer {
  return {
    recipe: recipe('tests', 'sgd', { momentum }),
    slots: (parameters) => Object.fromEntries(Object.entries(parameters).map(([name, spec]) => [`${name}.velocity`, spec])),
    update({ weights, gradients, slots, scalars: { learningRate, step } }) {
      const next: { weights: Record<string, Tensor>; slots: Record<string, Tensor> } = { weights: {}, slots: {} };
      for (const [name, weight] of Object.entries(weights)) {
        const velocity = (slots[`${name}.velocity`] as Tensor).mul(momentum).add(gradients[name] as Tensor);
        next.slots[`${name}.velocity`] = velocity;
        next.weights[name] = weight.sub(velocity.mul(learningRate as Tensor).div(step as Tensor));
      }
      return next;
    },
  };
}
