// TensorFlow through tfjs-node: what is said where it is missing, and what is its own where it is set up;
// that it computes right and resumes exactly is the suites' of all engines.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { graphsSetting } from '../../src/backends/tensorflow/graphsSetting.js';
import { startTfjsNode } from '../../src/backends/tfjsNode.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { built } from '../cli/built.js';
import { put } from '../setup/world.js';
import { presentBackends } from './presentBackends.js';

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

  it('is loaded with errors alone on the screen, unless the environment says otherwise', () => {
    put(join(tfjs, 'index.js'), '');
    const loud = join(modules, '@tensorflow/tfjs-node');
    put(join(loud, 'package.json'), '{"name":"@tensorflow/tfjs-node"}');
    put(join(loud, 'lib/x'), '');
    put(join(loud, 'index.js'), "throw new Error('level ' + process.env.TF_CPP_MIN_LOG_LEVEL);");
    vi.stubEnv('TF_CPP_MIN_LOG_LEVEL', undefined);
    expect(() => startTfjsNode('tfjs-node', require)).toThrow(/did not start: level 2\./);
    vi.stubEnv('TF_CPP_MIN_LOG_LEVEL', '0');
    expect(() => startTfjsNode('tfjs-node', require)).toThrow(/did not start: level 0\./);
    vi.unstubAllEnvs();
    rmSync(loud, { recursive: true });
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

it('the variable for graphs is on or off', () => {
  expect(graphsSetting('tfjs-node', {})).toBeUndefined();
  expect(graphsSetting('tfjs-node', { MASKFLOW_TFJS_NODE_GRAPHS: '' })).toBeUndefined();
  expect(graphsSetting('tfjs-node', { MASKFLOW_TFJS_NODE_GRAPHS: 'off', MASKFLOW_TFJS_NODE_GPU_GRAPHS: 'on' })).toBe(false);
  expect(graphsSetting('tfjs-node-gpu', { MASKFLOW_TFJS_NODE_GRAPHS: 'off', MASKFLOW_TFJS_NODE_GPU_GRAPHS: 'on' })).toBe(true);
  expect(() => graphsSetting('tfjs-node', { MASKFLOW_TFJS_NODE_GRAPHS: 'of' })).toThrow('backend.MASKFLOW_TFJS_NODE_GRAPHS: must be on or off; got "of"');
});

const [, chosen] = (await presentBackends({ only: ['tfjs-node'] }))[0] ?? [];

describe.skipIf(chosen === undefined)('tfjs-node', () => {
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

  it.skipIf(!built)('refuses worker threads', async () => {
    const code = `import('${new URL('../../dist/backends/index.js', import.meta.url)}').then((b) => b.chooseBackend({ backend: 'tfjs-node' }))
      .then(() => 'ran', (error) => error.message).then((said) => require('node:worker_threads').parentPort.postMessage(said));`;
    const worker = new Worker(code, { eval: true });
    const said = await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    expect(said).toMatch(/backend\.tfjs-node: TensorFlow runs on the main thread only\. Use several processes/);
  });
});
