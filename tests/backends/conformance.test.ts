import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChosenBackend } from '../../src/backends/index.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { fold, normals, rootKey } from '../../src/core/key.js';
import { type Executor, type Program, type Tensor, lazy } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';
import { comparedBatch, comparing, comparisonOutputs, comparisons, expectedOf } from './comparisons.js';
import { constant, gaussian, linear, lines, sgd } from './linear.js';
import { operations } from './operations.js';
import { presentBackends, presentOnnxWebgpu, tfjsName } from './presentBackends.js';

const present = await presentBackends();
const onGpu = await presentOnnxWebgpu();
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Float32 operations of this size are right to about 1e-6; gradients chain several. */
function close(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [got[i] as number, wanted[i] as number];
    if (!(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)))) expect.fail(`element ${i}: ${a}, expected ${b} within ${tolerance}`);
  }
}

/** WGSL asks of sin and cos an absolute error of 2⁻¹¹ only, and SwiftShader makes use of that; all else is as exact as elsewhere. */
const tolerance = (backend: string, operation: string, usual: number): number => (backend === 'webgpu' && /^(sin|cos)$/.test(operation) ? 2 ** -11 : usual);

it('runs on the two backends that npm always brings', () => {
  expect(present.map(([name]) => name)).toEqual(expect.arrayContaining(['wasm', 'cpu']));
});

// The compiled engine has no operations outside of a graph: tests/backends/onnx checks those of its tracer.
const eager = present.filter(([name]) => tfjsName(name) in tf.engine().registry);

describe.each(eager)('operations on %s', (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  it.each(operations.map((operation) => [operation.name, operation] as const))(
    '%s',
    async (_, { name: title, shapes, positive, apply, reference, forwardOnly }) => {
      const inputs = shapes.map((shape, i) =>
        Float32Array.from(normals(fold(fold(rootKey(1), title), i), size(shape)), (x) => (positive ? 0.2 + Math.abs(x) : x)),
      );
      const before = { ...tf.memory() };
      const tensors = inputs.map((values, i) => tf.tensor(values, [...(shapes[i] as number[])]));
      const output = tf.tidy(() => apply(...tensors));
      const wanted = reference(...inputs);
      close(await output.data(), wanted, tolerance(name, title, 5e-6));

      if (!forwardOnly) {
        const weights = Float32Array.from(normals(fold(rootKey(2), title), wanted.length));
        const weighted = tf.tensor(weights, output.shape);
        const gradients = tf.tidy(() =>
          tf.grads((...xs: Tensor[]) =>
            apply(...xs)
              .mul(weighted)
              .sum(),
          )(tensors),
        );
        for (const [i, gradient] of gradients.entries()) {
          const values = Float64Array.from(inputs[i] as Float32Array);
          const others = inputs.map((input, j) => (j === i ? values : input));
          const value = (): number => reference(...others).reduce((sum, v, k) => sum + v * (weights[k] as number), 0);
          const slopes = Array.from(values, (x, k) => {
            const h = 1e-5;
            values[k] = x + h;
            const up = value();
            values[k] = x - h;
            const down = value();
            values[k] = x;
            return (up - down) / (2 * h);
          });
          expect(gradient.shape).toEqual(shapes[i]);
          close(await gradient.data(), slopes, tolerance(name, title, 5e-5));
        }
        tf.dispose([weighted, gradients]);
      }
      tf.dispose([tensors, output]);
      const after = tf.memory();
      expect([after.numTensors, after.numDataBuffers, after.numBytes]).toEqual([before.numTensors, before.numDataBuffers, before.numBytes]);
    },
  );
});

describe.each<readonly [string, ChosenBackend]>([...present, ...onGpu])('executor on %s', (_, chosen) => {
  const { name } = chosen;
  let executor: Executor;
  const others: Executor[] = [];
  const another = (seed = 3): Executor => {
    const made = chosen.executor({ seed });
    others.push(made);
    return made;
  };
  let before = 0;
  beforeEach(() => {
    before = tf.memory().numTensors;
    executor = chosen.executor({ seed: 3 });
  });
  afterEach(() => {
    executor.dispose();
    for (const made of others.splice(0)) made.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  const values = async (of: Executor, set = 'student'): Promise<Record<string, number[]>> =>
    Object.fromEntries([...(await of.weights.snapshot(set))].map(([key, { data }]) => [key, [...data]]));
  /** The gradients themselves; uses the handle up. */
  const read = async (handle: Awaited<ReturnType<Executor['gradients']>>): Promise<Record<string, number[]>> => {
    const out: Record<string, number[]> = {};
    const kept: [string, Tensor][] = [];
    handle
      .map((key, gradient) => {
        kept.push([key, tf.keep(gradient.clone())]);
        return gradient;
      })
      .dispose();
    // Not dataSync: a GPU is read asynchronously only.
    for (const [key, gradient] of kept) {
      out[key] = [...(await gradient.data())];
      gradient.dispose();
    }
    return out;
  };

  it('names its backend, and makes it current when another has been chosen', async () => {
    expect(executor.backend).toBe(name);
    await tf.setBackend(name === 'cpu' ? 'wasm' : 'cpu');
    const { prediction } = await executor.evaluate(linear(), lines([0, 1]), ['prediction']);
    // What a caller does with tfjs beside the compiled engine runs on one that computes.
    expect(tf.getBackend()).toBe(name === 'onnx' ? 'cpu' : tfjsName(name));
    expect(prediction.shape).toEqual([2]);
  });

  it('evaluates outputs as host columns, and a loss as sum / count', async () => {
    const batch = lines([0, 1, 2, 3], { use: [1, 0, 1, 1] });
    const { prediction, loss } = await executor.evaluate(linear(), batch, ['prediction', 'loss']);
    const { w, b } = await values(executor);
    const x = batch.columns.x as { data: Float32Array };
    const y = batch.columns.y as { data: Float32Array };
    const wanted = [0, 1, 2, 3].map((r) => [0, 1, 2].reduce((sum, i) => sum + (x.data[3 * r + i] as number) * (w?.[i] as number), (b?.[0] as number) + 0.25));
    close(prediction.data, wanted, 1e-6);
    close(loss.data, [[0, 2, 3].reduce((sum, r) => sum + ((wanted[r] as number) - (y.data[r] as number)) ** 2, 0) / 3], 1e-6);
    expect(loss.shape).toEqual([]);
  });

  it('answers arrays of the caller: writing to them changes neither weights nor inputs', async () => {
    const echo: Program<'w' | 'x'> = { ...linear(), build: ({ w }, { x }) => ({ w: w as Tensor, x: x as Tensor }) };
    const batch = lines([0]);
    const first = await executor.evaluate(echo, batch, ['w', 'x']);
    const kept = [...first.w.data];
    const kept2 = [...first.x.data];
    first.w.data.fill(9);
    first.x.data.fill(9);
    (await executor.weights.snapshot('student')).get('w')?.data.fill(9);
    const second = await executor.evaluate(echo, batch, ['w', 'x']);
    expect([...second.w.data]).toEqual(kept);
    expect([...second.x.data]).toEqual(kept2);
  });

  it('computes only the outputs that are asked for, and uploads only the columns that are read', async () => {
    let costly = 0;
    let columns: string[] = [];
    const program: Program<'cheap' | 'costly'> = {
      ...linear(),
      build(_, given) {
        columns = Object.keys(given);
        return lazy<'cheap' | 'costly', Tensor>({
          cheap: () => tf.ones([2]),
          costly: () => {
            costly++;
            return tf.ones([2]);
          },
        });
      },
    };
    await executor.evaluate(program, lines([0, 1]), ['cheap']);
    expect(costly).toBe(0);
    expect(columns).toEqual(['x', 'y']);
    await executor.evaluate(program, lines([0, 1]), ['cheap', 'costly']);
    expect(costly).toBe(1);
  });

  it('uploads uint8 as int32', async () => {
    const program: Program<'dtype'> = {
      ...linear(),
      inputs: () => ['unread'],
      build: (_, { unread }) => ({ dtype: (unread as Tensor).dtype === 'int32' ? (unread as Tensor).toFloat() : tf.zeros([0]) }),
    };
    expect([...(await executor.evaluate(program, lines([5, 250]), ['dtype'])).dtype.data]).toEqual([5, 250]);
  });

  it('moves what a comparison answered as the numbers that it is', async () => {
    // Each shape is a program of its own to compile.
    await fc.assert(
      fc.asyncProperty(comparisons, async (comparison) => {
        const got = await executor.evaluate(comparing(comparison), comparedBatch(comparison), comparisonOutputs);
        const wanted = expectedOf(comparison);
        for (const output of comparisonOutputs) close(got[output].data, wanted[output], 1e-6);
      }),
      { numRuns: 15, seed: 1 },
    );
  });

  it('differentiates the sum of the loss: 2 xᵀ r', async () => {
    const batch = lines([0, 1, 2, 3]);
    const { prediction } = await executor.evaluate(linear(), batch, ['prediction']);
    const handle = await executor.gradients(linear(), batch);
    const x = batch.columns.x as { data: Float32Array };
    const y = batch.columns.y as { data: Float32Array };
    const r = [...prediction.data].map((p, i) => p - (y.data[i] as number));
    close([handle.sum, handle.count], [r.reduce((sum, v) => sum + v * v, 0), 4], 1e-6);
    const wanted = {
      w: [0, 1, 2].map((i) => 2 * r.reduce((sum, v, row) => sum + v * (x.data[3 * row + i] as number), 0)),
      b: [2 * r.reduce((sum, v) => sum + v, 0)],
    };
    close([await handle.norm()], [Math.hypot(...wanted.w, ...wanted.b)], 1e-5);
    const got = await read(handle);
    expect(Object.keys(got)).toEqual(['w', 'b']);
    close(got.w ?? [], wanted.w, 1e-5);
    close(got.b ?? [], wanted.b, 1e-5);
  });

  it('adds gradients of unequal parts to those of the whole', async () => {
    const whole = await executor.gradients(linear(), lines([0, 1, 2, 3, 4], { use: [1, 1, 0, 1, 1] }));
    const a = await executor.gradients(linear(), lines([0], { use: [1] }));
    const b = await executor.gradients(linear(), lines([1, 2, 3, 4], { use: [1, 0, 1, 1] }));
    const both = a.add(b);
    expect(both.count).toBe(4);
    close([both.sum], [whole.sum], 1e-6);
    const [got, wanted] = [await read(both), await read(whole)];
    for (const key of ['w', 'b']) close(got[key] ?? [], wanted[key] ?? [], 1e-5);
  });

  it('scales and maps gradients by name', async () => {
    const first = await read(await executor.gradients(linear(), lines([0, 1])));
    const scaled = (await executor.gradients(linear(), lines([0, 1]))).scale(0.5).map((key, gradient) => (key === 'b' ? gradient.zerosLike() : gradient));
    const got = await read(scaled);
    expect(got.w).toEqual(first.w?.map((v) => v / 2));
    expect(got.b).toEqual([0]);
  });

  it('says which use freed a handle, and refuses foreign handles', async () => {
    const handle = await executor.gradients(linear(), lines([0]));
    const scaled = handle.scale(2);
    expect(() => handle.scale(2)).toThrow(/gradients\.scale: these gradients were freed by scale\. Use the handle that it returned/);
    expect(() => scaled.add(scaled)).toThrow(/cannot be added to themselves\. Use scale\(2\)/);
    const foreign = await another().gradients(linear(), lines([0]));
    expect(() => scaled.add(foreign)).toThrow(/belong to another executor/);
    await expect(executor.update(sgd(), 'student', foreign, { learningRate: 1, step: 1 })).rejects.toThrow(/belong to another executor/);
    expect(() => scaled.map((_, gradient) => gradient.expandDims(0))).toThrow(/the gradient of w must keep its shape \[3\]; got \[1,3\]/);
    await executor.update(sgd(), 'student', scaled, { learningRate: 1, step: 1 });
    await expect(scaled.norm()).rejects.toThrow(/freed by update/);
    foreign.dispose();
    foreign.dispose();
  });

  it('updates from gradients of the mean; learning rate and step are inputs', async () => {
    await executor.evaluate(linear(), lines([0]), ['prediction']);
    const start = await values(executor);
    const gradient = await read((await executor.gradients(linear(), lines([0, 1]))).scale(0.5));
    await executor.update(sgd(), 'student', (await executor.gradients(linear(), lines([0, 1]))).scale(0.5), { learningRate: 0.1, step: 4 });
    const next = await values(executor);
    close(
      next.w ?? [],
      (start.w ?? []).map((v, i) => v - (0.1 / 4) * (gradient.w?.[i] as number)),
      1e-6,
    );
    expect(next.offset).toEqual(start.offset);
    expect(await values(executor, 'student.optimizer')).toEqual({ 'b.velocity': gradient.b, 'w.velocity': gradient.w });
  });

  it('a step equals gradients, scale and update, byte for byte', async () => {
    const other = another();
    for (let step = 1; step <= 4; step++) {
      const batch = lines([step, step + 1, step + 2]);
      const outcome = await executor.step(linear(), batch, sgd(), { learningRate: 0.05, step }, {});
      const handle = await other.gradients(linear(), batch);
      expect(outcome).toEqual({ sum: handle.sum, count: 3, gradientNorm: (await handle.norm()) / 3, finite: true });
      await other.update(sgd(), 'student', handle.scale(1 / handle.count), { learningRate: 0.05, step });
    }
    expect(await values(executor)).toEqual(await values(other));
    expect(await values(executor, 'student.optimizer')).toEqual(await values(other, 'student.optimizer'));
  });

  it('clips to the global norm and reports the norm before it', async () => {
    await executor.evaluate(linear(), lines([0]), ['prediction']);
    const start = await values(executor);
    const { gradientNorm } = await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 1, step: 1 }, { clip: 0.01 });
    const next = await values(executor);
    expect(gradientNorm).toBeGreaterThan(0.01);
    close([Math.hypot(...['w', 'b'].flatMap((key) => (next[key] ?? []).map((v, i) => v - (start[key]?.[i] as number))))], [0.01], 1e-5);
    await expect(executor.step(linear(), lines([0]), sgd(), { learningRate: 1, step: 1 }, { clip: 0 })).rejects.toThrow(
      /step\.clip: must be a positive number; got 0/,
    );
  });

  it('writes nothing where loss or gradient is not finite', async () => {
    await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 0.1, step: 1 }, {});
    const [weights, slots] = [await values(executor), await values(executor, 'student.optimizer')];
    const broken = lines([0, 1]);
    (broken.columns.x as { data: Float32Array }).data[2] = Number.NaN;
    expect(await executor.step(linear(), broken, sgd(), { learningRate: 0.1, step: 2 }, {})).toMatchObject({ finite: false, count: 2 });
    // √w at w = 0: the loss is 0, its gradient infinite.
    const cusp: Program<'loss'> = {
      ...linear({ weights: 'cusp' }),
      parameters: () => ({ w: { shape: [2], init: constant(0) } }),
      build: ({ w }) => ({ loss: { sum: (w as Tensor).sqrt().sum(), count: tf.scalar(1) } }),
    };
    expect(await executor.step(cusp, lines([0]), sgd(), { learningRate: 0.1, step: 2 }, {})).toEqual({
      sum: 0,
      count: 1,
      gradientNorm: Number.POSITIVE_INFINITY,
      finite: false,
    });
    expect([await values(executor), await values(executor, 'student.optimizer')]).toEqual([weights, slots]);
    expect((await values(executor, 'cusp')).w).toEqual([0, 0]);
    expect(executor.weights.sets()).not.toContain('cusp.optimizer');
  });

  it('learns nothing from a batch that counts nothing', async () => {
    await executor.evaluate(linear(), lines([0]), ['prediction']);
    const start = await values(executor);
    expect(await executor.step(linear(), lines([0, 1], { use: [0, 0] }), sgd(), { learningRate: 1, step: 1 }, {})).toEqual({
      sum: 0,
      count: 0,
      gradientNorm: 0,
      finite: true,
    });
    expect(await values(executor)).toEqual(start);
  });

  it('first values depend on seed, set and parameter, not on who comes first', async () => {
    const head = { head: { shape: [2, 2], init: gaussian } };
    const other = another();
    await executor.evaluate(linear({ weights: 'teacher' }), lines([0]), ['prediction']);
    await executor.evaluate(linear({ parameters: head }), lines([0]), ['prediction']);
    await other.evaluate(linear(), lines([1]), ['prediction']);
    await other.evaluate(linear({ parameters: head }), lines([0]), ['prediction']);
    await other.evaluate(linear(), lines([2]), ['prediction'], 'teacher');
    expect(await values(other)).toEqual(await values(executor));
    expect(await values(other, 'teacher')).toEqual(await values(executor, 'teacher'));
    expect((await values(executor)).w).not.toEqual((await values(executor, 'teacher')).w);
    const seeded = another(4);
    await seeded.evaluate(linear(), lines([0]), ['prediction']);
    expect((await values(seeded)).w).not.toEqual((await values(executor)).w);
  });

  it('draws depend on the sample, not on its batch', async () => {
    const program = linear({ draws: { a: { shape: [4], law: 'normal' }, b: { shape: [2], law: 'uniform' }, c: { shape: [1], law: 'gumbel' } } });
    const many = (await executor.evaluate(program, lines([4, 5, 6]), ['noise'])).noise;
    const one = (await executor.evaluate(program, lines([5]), ['noise'])).noise;
    expect(many.shape).toEqual([3, 7]);
    expect([...one.data]).toEqual([...many.data.slice(7, 14)]);
    const later = (await executor.evaluate(program, lines([5], { epoch: 1 }), ['noise'])).noise;
    expect([...later.data]).not.toEqual([...one.data]);
    const elsewhere = (await executor.evaluate(program, lines([5]), ['noise'], 'teacher')).noise;
    expect([...elsewhere.data]).toEqual([...one.data]);
  });

  it('copies and mixes sets, and evaluates with another one', async () => {
    const program = linear();
    await executor.evaluate(program, lines([0]), ['prediction']);
    await expect(executor.weights.copy('student', 'teacher', 0.9)).rejects.toThrow(
      /weights\.teacher: there is no weight set of this name yet\. Copy it once with mix 0/,
    );
    await executor.weights.copy('student', 'teacher');
    const start = await values(executor, 'teacher');
    expect(start).toEqual(await values(executor));
    await executor.step(program, lines([0, 1, 2]), sgd(), { learningRate: 0.1, step: 1 }, {});
    const moved = await values(executor);
    expect(await values(executor, 'teacher')).toEqual(start);
    await executor.weights.copy('student', 'teacher', 0.75);
    close(
      (await values(executor, 'teacher')).w ?? [],
      (start.w ?? []).map((v, i) => 0.75 * v + 0.25 * (moved.w?.[i] as number)),
      1e-6,
    );
    const [mine, theirs] = [
      await executor.evaluate(program, lines([0]), ['prediction']),
      await executor.evaluate(program, lines([0]), ['prediction'], 'teacher'),
    ];
    expect(mine.prediction.data[0]).not.toBe(theirs.prediction.data[0]);
    await expect(executor.weights.copy('studnet', 'teacher')).rejects.toThrow(/Did you mean student\?/);
    await expect(executor.weights.copy('student', 'teacher', 2)).rejects.toThrow(/mix: must lie in \[0, 1\]; got 2/);
  });

  it('restores a snapshot exactly, and goes on as if nothing had happened', async () => {
    const other = another(99);
    await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 0.1, step: 1 }, {});
    for (const set of ['student', 'student.optimizer']) await other.weights.restore(set, await executor.weights.snapshot(set));
    for (const of of [executor, other]) await of.step(linear(), lines([2, 3]), sgd(), { learningRate: 0.1, step: 2 }, {});
    expect(await values(other)).toEqual(await values(executor));
    expect(await values(other, 'student.optimizer')).toEqual(await values(executor, 'student.optimizer'));
    other.weights.forget('student.optimizer');
    other.weights.forget('never there');
    expect(other.weights.sets()).toEqual(['student']);
    await expect(other.weights.snapshot('student.optimizer')).rejects.toThrow(/there is no weight set of this name yet/);
  });

  it('names set, parameter and both shapes where they do not fit', async () => {
    await executor.weights.restore('student', new Map([['w', { data: Float32Array.of(1, 2), shape: [2] }]]));
    const sets = executor.weights.sets();
    await expect(executor.evaluate(linear(), lines([0]), ['prediction'])).rejects.toThrow(
      /weights\.student: parameter w has shape \[2\] and the program asks for \[3\].*in tests linear/,
    );
    expect(executor.weights.sets()).toEqual(sets);
    await expect(executor.weights.restore('student', new Map([['w', { data: Float32Array.of(1, 2), shape: [3] }]]))).rejects.toThrow(
      /parameter w of shape \[3\] needs 3 values; got 2/,
    );
    expect(await values(executor)).toEqual({ w: [1, 2] });
    const short = linear({
      weights: 'short',
      parameters: { first: { shape: [2], init: gaussian }, second: { shape: [2], init: { ...gaussian, values: () => new Float32Array(3) } } },
    });
    await expect(executor.evaluate(short, lines([0]), ['prediction'])).rejects.toThrow(/weights\.short: parameter second of shape \[2\] needs 2 values; got 3/);
    expect(executor.weights.sets()).toEqual(sets);
  });

  it('differentiates programs that differentiate inside (attacks)', async () => {
    // The attacked input x + ∂(x·w)²/∂x = x + 2 (x·w) w, so the loss is cubic in w; checked against finite differences.
    const program: Program<'loss'> = {
      ...linear({ weights: 'attacked' }),
      parameters: () => ({ w: { shape: [3], init: constant(0.5) } }),
      build({ w }, { x }) {
        const score = (input: Tensor): Tensor => input.mul(w as Tensor).sum(1);
        const attacked = (x as Tensor).add(tf.grad((input) => score(input).square().sum())(x as Tensor));
        return { loss: { sum: score(attacked).sum(), count: tf.scalar(1) } };
      },
    };
    const batch = lines([0, 1]);
    const got = await read(await executor.gradients(program, batch));
    const x = (batch.columns.x as { data: Float32Array }).data;
    const loss = (w: number[]): number =>
      [0, 1].reduce(
        (sum, r) => sum + [0, 1, 2].reduce((s, i) => s + (x[3 * r + i] as number) * (w[i] as number), 0) * (1 + 2 * w.reduce((s, v) => s + v * v, 0)),
        0,
      );
    close(
      got.w ?? [],
      [0, 1, 2].map((i) => (loss([0, 1, 2].map((j) => 0.5 + (i === j ? 1e-5 : 0))) - loss([0, 1, 2].map((j) => 0.5 - (i === j ? 1e-5 : 0)))) / 2e-5),
      1e-4,
    );
  });

  it('gives zeros to a parameter that the loss does not reach, and refuses a loss that reaches none', async () => {
    const got = await read(await executor.gradients(linear({ parameters: { idle: { shape: [2], init: gaussian } } }), lines([0])));
    expect(got.idle).toEqual([0, 0]);
    const still: Program<'loss'> = { ...linear(), build: () => ({ loss: { sum: tf.scalar(1), count: tf.scalar(1) } }) };
    await expect(executor.gradients(still, lines([0]))).rejects.toThrow(/linear: no trainable parameter reaches the loss.*in tests linear/);
    const fixed: Program<'loss'> = { ...linear({ weights: 'fixed' }), parameters: () => ({ w: { shape: [3], init: gaussian, trainable: false } }) };
    await expect(executor.gradients(fixed, lines([0]))).rejects.toThrow(/the program has no trainable parameters/);
  });

  it('errors name the program, the way out, and leave no tensor', async () => {
    await executor.step(linear(), lines([0]), sgd(), { learningRate: 0.1, step: 1 }, {});
    const alive = executor.tensors();
    const failing = (build: Program<'loss'>['build']): Program<'loss'> => ({
      ...linear(),
      recipe: { module: 'maskflow/operators', name: 'loss', options: { of: recipe('tests', 'broken') } },
      build,
    });
    const forward = failing(({ w }) => {
      (w as Tensor).square().exp();
      throw new Error('sides must fit.');
    });
    await expect(executor.gradients(forward, lines([0]))).rejects.toThrow('loss: sides must fit (in maskflow/operators loss of tests broken).');
    await expect(executor.evaluate(forward, lines([0]), ['loss'])).rejects.toThrow(/sides must fit/);
    const backward = failing(({ w }) => {
      const blocked = tf.customGrad((x) => ({
        value: (x as Tensor).clone(),
        gradFunc: () => {
          throw new Error('no way back');
        },
      }));
      return {
        loss: {
          sum: blocked((w as Tensor).square())
            .exp()
            .sum(),
          count: tf.scalar(1),
        },
      };
    });
    await expect(executor.gradients(backward, lines([0]))).rejects.toThrow(/no way back/);
    await expect(
      executor.gradients(
        failing(({ w }) => ({ loss: { sum: w as Tensor, count: tf.scalar(1) } })),
        lines([0]),
      ),
    ).rejects.toThrow(/loss\.sum: must be a scalar; got \[3\]/);
    await expect(executor.evaluate(linear(), lines([0]), ['predictoin' as 'prediction'])).rejects.toThrow(
      /predictoin: the program has no such output.*Did you mean prediction\?/,
    );
    const { y: _, ...columns } = lines([0]).columns;
    await expect(executor.evaluate(linear(), { ...lines([0]), columns }, ['prediction'])).rejects.toThrow(
      /linear\.y: the batch has no such column.*Columns with numbers: x, unread/,
    );
    await expect(executor.evaluate({ ...linear(), inputs: () => ['caption'] }, lines([0]), ['prediction'])).rejects.toThrow(
      /caption: the column holds no numbers/,
    );
    const careless = { ...sgd(), update: () => ({ weights: {}, slots: {} }) };
    await expect(executor.step(linear(), lines([0]), careless, { learningRate: 1, step: 2 }, {})).rejects.toThrow(
      /sgd\.w: the optimizer must answer a weight of shape \[3\]; got undefined/,
    );
    expect(executor.tensors()).toBe(alive);
    await executor.step(linear(), lines([0]), sgd(), { learningRate: 0.1, step: 2 }, {});
    expect(executor.tensors()).toBe(alive);
  });

  it('frees everything at its end, handles included, and refuses work after it', async () => {
    const made = another();
    const handle = await made.gradients(linear(), lines([0]));
    made.dispose();
    made.dispose();
    await expect(made.evaluate(linear(), lines([0]), ['prediction'])).rejects.toThrow(/the executor has been disposed/);
    expect(() => handle.scale(1)).toThrow(/freed by the end of the executor/);
    expect(made.weights.sets()).toEqual([]);
  });
});

describe('two executors in one process', () => {
  it('take turns, each on its own backend, with the same first values and nearly the same training', async () => {
    const executors = [...present, ...onGpu].map(([, chosen]) => chosen.executor({ seed: 5 }));
    const runs = await Promise.all(
      executors.map(async (executor) => {
        const program = linear({ draws: { a: { shape: [2], law: 'normal' } } });
        const first = (await executor.evaluate(program, lines([0, 1]), ['noise'])).noise;
        const start = await executor.weights.snapshot('student');
        for (let step = 1; step <= 5; step++) await executor.step(program, lines([step, step + 1]), sgd(), { learningRate: 0.05, step }, {});
        return {
          noise: [...first.data],
          start: [...(start.get('w')?.data ?? [])],
          end: [...((await executor.weights.snapshot('student')).get('w')?.data ?? [])],
        };
      }),
    );
    for (const run of runs) {
      expect(run.noise).toEqual(runs[0]?.noise);
      expect(run.start).toEqual(runs[0]?.start);
      close(run.end, runs[0]?.end ?? [], 1e-5);
      expect(run.end).not.toEqual(run.start);
    }
    for (const executor of executors) executor.dispose();
  });
});
