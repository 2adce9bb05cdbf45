import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type BackendName, backends } from '../../src/backends/index.js';
import { doctorText } from '../../src/cli/doctor.js';
import { type DoctorSurroundings, doctor } from '../../src/run/doctor.js';
import type { DoctorReport, EngineReport } from '../../src/run/doctor/doctorReport.js';
import { isSupported } from '../../src/run/doctor/supportedNode.js';
import { type BackendTrial, builtFor, loadedLibraries, tryBackend } from '../../src/run/tryBackend.js';
import { put } from '../setup/world.js';
import { maskflow, plainText } from './console.js';

const names: BackendName[] = ['tfjs-node-gpu', 'webgpu', 'onnx', 'tfjs-node', 'wasm', 'cpu'];
const never = () => Promise.reject(new Error('nothing may be loaded in this process'));
/** Engines that this version carries in the test: all but onnx. */
const table = names.map((name) => ({ name, gpu: name === 'tfjs-node-gpu' || name === 'webgpu', ...(name === 'onnx' ? {} : { load: never }) }));

const works = (device: string, software = false, libraries: Record<string, string> = {}): { answer: BackendTrial } => ({
  answer: { works: true, device, software, libraries },
});
const outcomes: Record<string, Awaited<ReturnType<DoctorSurroundings['trial']>>> = {
  'tfjs-node-gpu': { problem: 'crashed with SIGSEGV' },
  webgpu: works('SwiftShader driver 5.0.0', true, { 'Vulkan loader': '1.3.239' }),
  'tfjs-node': {
    answer: { works: false, libraries: {}, reason: 'the backend was loaded and does not work: zeros', hint: 'Use another backend.' },
  },
  wasm: works('WebAssembly, SIMD, 1 thread'),
  cpu: works('JavaScript, 1 thread'),
};
const here = (change: Partial<DoctorSurroundings> = {}): Partial<DoctorSurroundings> => ({
  table,
  environment: {},
  trial: async (name) => outcomes[name] ?? { problem: 'no answer within 60 s' },
  version: (name) =>
    ({
      '@tensorflow/tfjs-node': '4.22.0',
      webgpu: '0.6.2',
      '@tensorflow/tfjs-backend-webgpu': '4.21.0',
      '@tensorflow/tfjs-backend-wasm': '4.22.0',
      '@tensorflow/tfjs': '4.22.0',
    })[name],
  gpus: async () => [{ name: 'NVIDIA H100 80GB HBM3', driver: '550.54.15', cuda: '12.4' }],
  ...change,
});
const engine = (report: DoctorReport, name: BackendName): EngineReport => report.engines.find((one) => one.name === name) as EngineReport;

describe('doctor', () => {
  it('reports every engine in the order of the table, whatever happens to one', async () => {
    const said: string[] = [];
    const report = await doctor({ say: (line) => said.push(line) }, here());
    expect(report.engines.map(({ name }) => name)).toEqual(names);
    expect(said).toEqual(['trying tfjs-node-gpu', 'trying webgpu', 'trying tfjs-node', 'trying wasm', 'trying cpu']);
    expect(report.chosen).toEqual({ name: 'wasm', because: 'best' });
    expect(report).toMatchObject({ node: { found: process.versions.node, supported: true }, platform: `${process.platform}-${process.arch}` });
    expect(report.threads).toBeGreaterThan(0);
    expect(report.memory.total).toBeGreaterThan(2 ** 20);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('says of each what is there, whether it computes, on what, and what mends it', async () => {
    const report = await doctor({}, here());
    expect(engine(report, 'wasm')).toEqual({
      name: 'wasm',
      carried: true,
      installed: true,
      works: true,
      on: 'CPU',
      device: 'WebAssembly, SIMD, 1 thread',
      node: { supported: true, expected: '20.19 or newer' },
      parts: [{ name: '@tensorflow/tfjs-backend-wasm', found: '4.22.0', expected: '4.22.0' }],
    });
    // Not installed: the command that brings it, before what its crash tells.
    expect(engine(report, 'tfjs-node-gpu')).toMatchObject({
      installed: false,
      works: false,
      reason: 'crashed with SIGSEGV',
      mend: 'maskflow setup tensorflow --gpu',
    });
    expect(engine(report, 'tfjs-node-gpu').on).toBeUndefined();
    // Installed and broken: what its own error says.
    expect(engine(report, 'tfjs-node')).toMatchObject({
      installed: true,
      works: false,
      reason: expect.stringMatching(/does not work: zeros/),
      mend: 'Use another backend.',
    });
    // Software is told, and another version is mended though it works.
    expect(engine(report, 'webgpu')).toMatchObject({
      works: true,
      on: 'software',
      reason: expect.stringMatching(/--allow-software/),
      // As it works in this checkout, where webgpu is an optional peer.
      mend: expect.stringMatching(/^npm install --no-save --save-prod --ignore-scripts webgpu@0\.6\.2/),
    });
    expect(engine(report, 'onnx')).toMatchObject({ carried: false, works: false, reason: 'this version of maskflow does not carry it yet' });
    expect(engine(report, 'onnx').mend).toBeUndefined();
  });

  it('a GPU that is one is taken first; MASKFLOW_BACKEND before it; nothing where nothing works', async () => {
    const trial = async (name: BackendName) => (name === 'webgpu' ? works('NVIDIA H100') : { problem: 'no' });
    const report = await doctor({}, here({ trial }));
    expect(engine(report, 'webgpu').on).toBe('GPU');
    expect(report.chosen).toEqual({ name: 'webgpu', because: 'best' });
    expect((await doctor({}, here({ trial, environment: { MASKFLOW_BACKEND: 'cpu' } }))).chosen).toEqual({ name: 'cpu', because: 'MASKFLOW_BACKEND' });
    const forced = await doctor({}, here({ trial, environment: { MASKFLOW_BACKEND: 'wasm' } }));
    expect(plainText(doctorText(forced))).toMatch(/\nMASKFLOW_BACKEND names wasm, which does not work here: a run fails\. Unset it\.$/);
    const unknown = await doctor({}, here({ trial, environment: { MASKFLOW_BACKEND: 'wsam' } }));
    expect(plainText(doctorText(unknown))).toMatch(/\nMASKFLOW_BACKEND names wsam, which is none of the engines: a run fails\. Unset it\.$/);
    const none = await doctor({}, here({ trial: async () => ({ problem: 'no' }) }));
    expect(none.chosen).toBeUndefined();
    expect(plainText(doctorText(none))).toMatch(/\nNo engine works here\.$/);
  });

  it('names one command that mends what is there and does not work', async () => {
    const mend = async (name: BackendName, outcome: Awaited<ReturnType<DoctorSurroundings['trial']>>, change: Partial<DoctorSurroundings> = {}) =>
      engine(await doctor({}, here({ trial: async () => outcome, version: (one) => (one === 'webgpu' ? '0.6.2' : '4.22.0'), ...change })), name).mend;
    const cards = { gpus: async () => [] };
    const crash = { problem: 'crashed with SIGSEGV' };
    expect(await mend('wasm', crash)).toBe('npm install --no-save --save-prod --ignore-scripts @tensorflow/tfjs-backend-wasm@4.22.0');
    expect(await mend('tfjs-node', crash)).toBe('maskflow setup tensorflow');
    // Too slow is not broken; what is not there is brought first.
    const late = { problem: 'no answer within 60 s' };
    expect(await mend('wasm', late)).toBe('maskflow doctor --limit 300 (the machine may be slow or busy)');
    expect(await mend('wasm', late, { version: () => undefined })).toMatch(/^npm install /);
    expect(await mend('tfjs-node', works('TensorFlow 2.21.0, CPU'))).toBeUndefined();
    // A GPU engine without its GPU: the driver, or the libraries beside it where a card is seen.
    const software = works('on the CPU', true);
    expect(await mend('tfjs-node-gpu', software)).toBe(".venv/bin/pip install 'tensorflow[and-cuda]' && maskflow setup tensorflow --gpu");
    if (process.platform !== 'linux') return;
    expect(await mend('tfjs-node-gpu', software, cards)).toMatch(/^apt-get install nvidia-driver /);
    for (const outcome of [software, crash])
      expect(await mend('webgpu', outcome)).toMatch(/^apt-get install mesa-vulkan-drivers for AMD and Intel; for NVIDIA apt-get /);
    expect(await mend('tfjs-node-gpu', crash, { ...cards, version: () => undefined })).toBe('maskflow setup tensorflow --gpu (where there is an NVIDIA card)');
  });

  describe('the compiled engine', () => {
    const onnx = { name: 'onnx' as const, gpu: false, providers: ['cpu', 'webgpu', 'cuda'], load: never };
    const device = 'ONNX Runtime 1.24.1, CPU, 2 threads';
    const answers: Record<string, Awaited<ReturnType<DoctorSurroundings['trial']>>> = {
      cpu: works(device, false, { 'ONNX Runtime': '1.24.1' }),
      webgpu: { answer: { works: true, gpu: true, device: 'ONNX Runtime 1.24.1, WebGPU (Vulkan, NVIDIA)', software: false, libraries: {} } },
      cuda: { answer: { works: false, libraries: {}, reason: 'the CUDA libraries are not installed', hint: 'node install.js brings them.' } },
    };
    const of = (change: Partial<DoctorSurroundings> = {}) =>
      doctor({}, here({ table: [onnx], trial: async (_, __, provider = 'cpu') => answers[provider] as never, version: () => '1.24.1', ...change }));

    it('accepts every version that its loader does', async () => {
      const report = engine(await of(), 'onnx');
      expect(report).toMatchObject({
        works: true,
        on: 'CPU',
        parts: [
          { name: 'onnxruntime-node', found: '1.24.1', expected: '1.30.0' },
          { name: 'ONNX Runtime', found: '1.24.1', expected: '1.20 or newer' },
        ],
      });
      expect(report.mend).toBeUndefined();
      expect(engine(await of({ version: () => '2.0.0' }), 'onnx').mend).toBe('npm install --no-save --save-prod --ignore-scripts onnxruntime-node@1.30.0');
    });

    it('says which providers load, and on what', async () => {
      const asked: unknown[] = [];
      const report = await of({
        trial: async (_, __, provider) => {
          asked.push(provider);
          return answers[provider ?? 'cpu'] as never;
        },
      });
      expect(asked).toEqual([undefined, 'webgpu', 'cuda']);
      expect(engine(report, 'onnx').providers).toEqual([
        { name: 'webgpu', works: true, on: 'GPU', device: 'ONNX Runtime 1.24.1, WebGPU (Vulkan, NVIDIA)' },
        { name: 'cuda', works: false, reason: 'the CUDA libraries are not installed', mend: 'node install.js brings them.' },
      ]);
      const text = plainText(doctorText(report));
      expect(text).toContain('    also    webgpu: GPU: ONNX Runtime 1.24.1, WebGPU (Vulkan, NVIDIA)\n');
      expect(text.replace(/\s+/g, ' ')).toContain('also cuda: no: the CUDA libraries are not installed. node install.js brings them.');
      // Where it does not work at all, its providers are not asked.
      expect(engine(await of({ trial: async () => ({ problem: 'no' }) }), 'onnx').providers).toBeUndefined();
    });

    it('is what a run takes where the variable names a provider of it', async () => {
      const environment = { MASKFLOW_ONNX_PROVIDER: 'webgpu' };
      const taken = await of({ environment, trial: async () => answers.webgpu as never });
      expect(engine(taken, 'onnx').on).toBe('GPU');
      expect(taken.chosen).toEqual({ name: 'onnx', because: 'MASKFLOW_ONNX_PROVIDER' });
      expect(plainText(doctorText(taken))).toMatch(/\nmaskflow run takes onnx, named by MASKFLOW_ONNX_PROVIDER\.$/);
      const software = { answer: { works: true, gpu: true, device: 'SwiftShader', software: true, libraries: {} } };
      expect(plainText(doctorText(await of({ environment, trial: async () => software })))).toMatch(
        /named by MASKFLOW_ONNX_PROVIDER, with --allow-software\.$/,
      );
    });
  });

  it('tells versions found and expected of native libraries, as TensorFlow itself tells them', async () => {
    const answer: BackendTrial = {
      works: true,
      device: 'TensorFlow 2.21.0, GPU',
      software: false,
      libraries: { TensorFlow: '2.21.0', 'CUDA driver': '550.54.15', 'CUDA runtime': '12', cuDNN: '9' },
      expected: { 'CUDA runtime': '12', cuDNN: '9' },
    };
    const report = await doctor({}, here({ trial: async () => ({ answer }), version: () => '4.22.0' }));
    expect(engine(report, 'tfjs-node-gpu').parts).toEqual([
      { name: '@tensorflow/tfjs-node-gpu', found: '4.22.0', expected: '4.22.0' },
      { name: 'TensorFlow', found: '2.21.0', expected: '2.12 or newer' },
      { name: 'CUDA driver', found: '550.54.15', expected: '525 or newer' },
      { name: 'CUDA runtime', found: '12', expected: '12' },
      { name: 'cuDNN', found: '9', expected: '9' },
    ]);
    expect(engine(report, 'tfjs-node-gpu').on).toBe('GPU');
    expect(plainText(doctorText(report)).replace(/\s+/g, ' ')).toContain('CUDA runtime 12, cuDNN 9 ');
  });

  it('an engine that answers and then crashes works, with the reason beside it', async () => {
    const report = await doctor({}, here({ trial: async () => ({ ...works('x'), problem: 'answered, then crashed with SIGSEGV' }) }));
    expect(engine(report, 'wasm')).toMatchObject({ works: true, reason: 'answered, then crashed with SIGSEGV' });
  });

  it('refuses unknown options', async () => {
    await expect(doctor({ limt: 3 } as object)).rejects.toThrow(/Did you mean limit\?/);
  });

  it.each([
    ['20.18.3', undefined, false],
    ['20.19.0', undefined, true],
    ['22.1.0', undefined, true],
    ['27.0.0', 26, false],
    ['26.4.0', 26, true],
  ] as const)('Node %s, newest %s: %s', (found, newest, holds) => {
    expect(isSupported(found, newest)).toBe(holds);
  });
});

describe('doctorText', () => {
  it('fits 80 columns, has a row an engine, and names what a run takes', async () => {
    const report = await doctor({}, here());
    const text = plainText(doctorText(report));
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(text).toContain('NVIDIA H100 80GB HBM3, driver 550.54.15, CUDA up to 12.4\n');
    expect(text).toMatch(/^engine {10}installed {3}works {4}runs on {5}Node$/m);
    expect(text).toMatch(/^wasm {12}yes {9}yes {6}CPU {9}yes$/m);
    expect(text).toMatch(/^webgpu {10}yes {9}yes {6}software {4}yes$/m);
    expect(text.replace(/\s+/g, ' ')).toContain('@tensorflow/tfjs-backend-webgpu 4.21.0 (expected 4.22.0)');
    expect(text).toContain('    mend    maskflow setup tensorflow --gpu\n');
    expect(text.endsWith('\nmaskflow run takes wasm, the best that works.')).toBe(true);
  });

  it('is coloured or not, with the same text', async () => {
    const report = await doctor({}, here());
    const [plain, coloured] = [doctorText(report, { color: false }), doctorText(report, { color: true })];
    expect(plain).not.toContain('\u001b');
    expect(coloured).toContain('\u001b[32m');
    expect(plainText(coloured)).toBe(plain);
  });
});

describe('tryBackend', () => {
  it('computes, or says why not with the way out', async () => {
    expect(await tryBackend('cpu')).toMatchObject({ works: true, device: 'JavaScript, 1 thread', software: false });
    vi.stubEnv('MASKFLOW_ONNX_PROVIDER', 'gpu');
    expect(await tryBackend('onnx')).toMatchObject({
      works: false,
      reason: 'MASKFLOW_ONNX_PROVIDER must be cpu, webgpu or cuda; got "gpu"',
      hint: 'unset MASKFLOW_ONNX_PROVIDER',
    });
    vi.unstubAllEnvs();
    expect(await tryBackend('wsam')).toMatchObject({ works: false, reason: 'there is no such backend', hint: 'Did you mean wasm?' });
  });

  it('reads versions of native libraries from what is mapped', () => {
    expect(
      loadedLibraries(
        [
          '7f0-7f1 r-xp 0 08:01 12   /nowhere/libvulkan.so.1.3.239',
          '7f2-7f3 r-xp 0 08:01 13   /nowhere/libtensorflow_cc.so.2',
          '7f4-7f5 rw-p 0 00:00 0   [heap]',
        ].join('\n'),
      ),
    ).toEqual({ 'Vulkan loader': '1.3.239', TensorFlow: '2' });
    expect(loadedLibraries('')).toEqual({});
  });

  it('reads from the wheel for which CUDA its TensorFlow was built', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'maskflow-doctor-')));
    try {
      const maps = `7f2-7f3 r-xp 0 08:01 13   ${folder}/libtensorflow_cc.so.2`;
      put(join(folder, 'libtensorflow_cc.so.2'), '');
      expect(builtFor(maps)).toEqual({});
      const info = join(folder, 'python/platform/build_info.py');
      put(info, "build_info = collections.OrderedDict([('is_cuda_build', False)])");
      expect(builtFor(maps)).toEqual({});
      put(info, "OrderedDict([('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True)])");
      expect(builtFor(maps)).toEqual({ 'CUDA runtime': '12', cuDNN: '9' });
      expect(builtFor('')).toEqual({});
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('maskflow doctor', () => {
  it('tries the engines of this machine in processes of their own: exit code 0, one object with --json', async () => {
    const { code, stdout, stderr } = await maskflow('doctor', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as DoctorReport;
    expect(report.engines.map(({ name }) => name)).toEqual(backends.map(({ name }) => name));
    for (const name of ['wasm', 'cpu'] as const) expect(engine(report, name)).toMatchObject({ installed: true, works: true, on: 'CPU' });
    // TensorFlow tells its release, where its file is called .so.2.
    const tensorflow = engine(report, 'tfjs-node');
    if (tensorflow.works) expect(tensorflow.parts.find(({ name }) => name === 'TensorFlow')?.found).toMatch(/^2\.\d+\.\d/);
    const onnx = engine(report, 'onnx');
    if (onnx.works) expect(onnx.providers?.map(({ name }) => name)).toEqual(['webgpu', 'cuda']);
    for (const { carried, works: holds, reason } of report.engines) if (carried && !holds) expect(reason).toMatch(/\w/);
  }, 120_000);
});
