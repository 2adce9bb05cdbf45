import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, test } from 'vitest';
import { adamw, constant, cosine, noDecayOfVectors } from '../../src/optimizers/index.js';
import { trajectory, waves } from './harness.js';

beforeAll(() => tf.setBackend('cpu'));

const start = [0.5, -1.25, 2];

test('five steps equal torch.optim.AdamW (2.15, float64)', () => {
  const cases = [
    { optimizer: adamw({ learningRate: 1e-2 }), expected: [0.468361496, -1.258282171, 2.009604544] },
    { optimizer: adamw({ learningRate: 1e-2, beta2: 0.999, weightDecay: 0 }), expected: [0.469674082, -1.261345557, 2.01482414] },
  ];
  for (const { optimizer, expected } of cases)
    trajectory(optimizer, start, waves, 5)[4]?.forEach((w, i) => {
      expect(Math.abs(w - (expected[i] as number))).toBeLessThan(1e-6);
    });
});

test('2,000 steps stay beside a float64 reference, at β₂ = 0.95 and 0.999', () => {
  for (const [beta2, weightDecay] of [
    [0.95, 0.05],
    [0.999, 0.3],
  ] as const) {
    const learningRate = cosine({ peak: 1e-2, warmup: 100 });
    const ours = trajectory(adamw({ learningRate, beta2, weightDecay }), start, waves, 2000);
    const [w, m, v] = [[...start], [0, 0, 0], [0, 0, 0]];
    let worst = 0;
    for (let step = 1; step <= 2000; step++) {
      const rate = learningRate.at({ step: step - 1, progress: (step - 1) / 2000 });
      for (let i = 0; i < 3; i++) {
        const g = waves(step, i);
        m[i] = 0.9 * (m[i] as number) + 0.1 * g;
        v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
        const hat = (m[i] as number) / (1 - 0.9 ** step);
        w[i] = (w[i] as number) * (1 - rate * weightDecay) - (rate * hat) / (Math.sqrt((v[i] as number) / (1 - beta2 ** step)) + 1e-8);
        worst = Math.max(worst, Math.abs((ours[step - 1]?.[i] as number) - (w[i] as number)));
      }
    }
    // 2,000 float32 roundings of weights near 2 (half an ulp is 1.2e-7) walk at random to about 5e-6.
    expect(worst).toBeLessThan(2e-5);
  }
});

test('the first step moves by the learning rate whatever the gradient: the bias correction is exact', () => {
  for (const beta2 of [0.95, 0.999, 0.9999]) {
    const [after] = trajectory(adamw({ learningRate: 1e-3, beta2, weightDecay: 0 }), [0, 0], (_, i) => [1e-3, 50][i] as number, 1);
    after?.forEach((w) => {
      expect(Math.abs(w / -1e-3 - 1)).toBeLessThan(2e-5);
    });
  }
});

test('decay is decoupled, scaled by the rate, and left off vectors and biases', () => {
  const zero = (): number => 0;
  const optimizer = adamw({ learningRate: 0.1, weightDecay: 0.5 });
  expect(trajectory(optimizer, [1], zero, 1, { name: 'a.weight', shape: [1, 1] })[0]?.[0]).toBeCloseTo(0.95, 6);
  expect(trajectory(optimizer, [1], zero, 1, { name: 'vit.embeddings.cls_token', shape: [1, 1, 1] })[0]?.[0]).toBeCloseTo(0.95, 6);
  expect(trajectory(optimizer, [1], zero, 1, { name: 'norm.weight', shape: [1] })[0]?.[0]).toBe(1);
  expect(noDecayOfVectors('a.bias', [2, 2])).toBe(true);
  const custom = adamw({ learningRate: 0.1, weightDecay: 0.5, noDecay: (name) => name.includes('token') });
  expect(trajectory(custom, [1], zero, 1, { name: 'cls_token', shape: [1, 1, 1] })[0]?.[0]).toBe(1);
  expect(trajectory(custom, [1], zero, 1, { name: 'norm.weight', shape: [1] })[0]?.[0]).toBeCloseTo(0.95, 6);
});

test('slots are named after their parameter; the recipe is plain data', () => {
  const optimizer = adamw({ learningRate: cosine({ peak: 1e-3, warmup: 10 }) });
  expect(optimizer.slots({ w: { shape: [2, 3], dtype: 'float32' } })).toEqual({
    'w.expAvg': { shape: [2, 3], dtype: 'float32' },
    'w.expAvgSq': { shape: [2, 3], dtype: 'float32' },
  });
  expect(JSON.parse(JSON.stringify(optimizer.recipe))).toEqual(optimizer.recipe);
  expect(optimizer.recipe.options).toMatchObject({
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay: 0.05,
    noDecay: 'noDecayOfVectors',
    learningRate: { name: 'cosine', options: { peak: 1e-3, floor: 0, warmup: 10 } },
  });
  expect(adamw({ learningRate: 0.5 }).learningRate.recipe).toEqual(constant({ peak: 0.5 }).recipe);
});

test('errors', () => {
  expect(() => adamw({ beta1: 1 })).toThrow('adamw.beta1: must lie between 0 and 1; got 1');
  expect(() => adamw({ weightDecay: -1 })).toThrow('adamw.weightDecay');
  expect(() => adamw({ eps: 0 })).toThrow('adamw.eps: must be a positive number');
  expect(() => adamw({ lr: 1 } as never)).toThrow('adamw.lr: there is no such option');
  expect(() => adamw({ learningRate: -1 })).toThrow('constant.peak: must be a finite number of at least 0; got -1');
});
