import { expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { countingExecutor } from './countingExecutor.js';
import { linear, lines, sgd } from './linear.js';

it('counts every method and passes it on', async () => {
  const plain = await createExecutor({ backend: 'cpu', seed: 0 });
  const counted = countingExecutor(await createExecutor({ backend: 'cpu', seed: 0 }));
  for (const executor of [plain, counted]) {
    await executor.evaluate(linear(), lines([0]), ['prediction']);
    await executor.update(sgd(), 'student', await executor.gradients(linear(), lines([0])), { learningRate: 0.1, step: 1 });
    await executor.step(linear(), lines([1]), sgd(), { learningRate: 0.1, step: 2 }, { clip: 1 });
    await executor.weights.copy('student', 'teacher');
    await executor.weights.restore('teacher', await executor.weights.snapshot('student'));
    executor.weights.step = 2;
  }
  expect(counted.backend).toBe('cpu');
  expect(counted.weights.step).toBe(2);
  expect(await counted.weights.snapshot('student')).toEqual(await plain.weights.snapshot('student'));
  expect(counted.weights.sets()).toEqual(plain.weights.sets());
  counted.weights.forget('teacher');
  counted.tensors();
  counted.dispose();
  plain.dispose();
  expect(counted.calls).toEqual({
    evaluate: 1,
    gradients: 1,
    update: 1,
    step: 1,
    tensors: 1,
    dispose: 1,
    'weights.sets': 1,
    'weights.copy': 1,
    'weights.snapshot': 2,
    'weights.restore': 1,
    'weights.forget': 1,
  });
  expect(counted.log.slice(0, 4)).toEqual(['evaluate linear', 'gradients linear', 'update sgd', 'step linear']);
});
