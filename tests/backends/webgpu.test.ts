// What the loader of webgpu says where something is missing, and what counts as a GPU. That it computes right is the
// conformance suite's, where it runs at all.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { type ChosenBackend, backends } from '../../src/backends/index.js';
import { type AdapterInfo, type WebgpuSurroundings, isSoftware, machine, missing } from '../../src/backends/webgpu.js';
import { useBackend } from '../../src/backends/useBackend.js';
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
  it.runIf(webgpu !== undefined)('transposes integers as integers, in every rank and behind a cast', async () => {
    await useBackend('webgpu');
    // Floats hold no odd number above 2²⁴.
    const large = Int32Array.from({ length: 24 }, (_, i) => 2 ** 24 + i);
    const transposed = async (shape: number[], perm: number[]): Promise<Int32Array> => {
      const [x, y] = tf.tidy(() => {
        const made = tf.tensor(large, shape, 'int32');
        return [made, made.transpose(perm)] as const;
      });
      const values = (await y.data()) as Int32Array;
      tf.dispose([x, y]);
      return values.map((value) => value - 2 ** 24);
    };
    const places = (of: (i: number) => number): Int32Array => Int32Array.from({ length: 24 }, (_, i) => of(i));
    expect(await transposed([24], [0])).toEqual(places((i) => i));
    expect(await transposed([4, 6], [1, 0])).toEqual(places((i) => 6 * (i % 4) + Math.floor(i / 4)));
    expect(await transposed([2, 3, 4], [0, 2, 1])).toEqual(places((i) => 12 * Math.floor(i / 12) + 4 * (i % 3) + (Math.floor(i / 3) % 4)));
    for (const shape of [
      [2, 1, 3, 4],
      [2, 1, 3, 1, 4],
      [2, 1, 3, 1, 4, 1],
    ]) {
      const perm = shape.map((_, axis) => axis).reverse();
      expect(await transposed(shape, perm)).toEqual(places((i) => 12 * (i % 2) + 4 * (Math.floor(i / 2) % 3) + Math.floor(i / 6)));
    }
  });

  it.runIf(webgpu !== undefined)('reduces, accumulates and contracts integers over every axis', async () => {
    const of = (webgpu as ChosenBackend).executor({ seed: 0 });
    const program: Program<'any' | 'running' | 'product'> = {
      ...linear(),
      build() {
        const x = tf.range(0, 24, 1, 'int32').reshape([2, 3, 4]);
        return { any: x.greater(19).any(1).toFloat(), running: x.cumsum(0).toFloat(), product: tf.einsum('abc,abd->cd', x.toFloat(), x.greater(20).toFloat()) };
      },
    };
    const got = await of.evaluate(program, lines([0]), ['any', 'running', 'product']);
    expect([...got.any.data]).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect([...got.running.data]).toEqual(Array.from({ length: 24 }, (_, i) => (i < 12 ? i : 2 * i - 12)));
    expect([...got.product.data]).toEqual(Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 0 : 20 + Math.floor(i / 4))));
    of.dispose();
  });

  // A real GPU may have the memory.
  it.runIf(webgpu?.software)('tells of an error that WebGPU reports beside the call, where tfjs would answer zeros', async () => {
    const executor = (webgpu as ChosenBackend).executor({ seed: 0 });
    const large: Program<'large'> = { ...linear(), build: () => ({ large: tf.fill([20_000, 20_000], 1).slice([0, 0], [1, 2]) }) };
    await expect(executor.evaluate(large, lines([0]), ['large'])).rejects.toThrow(/executor\.webgpu: the GPU reported an error.*exceeds the max buffer size/);
    await expect(executor.evaluate(linear(), lines([0]), ['prediction'])).rejects.toThrow(/cannot be trusted/);
    executor.dispose();
    const next = (webgpu as ChosenBackend).executor({ seed: 0 });
    expect((await next.evaluate(linear(), lines([0]), ['prediction'])).prediction.shape).toEqual([1]);
    next.dispose();
  });
});
