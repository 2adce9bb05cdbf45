// A whole run on webgpu, where it can run at all: the steps of a model agree with those on the cpu backend, and a run that
// goes on from its checkpoint ends with the bytes of one that was not interrupted.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  adamw,
  batch,
  checkpoint,
  constant,
  epochs,
  loss,
  mask,
  memory,
  metrics,
  model,
  patchReconstruction,
  patchify,
  pipeline,
  random,
  run,
  shuffle,
  train,
  vitMae,
} from 'maskflow';
import { afterAll, describe, expect, it } from 'vitest';
import { type ChosenBackend, chooseBackend } from '../../src/backends/index.js';
import { presentBackends } from './presentBackends.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-webgpu-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [, webgpu] = (await presentBackends()).find(([name]) => name === 'webgpu') ?? [];

const images = Array.from({ length: 6 }, (_, id) => ({
  image: { data: Float32Array.from({ length: 16 }, (_, i) => Math.sin(id * 1.7 + i * (1 + (id % 3)))), shape: [4, 4, 1] },
}));
const tiny = pipeline({ epochs: 2 }, ({ epochs: n, out }) =>
  memory(images)
    .pipe(
      epochs(n),
      shuffle(),
      batch(3),
      patchify(2),
      mask(random({ ratio: 0.5 })),
      model(vitMae({ width: 4, depth: 1, heads: 2, decoder: { width: 4, depth: 1, heads: 2 } })),
      loss(patchReconstruction({ normalize: false })),
    )
    .pipe(
      train(adamw({ learningRate: constant({ peak: 1e-2 }) }), { clip: 1 }),
      metrics(out('metrics.jsonl'), { every: 1 }),
      checkpoint(out('checkpoints'), { every: 2 }),
    ),
);
const start = (chosen: ChosenBackend, name: string, more: object = {}) =>
  run(tiny, { name: 'tiny', out: join(root, name), executor: async (seed) => chosen.executor({ seed }), ...more });
const bytes = (name: string, file: string): string => readFileSync(join(root, name, 'checkpoints/step-00000004', file)).toString('base64');
const losses = (name: string): number[] =>
  readFileSync(join(root, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { loss: number }).loss);

describe.runIf(webgpu !== undefined)('a run on webgpu', () => {
  it('takes the steps that cpu takes, and goes on to the very same bytes', async () => {
    const chosen = webgpu as ChosenBackend;
    expect((await start(chosen, 'whole')).step).toBe(4);
    expect((await start(chosen, 'parts', { options: { epochs: 1 } })).step).toBe(2);
    expect((await start(chosen, 'parts', { options: { epochs: 2 }, resume: true })).step).toBe(4);
    for (const file of ['model.safetensors', 'training.safetensors']) expect(bytes('parts', file)).toBe(bytes('whole', file));
    expect(JSON.parse(readFileSync(join(root, 'whole/run.json'), 'utf8'))).toMatchObject({ backend: 'webgpu', status: 'done' });

    await start(await chooseBackend({ backend: 'cpu' }), 'cpu');
    const [got, wanted] = [losses('whole'), losses('cpu')];
    expect(got).toHaveLength(4);
    for (const [i, value] of got.entries()) expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1e-4 * (wanted[i] as number));
  }, 300_000);
});
