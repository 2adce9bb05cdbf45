// An import that works proves nothing about an engine. This runs a real product and a real gradient through the very
// seam that training uses and compares numbers that are exact in float32.
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Column } from '../core/batch.js';
import type { Executor, Optimizer, Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';

const weights = 'backend.verification';

/** y = x · w and the loss Σ y², whose gradient is 2 xᵀ y. */
const program: Program<'product' | 'loss'> = {
  recipe: recipe('maskflow/backends', 'verification'),
  weights,
  inputs: () => ['x'],
  parameters: () => ({ w: { shape: [2, 2], init: { recipe: recipe('maskflow/backends', 'verificationWeights'), values: () => Float32Array.of(5, 6, 7, 8) } } }),
  draws: () => ({}),
  build({ w }, { x }) {
    const product = tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
    return { product, loss: { sum: product.square().sum(), count: tf.scalar(1) } };
  },
};

const descent: Optimizer = {
  recipe: recipe('maskflow/backends', 'verificationDescent'),
  slots: () => ({}),
  update: ({ weights: { w }, gradients, scalars: { learningRate } }) => ({
    weights: { w: (w as tf.Tensor).sub((gradients.w as tf.Tensor).mul(learningRate as tf.Tensor)) },
    slots: {},
  }),
};

/**
 * Proves that an executor multiplies and differentiates.
 *
 * @throws MaskflowError with the numbers that came where they are wrong, or with the engine's own message
 */
export async function verifyExecutor(executor: Executor): Promise<void> {
  const batch = {
    rows: 2,
    columns: { x: { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] } satisfies Column },
    origins: [0, 1].map((id) => ({ source: 0, id, epoch: 0, position: id })),
    program,
  };
  const { product } = await executor.evaluate(program, batch, ['product']);
  expect(executor, 'a product', product.data, [19, 22, 43, 50]);
  await executor.update(descent, weights, await executor.gradients(program, batch), { learningRate: 1, step: 1 });
  expect(executor, 'a gradient', (await executor.weights.snapshot(weights)).get('w')?.data ?? [], [5 - 296, 6 - 344, 7 - 420, 8 - 488]);
  executor.weights.forget(weights);
  executor.weights.forget(`${weights}.optimizer`);
}

function expect(executor: Executor, what: string, got: ArrayLike<number>, wanted: readonly number[]): void {
  if (wanted.every((value, i) => Math.abs(value - (got[i] ?? Number.NaN)) <= 1e-3 * Math.abs(value))) return;
  throw new MaskflowError({
    stage: 'backend',
    option: executor.backend,
    rule: `${what} must come out as ${wanted.join(', ')}`,
    value: Array.from(got),
    hint: 'Use another backend, for example --backend cpu.',
  });
}
