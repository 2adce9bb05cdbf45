import { describe, expect, it } from 'vitest';
import { type BackendName, backends } from '../../src/backends/index.js';
import { doctorText } from '../../src/cli/doctor.js';
import { type DoctorReport, type DoctorSurroundings, type EngineReport, doctor, isSupported } from '../../src/run/doctor.js';
import { type BackendTrial, loadedLibraries, tryBackend } from '../../src/run/tryBackend.js';
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
      mend: expect.stringMatching(/^npm install --ignore-scripts webgpu@0\.6\.2/),
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
    const none = await doctor({}, here({ trial: async () => ({ problem: 'no' }) }));
    expect(none.chosen).toBeUndefined();
    expect(plainText(doctorText(none))).toMatch(/\nNo engine works here\.$/);
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
});

describe('maskflow doctor', () => {
  it('tries the engines of this machine in processes of their own: exit code 0, one object with --json', async () => {
    const { code, stdout, stderr } = await maskflow('doctor', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as DoctorReport;
    expect(report.engines.map(({ name }) => name)).toEqual(backends.map(({ name }) => name));
    for (const name of ['wasm', 'cpu'] as const) expect(engine(report, name)).toMatchObject({ installed: true, works: true, on: 'CPU' });
    for (const { carried, works: holds, reason } of report.engines) if (carried && !holds) expect(reason).toMatch(/\w/);
  }, 120_000);
});
