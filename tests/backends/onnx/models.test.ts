// All that our models, losses and optimisers do has a recorder, and whole steps agree with tfjs's `cpu`.
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCpu } from '../../../src/backends/cpu.js';
import { differentiate } from '../../../src/backends/differentiate.js';
import { recorders } from '../../../src/backends/onnx/kernels/index.js';
import { trace } from '../../../src/backends/onnx/trace.js';
import { type AnyBatch, type Column, dtypeOf, withColumns } from '../../../src/core/batch.js';
import { fold, normals, rootKey } from '../../../src/core/key.js';
import { type LossTerm, type Optimizer, type Program, type Spec, type Tensor, type Tensors, signatureOf } from '../../../src/core/program.js';
import { crossEntropy } from '../../../src/losses/crossEntropy.js';
import { patchReconstruction } from '../../../src/losses/patchReconstruction.js';
import { linearClassifier } from '../../../src/models/linearClassifier.js';
import { vitMae } from '../../../src/models/vitMae.js';
import { adamw } from '../../../src/optimizers/adamw.js';
import { sgd } from '../../../src/optimizers/sgd.js';
import { size } from './cases/drawn.js';
import { present, runGraph } from './runGraph.js';

const random = (name: string, ...shape: number[]): Column => ({ data: Float32Array.from(normals(fold(rootKey(5), name), size(shape))), shape });
const batchOf = (columns: Record<string, Column>, grid?: number[]): AnyBatch => ({
  rows: 3,
  columns,
  origins: [],
  program: undefined,
  ...(grid ? { grid } : {}),
});
const mask: Column = { data: Uint8Array.from({ length: 3 * 16 }, (_, i) => ((i * 7) % 4 > 0 ? 1 : 0)), shape: [3, 4, 4] };

interface Job {
  readonly program: Program;
  readonly term: LossTerm<never>;
  readonly optimizer: Optimizer;
  readonly batch: AnyBatch;
}
const images = { tokens: random('tokens', 3, 16, 4), mask };
const small = { width: 8, depth: 1, heads: 2, decoder: { width: 4, depth: 1 } };
const job = <N extends string>(program: Program<N>, term: LossTerm<N>, optimizer: Optimizer, batch: AnyBatch): Job => ({
  program,
  term: term as unknown as LossTerm<never>,
  optimizer,
  batch,
});

const jobs: Readonly<Record<string, Job>> = {
  'masked autoencoder, AdamW': job(vitMae(small), patchReconstruction(), adamw(), batchOf(images, [4, 4])),
  'masked autoencoder of short rows, weights, SGD': job(
    vitMae(small),
    patchReconstruction({ normalize: false }),
    sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
    batchOf(
      {
        tokens: random('tokens', 3, 16, 4),
        length: { data: Int32Array.of(16, 9, 5), shape: [3] },
        mask: { ...mask, shape: [3, 16] },
        weight: random('weight', 3),
      },
      [16],
    ),
  ),
  'linear classifier, cross-entropy': job(
    linearClassifier({ width: 5, classes: 4 }),
    crossEntropy(),
    sgd(),
    batchOf({ features: random('features', 3, 5), label: { data: Int32Array.of(0, 3, 1), shape: [3] } }),
  ),
};

/** A step as a function of named tensors, with its inputs. */
function stepOf({ program, term, optimizer, batch: plain }: Job): { inputs: Record<string, Column>; build: (given: Tensors) => Tensors } {
  const batch = program.prepare === undefined ? plain : withColumns(plain, program.prepare(plain));
  const signature = signatureOf(batch);
  const parameters = program.parameters(signature);
  const names = Object.keys(parameters).filter((name) => parameters[name]?.trainable !== false);
  const inputs: Record<string, Column> = { learningRate: { data: Float32Array.of(0.01), shape: [] }, step: { data: Float32Array.of(3), shape: [] } };
  for (const name of new Set([...program.inputs(signature), ...term.inputs(signature)])) inputs[`columns/${name}`] = batch.columns[name] as Column;
  for (const [name, { shape }] of Object.entries(parameters)) inputs[`weights/${name}`] = random(name, ...shape);
  const slots = optimizer.slots(Object.fromEntries(names.map((name): [string, Spec] => [name, { shape: parameters[name]?.shape ?? [], dtype: 'float32' }])));
  for (const [name, { shape }] of Object.entries(slots))
    inputs[`slots/${name}`] = { data: (random(name, ...shape).data as Float32Array).map((x) => x * x), shape };
  const build = (given: Tensors): Tensors => {
    const under = (prefix: string): Tensors =>
      Object.fromEntries(Object.entries(given).flatMap(([name, x]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), x]] : [])));
    const [weights, columns] = [under('weights/'), under('columns/')];
    const { found, total } = differentiate(() => term.build(program.build(weights, columns, {}, signature) as never, columns, signature), names, weights);
    const trained = Object.fromEntries(names.map((name) => [name, weights[name] as Tensor]));
    const next = optimizer.update({
      weights: trained,
      gradients: found,
      slots: under('slots/'),
      scalars: { learningRate: given.learningRate as Tensor, step: given.step as Tensor },
    });
    const named = (prefix: string, tensors: Tensors): [string, Tensor][] => Object.entries(tensors).map(([name, x]) => [`${prefix}${name}`, x]);
    return Object.fromEntries([
      ['total', total] as [string, Tensor],
      ...named('gradients/', found),
      ...named('next/', next.weights),
      ...named('slot/', next.slots),
    ]);
  };
  return { inputs, build };
}

describe.each(Object.entries(jobs))('%s', (_, described) => {
  beforeAll(loadCpu);
  const { inputs, build } = stepOf(described);
  const uploaded = (): Tensors =>
    Object.fromEntries(
      Object.entries(inputs).map(([name, { data, shape }]) => [
        name,
        data instanceof Float32Array ? tf.tensor(data, [...shape]) : tf.tensor(Int32Array.from(data), [...shape], 'int32'),
      ]),
    );

  it('uses kernels that have a recorder', async () => {
    const given = uploaded();
    const { kernelNames } = await tf.profile(() => tf.tidy(() => build(given)));
    // A custom gradient runs under the name of its scope.
    const kernels = kernelNames.filter((name) => tf.getKernel(name, 'cpu') !== undefined);
    expect(kernels.length).toBeGreaterThan(10);
    expect(kernels.filter((name) => !(name in recorders))).toEqual([]);
  });

  it.runIf(present())('is one graph that computes what cpu computes', async () => {
    const before = { ...tf.memory() };
    const graph = trace(Object.fromEntries(Object.entries(inputs).map(([name, { data, shape }]) => [name, { shape, dtype: dtypeOf(data) }])), build);
    expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([before.numTensors, before.numBytes]);
    // Weights and columns are never baked in.
    expect(Math.max(...[...graph.constants.values()].map(({ length }) => length))).toBeLessThanOrEqual(16);
    const got = await runGraph(graph, Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data])));
    const wanted = tf.tidy(() => build(uploaded()));
    expect(Object.keys(got).sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, tensor] of Object.entries(wanted)) {
      const [a, b] = [got[name]?.data as Float32Array, tensor.dataSync() as Float32Array];
      expect([name, got[name]?.shape]).toEqual([name, tensor.shape]);
      // Relative to the largest element, for single ones cancel; the gradient of a key's bias is 0 but for rounding.
      const scale = (name.endsWith('key.bias') ? 1 : 1e-3) + b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      for (let i = 0; i < b.length; i++)
        if (!(Math.abs((a[i] as number) - (b[i] as number)) <= 2e-5 * scale)) expect.fail(`${name}[${i}]: ${a[i]}, cpu ${b[i]}`);
    }
  });
});
