// The workloads of bench/step.ts in small, against ten training steps of PyTorch 2.15 from the same first weights on the same
// batch (`losses` of bench/peers/torchPeer.py on what writeJob wrote): layers, loss, gradients and AdamW at once.
import { type Executor, isColumn, signatureOf } from 'maskflow';
import { createExecutor } from 'maskflow/backends';
import { afterEach, expect, test } from 'vitest';
import { mainJob } from '../../bench/support/mainJob.js';
import { slopeOf } from '../../bench/support/slopeOf.js';
import { w1 } from '../../bench/support/w1.js';
import { w2 } from '../../bench/support/w2.js';
import type { Workload } from '../../bench/support/workload.js';

let executor: Executor | undefined;
afterEach(() => executor?.dispose());

async function losses({ program, batch, weights, optimizer, scalars, clip }: Workload, backend: string, steps: number): Promise<readonly number[]> {
  executor = await createExecutor({ backend, seed: 0 });
  await executor.weights.restore(program.weights, weights);
  const found: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const { sum, count } = await executor.step(program, batch, optimizer, scalars(step), clip === undefined ? {} : { clip });
    found.push(sum / count);
  }
  return found;
}

test.each([
  {
    name: 'w1',
    backend: 'cpu',
    workload: () => w1({ rows: 2, tokens: 8, width: 12, depth: 2 }),
    expected: [
      2.476273775100708, 2.3738062381744385, 2.2760493755340576, 2.1832425594329834, 2.095604181289673, 2.013262987136841, 1.9361876249313354,
      1.8641610145568848, 1.7968268394470215, 1.7337470054626465,
    ],
  },
  {
    name: 'w2',
    backend: 'wasm',
    workload: () => w2({ rows: 2 }),
    expected: [
      1.9802765846252441, 1.8208928108215332, 1.3017475605010986, 1.1909332275390625, 1.120530366897583, 1.090826392173767, 1.0786668062210083,
      1.0673953294754028, 1.0561696290969849, 1.0490903854370117,
    ],
  },
  {
    name: 'mainJob, whose gradients are clipped',
    backend: 'wasm',
    workload: () => mainJob({ rows: 4 }),
    expected: [
      1.6001707315444946, 1.3884124755859375, 1.2325706481933594, 1.1467317342758179, 1.1032633781433105, 1.0672845840454102, 1.0298162698745728,
      1.0033724308013916, 0.9905939102172852, 0.9852645397186279,
    ],
  },
])('ten steps of $name on $backend have the losses of PyTorch', async ({ backend, workload, expected }) => {
  const found = await losses(workload(), backend, expected.length);
  for (const [i, loss] of found.entries()) expect(Math.abs(loss / (expected[i] as number) - 1), `step ${i + 1}: ${loss}`).toBeLessThan(1e-5);
});

test('the workloads have the sizes that the benchmark names', () => {
  const sizes = [w1(), w2(), mainJob()].map(({ name, program, batch, weights, decays }) => {
    const signature = signatureOf(batch);
    const inputs = program.inputs(signature).map((column) => `${column} ${signature.columns[column]?.shape.join('×')}`);
    const trained = Object.entries(program.parameters(signature)).filter(([, { trainable }]) => trainable !== false);
    const numbers = trained.reduce((sum, [parameter]) => sum + (weights.get(parameter)?.data.length ?? Number.NaN), 0);
    return { name, inputs, numbers, parameters: trained.length, decays: decays.length };
  });
  expect(sizes).toEqual([
    { name: 'w1', inputs: ['x 32×64×192', 'target 32×64×192'], numbers: 4 * (12 * 192 * 192 + 13 * 192), parameters: 64, decays: 0 },
    {
      name: 'w2',
      inputs: ['tokens 64×64×48', 'visible 64×16', 'restore 64×64', 'mask 64×8×8'],
      numbers: 4 * (12 * 192 ** 2 + 13 * 192) + 2 * (12 * 96 ** 2 + 13 * 96) + 192 + 48 * 192 + 192 + 2 * 192 + 192 * 96 + 96 + 96 + 2 * 96 + 96 * 48 + 48,
      parameters: 108,
      decays: 41,
    },
    {
      name: 'mainJob',
      inputs: ['tokens 64×16×49', 'visible 64×4', 'restore 64×16', 'mask 64×4×4'],
      numbers: 2 * (12 * 48 ** 2 + 13 * 48) + (12 * 32 ** 2 + 13 * 32) + 48 + 49 * 48 + 48 + 2 * 48 + 48 * 32 + 32 + 32 + 2 * 32 + 32 * 49 + 49,
      parameters: 60,
      decays: 23,
    },
  ]);
});

test('a workload is the same each time it is made', () => {
  const [a, b] = [mainJob(), mainJob()];
  expect([...a.weights]).toEqual([...b.weights]);
  for (const [name, column] of Object.entries(a.batch.columns)) expect(isColumn(column) && column).toEqual(b.batch.columns[name]);
});

test('the slope of a soak is that of the line of least squares', () => {
  expect(slopeOf([1, 2, 3, 4].map((x) => [x, 5 - 3 * x] as const))).toBeCloseTo(-3, 12);
  expect(slopeOf([[7, 1]])).toBe(0);
});
