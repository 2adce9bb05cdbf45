// What the loader of webgpu says where something is missing, and what counts as a GPU. That it computes right is the
// conformance suite's, where it runs at all.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type ChosenBackend, backends } from '../../src/backends/index.js';
import { type AdapterInfo, type WebgpuSurroundings, isSoftware, machine, missing } from '../../src/backends/webgpu.js';
import type { Program } from '../../src/core/program.js';
import { linear, lines } from './linear.js';
import { presentBackends } from './presentBackends.js';

const all: WebgpuSurroundings = { platform: 'linux', installed: () => true, finds: () => true };
const adapter = (change: Partial<AdapterInfo>): AdapterInfo => ({
  vendor: 'nvidia',
  architecture: 'hopper',
  device: '',
  description: 'NVIDIA H100',
  ...change,
});

describe('missing', () => {
  it('names packages with the command that brings both, without scripts', () => {
    expect(missing({ ...all, installed: () => false })?.message).toBe(
      'backend.webgpu: the packages webgpu and @tensorflow/tfjs-backend-webgpu are not installed. npm install --no-save --save-prod --ignore-scripts webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0',
    );
    expect(missing({ ...all, installed: (peer) => peer !== 'webgpu' })?.message).toMatch(
      /^backend\.webgpu: the package webgpu is not installed\. npm install /,
    );
  });

  it('names the Vulkan loader on Linux, and only there', () => {
    const asked: string[] = [];
    const finds = (library: string): boolean => {
      asked.push(library);
      return false;
    };
    expect(missing({ ...all, finds })?.message).toMatch(/there is no Vulkan loader \(libvulkan\.so\.1\)\. apt-get install libvulkan1/);
    expect(asked).toEqual(['libvulkan.so.1']);
    for (const platform of ['darwin', 'win32'] as const) expect(missing({ ...all, platform, finds })).toBeUndefined();
  });

  it('has nothing to say where all is there', () => {
    expect(missing(all)).toBeUndefined();
  });

  it('sees this machine: packages that are there and that are not, libraries likewise', () => {
    expect(machine.installed('@tensorflow/tfjs')).toBe(true);
    expect(machine.installed('maskflow-no-such-package')).toBe(false);
    expect(machine.finds('libmaskflow-no-such-library.so.9')).toBe(false);
  });

  it.runIf(process.platform === 'linux' && process.report.getReport !== undefined && glibc())('finds a library that every Linux with glibc has', () => {
    expect(machine.finds('libc.so.6')).toBe(true);
  });
});

function glibc(): boolean {
  return (process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }).header.glibcVersionRuntime !== undefined;
}

describe('isSoftware', () => {
  it.each([
    adapter({ vendor: 'google', architecture: 'swiftshader', description: 'SwiftShader driver 5.0.0' }),
    adapter({ vendor: 'mesa', architecture: '', description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }),
    adapter({ vendor: 'microsoft', architecture: '', device: 'Microsoft Basic Render Driver', description: '' }),
    adapter({ isFallbackAdapter: true }),
  ])('$vendor $architecture $description', (info) => {
    expect(isSoftware(info)).toBe(true);
  });

  it.each([
    adapter({}),
    adapter({ vendor: 'apple', architecture: 'metal-3', description: 'Apple M3' }),
    adapter({ vendor: 'intel', architecture: 'xe', description: 'Iris(R) Xe', isFallbackAdapter: false }),
    adapter({ vendor: 'amd', architecture: 'rdna-3', description: 'RADV NAVI31' }),
  ])('not $vendor $architecture $description', (info) => {
    expect(isSoftware(info)).toBe(false);
  });
});

const [, webgpu] = (await presentBackends({ only: ['webgpu'] }))[0] ?? [];

describe('the backend', () => {
  it('stands before every CPU backend in the table', () => {
    const names = backends.map(({ name }) => name);
    expect(names.indexOf('webgpu')).toBeLessThan(names.indexOf('tfjs-node'));
    expect(backends.find(({ name }) => name === 'webgpu')).toMatchObject({ gpu: true });
  });

  it.runIf(webgpu !== undefined)('says what it runs on, and that a software adapter is none', () => {
    expect(webgpu?.device.length).toBeGreaterThan(3);
    expect(webgpu?.software).toBe(/swiftshader|llvmpipe/i.test(webgpu?.device ?? ''));
  });
  // A real GPU may have the memory.
  it.runIf(webgpu?.software)('tells of an error that WebGPU reports beside the call, where tfjs would answer zeros', async () => {
    const executor = (webgpu as ChosenBackend).executor({ seed: 0 });
    const large: Program<'large'> = { ...linear(), build: () => ({ large: tf.ones([20_000, 20_000]).slice([0, 0], [1, 2]) }) };
    await expect(executor.evaluate(large, lines([0]), ['large'])).rejects.toThrow(/executor\.webgpu: the GPU reported an error.*exceeds the max buffer size/);
    await expect(executor.evaluate(linear(), lines([0]), ['prediction'])).rejects.toThrow(/cannot be trusted/);
    executor.dispose();
    const next = (webgpu as ChosenBackend).executor({ seed: 0 });
    expect((await next.evaluate(linear(), lines([0]), ['prediction'])).prediction.shape).toEqual([1]);
    next.dispose();
  });
});
