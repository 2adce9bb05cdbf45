import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { guardedExecutor } from '../../src/backends/guardedExecutor.js';
import { linear, lines, sgd } from './linear.js';

const device = () => {
  const all: string[] = [];
  let gone: string | undefined;
  return { all, lost: () => gone, lose: (why: string) => (gone = why) };
};
const cpu = () => createExecutor({ backend: 'cpu', seed: 3 });

describe('guardedExecutor', () => {
  it('passes everything on while the device reports nothing', async () => {
    const plain = await cpu();
    const guarded = guardedExecutor(await cpu(), device());
    for (const executor of [plain, guarded]) {
      await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 0.1, step: 1 }, { clip: 1 });
      await executor.update(sgd(), 'student', await executor.gradients(linear(), lines([2])), { learningRate: 0.1, step: 2 });
      await executor.weights.copy('student', 'teacher', 0);
      await executor.weights.restore('other', await executor.weights.snapshot('teacher'));
      executor.weights.forget('teacher');
      executor.weights.step = 2;
    }
    expect(guarded.backend).toBe('cpu');
    expect(guarded.weights.step).toBe(2);
    expect(guarded.weights.sets()).toEqual(plain.weights.sets());
    expect(await guarded.weights.snapshot('other')).toEqual(await plain.weights.snapshot('student'));
    expect(await guarded.evaluate(linear(), lines([0]), ['loss'])).toEqual(await plain.evaluate(linear(), lines([0]), ['loss']));
    expect(guarded.tensors()).toBe(plain.tensors());
    for (const executor of [plain, guarded]) executor.dispose();
    await expect(guarded.evaluate(linear(), lines([0]), ['loss'])).rejects.toThrow(/disposed/);
  });

  it('refuses from the first reported error on; an executor made after it starts anew', async () => {
    const faults = device();
    const inner = await cpu();
    const executor = guardedExecutor(
      {
        ...inner,
        evaluate(...given) {
          faults.all.push('out of memory\n');
          return inner.evaluate(...given);
        },
      },
      faults,
    );
    await executor.gradients(linear(), lines([0])).then((handle) => handle.dispose());
    const told = /executor\.cpu: the GPU reported an error, and what it computed since cannot be trusted; got "out of memory"\. .*smaller batch/;
    await expect(executor.evaluate(linear(), lines([0]), ['loss'])).rejects.toThrow(told);
    await expect(executor.step(linear(), lines([0]), sgd(), { learningRate: 0.1, step: 1 }, {})).rejects.toThrow(told);
    await expect(executor.weights.snapshot('student')).rejects.toThrow(told);
    const next = guardedExecutor(inner, faults);
    expect((await next.evaluate(linear(), lines([0]), ['loss'])).loss.shape).toEqual([]);
    faults.lose('driver reset');
    await expect(next.evaluate(linear(), lines([0]), ['loss'])).rejects.toThrow('executor.cpu: the GPU is gone; got "driver reset".');
    await expect(guardedExecutor(inner, faults).weights.copy('student', 'teacher')).rejects.toThrow(/the GPU is gone/);
    inner.dispose();
  });
});
