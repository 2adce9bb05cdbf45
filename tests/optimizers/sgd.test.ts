import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { sgd } from '../../src/optimizers/index.js';
import { trajectory, waves } from './harness.js';

beforeAll(() => tf.setBackend('cpu'));

const start = [0.5, -1.25, 2];

test('five steps equal torch.optim.SGD (2.15, float64): plain, momentum with decay, Nesterov', () => {
  const cases = [
    { optimizer: sgd({ learningRate: 1e-2 }), expected: [0.498238384, -1.231105503, 2.03591107] },
    { optimizer: sgd({ learningRate: 1e-2, momentum: 0.9, weightDecay: 0.1 }), expected: [0.448081984, -1.234481178, 2.108443763] },
    { optimizer: sgd({ learningRate: 1e-2, momentum: 0.9, nesterov: true }), expected: [0.457211273, -1.232125549, 2.157339003] },
  ];
  for (const { optimizer, expected } of cases)
    trajectory(optimizer, start, waves, 5)[4]?.forEach((w, i) => {
      expect(Math.abs(w - (expected[i] as number))).toBeLessThan(1e-6);
    });
});

test('2,000 steps with momentum stay beside a float64 reference', () => {
  const ours = trajectory(sgd({ learningRate: 1e-2, momentum: 0.9, weightDecay: 0.01 }), start, waves, 2000);
  const [w, b] = [[...start], [0, 0, 0]];
  let worst = 0;
  for (let step = 1; step <= 2000; step++) {
    for (let i = 0; i < 3; i++) {
      b[i] = 0.9 * (b[i] as number) + waves(step, i) + 0.01 * (w[i] as number);
      w[i] = (w[i] as number) - 0.01 * (b[i] as number);
      worst = Math.max(worst, Math.abs((ours[step - 1]?.[i] as number) - (w[i] as number)));
    }
  }
  expect(worst).toBeLessThan(2e-5);
});

test('slots and errors', () => {
  const spec = { w: { shape: [2], dtype: 'float32' as const } };
  expect(sgd().slots(spec)).toEqual({});
  expect(sgd({ momentum: 0.9 }).slots(spec)).toEqual({ 'w.momentumBuffer': spec.w });
  expect(() => sgd({ momentum: 1 })).toThrow('sgd.momentum: must lie in [0, 1); got 1');
  expect(() => sgd({ nesterov: true })).toThrow('sgd.nesterov: needs momentum; got 0. Try sgd({ momentum: 0.9, nesterov: true }).');
  expect(() => sgd({ momentun: 0.9 } as never)).toThrow('Did you mean momentum?');
});
