// TensorFlow through tfjs-node: what is said where it is missing, and what it computes where it is set up.
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChosenBackend, chooseBackend } from '../../src/backends/index.js';
import { startTfjsNode } from '../../src/backends/tfjsNode.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { signatureOf } from '../../src/core/program.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { run } from '../../src/run/run.js';
import { built } from '../cli/built.js';
import { batchOf, firstValues, formulaTokens, largestDifference, lossAndGradients, maskColumn, prepared } from '../models/harness.js';
import { tiny } from '../resume/tiny.js';
import { put } from '../setup/world.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'maskflow-tfjs-node-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tfjs-node that cannot start', () => {
  const modules = join(folder, 'node_modules');
  const require = createRequire(join(folder, 'index.js'));
  const tfjs = join(modules, '@tensorflow/tfjs');
  const node = join(modules, '@tensorflow/tfjs-node');

  it('is not installed', () => {
    expect(() => startTfjsNode('tfjs-node', require)).toThrow(
      'backend.tfjs-node: the package @tensorflow/tfjs-node is not installed. Run: maskflow setup tensorflow',
    );
    expect(() => startTfjsNode('tfjs-node-gpu', require)).toThrow(/tfjs-node-gpu is not installed\. Run: maskflow setup tensorflow --gpu/);
  });

  it('has no addon, or one that does not start, or a tfjs of its own', () => {
    put(join(tfjs, 'index.js'), '');
    put(join(node, 'package.json'), '{"name":"@tensorflow/tfjs-node"}');
    put(join(node, 'index.js'), "throw new Error('libtensorflow_cc.so.2: cannot open shared object file\\nmore');");
    expect(() => startTfjsNode('tfjs-node', require)).toThrow(/has no addon: .*npm rebuild removed it\. Run: maskflow setup tensorflow$/);
    put(join(node, 'lib/x'), '');
    expect(() => startTfjsNode('tfjs-node', require)).toThrow(
      /did not start: libtensorflow_cc\.so\.2: cannot open shared object file\. Run: maskflow setup tensorflow$/,
    );
    const gpu = join(modules, '@tensorflow/tfjs-node-gpu');
    put(join(gpu, 'package.json'), '{"name":"@tensorflow/tfjs-node-gpu"}');
    put(join(gpu, 'node_modules/@tensorflow/tfjs/index.js'), '');
    expect(() => startTfjsNode('tfjs-node-gpu', require)).toThrow(/must share our copy of @tensorflow\/tfjs\. Ours is /);
  });
});

const chosen: ChosenBackend | undefined = await chooseBackend({ backend: 'tfjs-node' }).catch((error: Error) => {
  process.stdout.write(`skipped: TensorFlow: ${error.message}\n`);
  return undefined;
});

describe.skipIf(chosen === undefined)('tfjs-node', () => {
  beforeAll(() => chooseBackend({ backend: 'tfjs-node' }));

  it('says which TensorFlow computes', () => {
    expect(chosen?.device).toMatch(/^TensorFlow 2\.\d+\.\d+\S*, (CPU|GPU)$/);
    expect(chosen?.software).toBe(false);
  });

  it('rounds integers to themselves, floats to the nearest', () => {
    useBackend('tensorflow');
    tf.tidy(() => {
      expect([...tf.round(tf.tensor1d([3, -4, 7], 'int32')).dataSync()]).toEqual([3, -4, 7]);
      expect([...tf.round(tf.tensor1d([0.4, 0.6, -1.6])).dataSync()].map((x) => x + 0)).toEqual([0, 1, -2]);
    });
  });

  it("a step of the masked autoencoder has the cpu backend's loss and gradients", async () => {
    const program = vitMae({ width: 16, depth: 2, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } });
    const columns = {
      tokens: formulaTokens(2, 6, 4),
      mask: maskColumn(
        [
          [1, 0, 1, 0, 0, 1],
          [0, 1, 1, 1, 0, 0],
        ],
        [2, 3],
      ),
    };
    const batch = prepared(program, batchOf(columns, [2, 3]));
    const values = firstValues(program.parameters(signatureOf(batch)));
    const on = (name: string) => {
      useBackend(name);
      return lossAndGradients(program, patchReconstruction({ normalize: false }), batch, values);
    };
    await chooseBackend({ backend: 'cpu' });
    const [ours, reference] = [on('tensorflow'), on('cpu')];
    expect(ours.sum / ours.count).toBeCloseTo(reference.sum / reference.count, 5);
    for (const [name, gradient] of Object.entries(reference.gradients))
      expect(largestDifference(ours.gradients[name] as Float32Array, gradient), name).toBeLessThan(1e-4);
  });

  it('resumes exactly', async () => {
    const stopping = new AbortController();
    let reads = 0;
    const stopMidway = (): void => void (++reads === 90 && stopping.abort());
    const given = (out: string) => ({ name: 'tiny', backend: 'tfjs-node', out: join(folder, out) });
    await run(tiny(), given('whole'));
    const interrupted = await run(tiny(stopMidway), { ...given('parts'), signal: stopping.signal });
    expect(interrupted.status).toBe('interrupted');
    const { status, step } = await run(tiny(), { ...given('parts'), resume: true });
    expect(status).toBe('done');
    expect(step).toBeGreaterThan(interrupted.step);
    const state = (out: string) => readFileSync(join(folder, out, 'checkpoints', `step-${String(step).padStart(8, '0')}`, 'training.safetensors'));
    expect(state('parts').equals(state('whole'))).toBe(true);
  });

  it.skipIf(!built)('refuses worker threads', async () => {
    const code = `import('${new URL('../../dist/backends/index.js', import.meta.url)}').then((b) => b.chooseBackend({ backend: 'tfjs-node' }))
      .then(() => 'ran', (error) => error.message).then((said) => require('node:worker_threads').parentPort.postMessage(said));`;
    const worker = new Worker(code, { eval: true });
    const said = await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    expect(said).toMatch(/backend\.tfjs-node: TensorFlow runs on the main thread only\. Use several processes/);
  });
});
