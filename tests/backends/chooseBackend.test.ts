import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type BackendEntry, type Engine, backends, chooseBackend, createExecutor } from '../../src/backends/index.js';
import { linear, lines } from './linear.js';

const environment = {};
const engineOf = async (name: 'cpu' | 'wasm', change: Partial<Engine> = {}): Promise<Engine> => {
  const engine = (await backends.find((entry) => entry.name === name)?.load?.()) as Engine;
  return { ...engine, ...change };
};
const table = (...entries: BackendEntry[]): BackendEntry[] => entries;
const carried = backends.filter(({ load }) => load !== undefined).map(({ name }) => name);
const cpu = backends.find(({ name }) => name === 'cpu') as BackendEntry;

describe('chooseBackend', () => {
  it('knows the names of the design, best first', () => {
    expect(backends.map(({ name }) => name)).toEqual(['tfjs-node-gpu', 'webgpu', 'onnx', 'tfjs-node', 'wasm', 'cpu']);
  });

  it('takes the best that works, and the option before the environment variable', async () => {
    // Of what npm always brings: TensorFlow and GPUs are here on some machines and not on others.
    const portable = backends.filter(({ name }) => name === 'wasm' || name === 'cpu');
    expect((await chooseBackend({}, { table: portable, environment })).name).toBe('wasm');
    expect(tf.getBackend()).toBe('wasm');
    expect((await chooseBackend({}, { environment: { MASKFLOW_BACKEND: 'cpu' } })).name).toBe('cpu');
    expect(tf.getBackend()).toBe('cpu');
    expect((await chooseBackend({ backend: 'wasm' }, { environment: { MASKFLOW_BACKEND: 'cpu' } })).name).toBe('wasm');
    expect((await chooseBackend({}, { table: portable, environment: { MASKFLOW_BACKEND: '' } })).name).toBe('wasm');
  });

  it('describes what it chose', async () => {
    const chosen = await chooseBackend({ backend: 'wasm' });
    expect(chosen).toMatchObject({ name: 'wasm', gpu: false, software: false });
    expect(chosen.device).toMatch(/^WebAssembly(, SIMD)?, 1 thread$/);
  });

  it('refuses unknown names, with the nearest', async () => {
    await expect(chooseBackend({ backend: 'wsam' }, { environment })).rejects.toThrow(
      'backend.backend: there is no such backend; got "wsam". Did you mean wasm?',
    );
    await expect(chooseBackend({}, { environment: { MASKFLOW_BACKEND: 'quantumcomputer' } })).rejects.toThrow(
      /backend\.MASKFLOW_BACKEND: there is no such backend; got "quantumcomputer"\. Known: tfjs-node-gpu, /,
    );
    await expect(chooseBackend({ bakcend: 'cpu' } as object)).rejects.toThrow(/Did you mean backend\?/);
  });

  it.each(backends.filter(({ load }) => load === undefined).map(({ name }) => name))('says what is available where %s is forced', async (name) => {
    await expect(chooseBackend({ backend: name }, { environment })).rejects.toThrow(
      `backend.${name}: this version of maskflow does not carry the backend yet. Available: ${carried.join(', ')}; choose one with --backend wasm or MASKFLOW_BACKEND=wasm, or leave both out for the best that works.`,
    );
  });

  it('a GPU backend on a software adapter is an error, unless allowed', async () => {
    const gpus = table({ name: 'webgpu', gpu: true, load: () => engineOf('cpu', { software: true, device: 'SwiftShader' }) }, cpu);
    await expect(chooseBackend({ backend: 'webgpu' }, { table: gpus, environment })).rejects.toThrow(
      /backend\.webgpu: a GPU backend must run on a GPU; got "SwiftShader"\..*allowSoftware: true/,
    );
    expect(await chooseBackend({ backend: 'webgpu', allowSoftware: true }, { table: gpus, environment })).toMatchObject({ name: 'webgpu', software: true });
    const chosen = await chooseBackend({}, { table: gpus, environment });
    expect(chosen.name).toBe('cpu');
    expect(chosen.passedOver.get('webgpu')).toMatch(/must run on a GPU/);
  });

  it('passes over a backend that loads and computes wrongly, and says so where it is forced', async () => {
    const wrong: BackendEntry = {
      name: 'tfjs-node',
      gpu: false,
      async load() {
        const engine = await engineOf('cpu');
        return {
          ...engine,
          executor(options) {
            const inner = engine.executor(options);
            return {
              ...inner,
              evaluate: async (...given) =>
                Object.fromEntries(Object.entries(await inner.evaluate(...given)).map(([name]) => [name, { shape: [], data: new Float32Array(4) }])) as Awaited<
                  ReturnType<typeof inner.evaluate>
                >,
            };
          },
        };
      },
    };
    const before = tf.memory().numTensors;
    await expect(chooseBackend({ backend: 'tfjs-node' }, { table: table(wrong, cpu), environment })).rejects.toThrow(
      /backend\.tfjs-node: the backend was loaded and does not work: .*a product must come out as 19, 22, 43, 50; got \[0,0,0,0\]/,
    );
    expect((await chooseBackend({}, { table: table(wrong, cpu), environment })).name).toBe('cpu');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('reports each reason where none works', async () => {
    const none = table({
      name: 'tfjs-node',
      gpu: false,
      load: () => Promise.reject(new Error('no library.')),
    });
    await expect(chooseBackend({}, { table: none, environment })).rejects.toThrow('backend: none of the backends works here: no library.');
    await expect(chooseBackend({ backend: 'tfjs-node' }, { table: none, environment })).rejects.toThrow('backend: no library.');
  });
});

describe('createExecutor', () => {
  it('makes a verified executor', async () => {
    const executor = await createExecutor({ backend: 'cpu', seed: 1 });
    expect(executor.backend).toBe('cpu');
    expect((await executor.evaluate(linear(), lines([0, 1]), ['prediction'])).prediction.shape).toEqual([2]);
    executor.dispose();
    await expect(createExecutor({ backend: 'cpu', seed: -1 })).rejects.toThrow(/seed: must be an integer from 0/);
    await expect(createExecutor({ backend: 'cpu', sede: 1 } as never)).rejects.toThrow(/Did you mean seed\?/);
  });
});
