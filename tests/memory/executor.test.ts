import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { Program, Tensor } from '../../src/core/program.js';
import { linear, lines, sgd } from '../backends/linear.js';
import { presentBackends } from '../backends/presentBackends.js';

const counts = (): number[] => {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  return [numTensors, numDataBuffers, numBytes];
};

describe.each(await presentBackends())('memory of an executor on %s', (name, chosen) => {
  it('tensors, buffers and bytes after every call are those of before', async () => {
    const empty = counts();
    const executor = chosen.executor({ seed: 0 });
    const program = linear({ draws: { noise: { shape: [3], law: 'normal' } } });
    await executor.step(program, lines([0, 1]), sgd(), { learningRate: 0.1, step: 1 }, { clip: 1 });
    await executor.weights.copy('student', 'teacher');
    await executor.weights.copy('student', 'teacher', 0.9); // from here on the sets share no buffers
    const steady = counts();
    // The compiled engine keeps its weights on the host: three each of student and teacher, two slots.
    expect(executor.tensors()).toBe((steady[0] as number) + (name === 'onnx' ? 8 : 0));
    const broken = lines([0]);
    (broken.columns.x as { data: Float32Array }).data.fill(Number.NaN);
    const failing: Program<'loss'> = {
      ...program,
      build({ w }) {
        (w as Tensor).exp().sum();
        throw new Error('on purpose');
      },
    };
    for (let step = 2; step < 12; step++) {
      await executor.evaluate(program, lines([step, step + 1]), ['prediction', 'loss', 'noise']);
      expect(counts()).toEqual(steady);
      await executor.evaluate(program, lines([step]), ['prediction'], 'teacher');
      expect(counts()).toEqual(steady);
      await executor.step(program, lines([step, step + 1, step + 2]), sgd(), { learningRate: 0.1, step }, { clip: 0.5 });
      expect(counts()).toEqual(steady);
      await executor.step(program, broken, sgd(), { learningRate: 0.1, step }, {});
      expect(counts()).toEqual(steady);
      const handle = (await executor.gradients(program, lines([step]))).add(await executor.gradients(program, lines([step + 1])));
      await handle.norm();
      await executor.update(sgd(), 'student', handle.map((_, gradient) => gradient).scale(0.5), { learningRate: 0.1, step });
      expect(counts()).toEqual(steady);
      await executor.weights.copy('student', 'teacher', 0.9);
      await executor.weights.restore('teacher', await executor.weights.snapshot('teacher'));
      expect(counts()).toEqual(steady);
      await expect(executor.step(failing, lines([step]), sgd(), { learningRate: 0.1, step }, {})).rejects.toThrow('on purpose');
      await expect(executor.evaluate(failing, lines([step]), ['loss'])).rejects.toThrow('on purpose');
      expect(counts()).toEqual(steady);
    }
    executor.dispose();
    expect(counts()).toEqual(empty);
  });

  it.runIf(name === 'wasm')('the linear memory of WebAssembly does not grow over steps', async () => {
    const executor = chosen.executor({ seed: 0 });
    const program = linear({ width: 64 });
    const ids = Array.from({ length: 256 }, (_, i) => i);
    const bytes = (): number => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length;
    const batch = lines(ids, { width: 64 });
    for (let step = 1; step <= 20; step++) await executor.step(program, batch, sgd(), { learningRate: 1e-3, step }, {});
    const early = bytes();
    // 200 steps allocate and free about 70 MB; the heap has 16 MB.
    for (let step = 21; step <= 220; step++) await executor.step(program, batch, sgd(), { learningRate: 1e-3, step }, {});
    expect(bytes()).toBe(early);
    executor.dispose();
  });
});
