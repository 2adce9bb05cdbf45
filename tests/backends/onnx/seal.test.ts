import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/backends/onnx/compile.js';
import { SEAL } from '../../../src/backends/onnx/encodeGraph.js';
import { type Runtime, type RuntimeSession, type RuntimeTensor, emptyTensor } from '../../../src/backends/onnx/runtime.js';
import { refusalOf } from '../../../src/backends/onnx/seal.js';
import type { Work } from '../../../src/backends/onnx/work.js';
import { onnxRuntime } from './engine.js';

const installed = await onnxRuntime();
const of = { kind: 'program', name: 'doubling', module: 'tests', options: {} } as const;
const side = 100_000;
const doubling: Work = {
  name: 'doubling',
  of,
  inputs: { 'columns/x': { shape: [side], dtype: 'float32' } },
  build: ({ 'columns/x': x }) => ({ twice: (x as NonNullable<typeof x>).mul(2), 'outputs/first': (x as NonNullable<typeof x>).slice([0], [1]) }),
};
const options = { provider: 'cpu', threads: 1, spinning: false } as const;

/** The module as a class of its own, so that it is tried anew; `run` stands for that of its sessions. */
function fresh(real: Runtime, run?: (session: RuntimeSession, ...given: Parameters<RuntimeSession['run']>) => ReturnType<RuntimeSession['run']>): Runtime {
  return {
    Tensor: class extends real.Tensor {},
    InferenceSession: {
      async create(model, settings) {
        const session = await real.InferenceSession.create(model, settings);
        return {
          run: (...given) => (run === undefined ? session.run(...given) : run(session, ...given)),
          release: () => session.release(),
          endProfiling: () => session.endProfiling(),
        };
      },
    },
  };
}

describe.skipIf(installed === undefined)('sealed runs', () => {
  const real = createRequire(import.meta.url)('onnxruntime-node') as Runtime;
  const x = (): RuntimeTensor =>
    new real.Tensor(
      'float32',
      Float32Array.from({ length: side }, (_, i) => i),
      [side],
    );

  it('write all outputs and return nothing that is new', async () => {
    const refusal = await refusalOf(real);
    expect(refusal).toMatch(/non tensor/i);
    const runner = await compile(doubling, { runtime: real, ...options });
    const twice = emptyTensor(real, { type: 'float32', shape: [side] });
    const answers = await runner.run({ 'columns/x': x() }, { twice });
    expect(Object.keys(answers).sort()).toEqual(['outputs/first', 'twice']);
    expect(answers.twice).toBe(twice);
    expect((twice.data as Float32Array).at(-1)).toBe(2 * (side - 1));
    expect(answers['outputs/first']?.data).toEqual(Float32Array.of(0));
    // Nothing of the size of an output stays or is made: 200 of them would be 80 MB.
    const feeds = { 'columns/x': x() };
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let run = 0; run < 200; run++) {
      await runner.run(feeds, { twice, 'outputs/first': answers['outputs/first'] as RuntimeTensor });
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(4 * side);
    await runner.release();
  });

  it('are told from failures', async () => {
    const gone = new Error('the device is gone');
    let fail = false;
    const runtime = fresh(real, (session, ...given) => (fail ? Promise.reject(gone) : session.run(...given)));
    const runner = await compile(doubling, { runtime, ...options });
    fail = true;
    await expect(runner.run({ 'columns/x': x() })).rejects.toThrow('doubling: ONNX Runtime failed on the graph doubling: the device is gone');
    await runner.release();
  });

  it.each<readonly [string, Parameters<typeof fresh>[1]]>([
    ['returns sequences', async (session, feeds, fetches) => withoutSeal(session, feeds, fetches)],
    ['refuses before it writes', async () => Promise.reject(new Error('Non tensor type is temporarily not supported.'))],
  ])('are not used where the runtime %s', async (_, run) => {
    expect(await refusalOf(fresh(real, run))).toBeUndefined();
  });

  it('leave a runtime that returns everything to itself', async () => {
    const asked: (readonly string[])[] = [];
    const runtime = fresh(real, (session, feeds, fetches) => {
      asked.push(Object.keys(fetches ?? {}));
      return withoutSeal(session, feeds, fetches);
    });
    const runner = await compile(doubling, { runtime, ...options });
    const { twice } = await runner.run({ 'columns/x': x() });
    expect(twice?.data).toEqual(Float32Array.from({ length: side }, (_, i) => 2 * i));
    expect(asked).toEqual([
      [SEAL, 'y'],
      ['twice', 'outputs/first'],
    ]);
    await runner.release();
  });
});

/** As if sequences were returned like tensors. */
function withoutSeal(session: RuntimeSession, feeds: Parameters<RuntimeSession['run']>[0], fetches: Parameters<RuntimeSession['run']>[1]) {
  const { [SEAL]: _, ...rest } = fetches ?? {};
  return session.run(feeds, rest);
}
