// Evaluates programs operation by operation on a tfjs backend. Every call runs inside one tidy scope, so that what is
// alive after it is the weights, the gradient handles that are still held, and nothing else.
import * as tf from '@tensorflow/tfjs';
import type { AnyBatch, Column } from '../core/batch.js';
import { checkOptions } from '../core/options.js';
import type { Executor, Gradients, Optimizer, Program, StepOutcome, Tensor, Tensors, UpdateScalars } from '../core/program.js';
import { checkClip } from './checkClip.js';
import { differentiate } from './differentiate.js';
import { EagerGradients } from './eagerGradients.js';
import { type EagerState, eagerState } from './eagerState.js';
import { foreign } from './gradientHandle.js';
import { inputsOf, trainedBy } from './inputsOf.js';
import { located } from './located.js';
import { lossOf, outputOf } from './outputOf.js';
import { slotsOf, updatedBy } from './updatedBy.js';

export interface EagerExecutorOptions {
  /** Name of the backend, which must have been loaded (`createExecutor` does both). */
  readonly backend: string;
  /** The run's seed. */
  readonly seed: number;
  /** Name under which tfjs knows the backend, where it differs: `tensorflow` for tfjs-node. */
  readonly tfjs?: string;
}

/**
 * An executor on a loaded tfjs backend.
 *
 * Gradients of a trainable parameter that the loss does not reach are zeros; that none is reached is an error. A step
 * whose count is 0 has nothing to learn from: it is finite, has gradient norm 0 and writes nothing.
 *
 * @param state what it shares with another executor of the same backend and seed; default: its own
 * @example
 * const executor = eagerExecutor({ backend: 'cpu', seed: 0 });
 */
export function eagerExecutor(options: EagerExecutorOptions, state?: EagerState): Executor {
  checkOptions('eagerExecutor', options, ['backend', 'seed', 'tfjs']);
  const { backend, seed, tfjs = backend } = options;
  const { enter, owner, weights, dispose } = state ?? eagerState({ tfjs, seed });

  const evaluate = async <O extends string>(
    program: Program<O>,
    batch: AnyBatch,
    outputs: readonly O[],
    set: string = program.weights,
  ): Promise<Readonly<Record<O, Column<Float32Array>>>> => {
    enter();
    const wanted = located(program.recipe, () => {
      const { signature, parameters, columns, draws } = inputsOf(program, batch, seed);
      const values = weights.ensure(set, parameters);
      return tf.tidy(() => {
        const built = program.build(values, upload(columns), upload(draws), signature);
        return outputs.map((name) => outputOf(built, name).clone()); // clones: an output may be a weight, which must outlive the read
      });
    });
    try {
      const read = await Promise.all(wanted.map((tensor) => tensor.data()));
      // Copies, for tfjs's cpu backend hands out the very arrays that it computes with.
      return Object.fromEntries(
        outputs.map((name, i) => [name, { data: Float32Array.from(read[i] as ArrayLike<number>), shape: [...(wanted[i] as Tensor).shape] }]),
      ) as unknown as Record<O, Column<Float32Array>>;
    } finally {
      for (const tensor of wanted) tensor.dispose();
    }
  };

  const gradients = async (program: Program<'loss'>, batch: AnyBatch): Promise<EagerGradients> => {
    enter();
    const { found, total } = located(program.recipe, () => {
      const inputs = inputsOf(program, batch, seed);
      const { signature, parameters, columns, draws } = inputs;
      const values = weights.ensure(program.weights, parameters);
      const names = trainedBy(inputs);
      return tf.tidy(() => differentiate(() => lossOf(program.build(values, upload(columns), upload(draws), signature)), names, values));
    });
    try {
      const [sum, count] = (await total.data()) as unknown as [number, number];
      return new EagerGradients(owner, found, sum, count);
    } catch (error) {
      for (const tensor of Object.values(found)) tensor.dispose();
      throw error;
    } finally {
      total.dispose();
    }
  };

  const update = async (optimizer: Optimizer, set: string, handle: Gradients, { learningRate, step }: UpdateScalars): Promise<void> => {
    if (!(handle instanceof EagerGradients)) throw foreign('update');
    const given = handle.read('update', owner);
    const write = (): void => {
      const before = weights.pick(set, Object.keys(given));
      const slots = weights.ensure(`${set}.optimizer`, slotsOf(optimizer, before));
      const after = tf.tidy(() =>
        updatedBy(optimizer, { weights: before, gradients: given, slots, scalars: { learningRate: tf.scalar(learningRate), step: tf.scalar(step) } }),
      );
      for (const tensor of [...Object.values(after.weights), ...Object.values(after.slots)]) tf.keep(tensor);
      weights.replace(set, after.weights);
      weights.replace(`${set}.optimizer`, after.slots);
    };
    try {
      located(optimizer.recipe, write);
    } finally {
      handle.free('update');
    }
  };

  const step = async (
    program: Program<'loss'>,
    batch: AnyBatch,
    optimizer: Optimizer,
    scalars: UpdateScalars,
    limits: { readonly clip?: number },
  ): Promise<StepOutcome> => {
    const clip = checkClip(limits);
    let handle: Gradients = await gradients(program, batch);
    try {
      const { sum, count } = handle;
      if (!Number.isFinite(sum) || !Number.isFinite(count)) return { sum, count, gradientNorm: Number.NaN, finite: false };
      if (count === 0) return { sum, count, gradientNorm: 0, finite: true };
      const gradientNorm = (await handle.norm()) / count;
      if (!Number.isFinite(gradientNorm)) return { sum, count, gradientNorm, finite: false };
      handle = handle.scale((1 / count) * (gradientNorm > clip ? clip / gradientNorm : 1));
      await update(optimizer, program.weights, handle, scalars);
      return { sum, count, gradientNorm, finite: true };
    } finally {
      handle.dispose();
    }
  };

  return { backend, weights, evaluate, gradients, update, step, tensors: () => tf.memory().numTensors, dispose };
}

/** Columns as tensors of the surrounding scope; uint8 becomes int32. */
export function upload(columns: Readonly<Record<string, Column>>): Tensors {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { data, shape }]) => [
      name,
      data instanceof Float32Array
        ? tf.tensor(data, [...shape], 'float32')
        : tf.tensor(data instanceof Uint8Array ? Int32Array.from(data) : data, [...shape], 'int32'),
    ]),
  );
}
