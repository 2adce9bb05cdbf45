// What the providers of the compiled engine need and say; that webgpu computes right is webgpu.test.ts's. No GPU is needed here.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BackendEntry, backends, chooseBackend } from '../../../src/backends/index.js';
import { type Opened, gpuInUse, opened } from '../../../src/backends/onnx/gpuInUse.js';
import { type ProviderSurroundings, missingForProvider } from '../../../src/backends/onnx/openProvider.js';
import { providers } from '../../../src/backends/onnx/providers.js';
import { rules } from '../../../src/backends/onnx/rewrites/rewrite.js';
import { onnxRuntime } from './engine.js';

const all: ProviderSurroundings = {
  platform: 'linux',
  arch: 'x64',
  version: '1.30.0',
  libraries: '/there',
  known: ['cpu', 'webgpu', 'cuda'],
  exists: () => true,
  finds: () => true,
};

describe('missingForProvider', () => {
  it('has nothing to say where all is there', () => {
    for (const provider of ['cpu', 'webgpu', 'cuda'] as const) expect(missingForProvider(provider, all)).toBeUndefined();
    expect(missingForProvider('cpu', { ...all, known: [] })).toBeUndefined();
  });

  it('names the CUDA libraries that npm does not bring, and what brings them', () => {
    expect(missingForProvider('cuda', { ...all, exists: (path) => !path.includes('cuda') })?.message).toBe(
      'backend.onnx.cuda: the CUDA libraries of onnxruntime-node are not installed: libonnxruntime_providers_cuda.so. node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12 downloads them; they need CUDA 12 and cuDNN 9. Or use the provider webgpu.',
    );
    const asked: string[] = [];
    missingForProvider('cuda', { ...all, exists: (path) => asked.push(path) < 0 });
    expect(asked).toEqual([join('/there', 'libonnxruntime_providers_shared.so'), join('/there', 'libonnxruntime_providers_cuda.so')]);
  });

  it('names the Vulkan loader on Linux, and only there', () => {
    expect(missingForProvider('webgpu', { ...all, finds: () => false })?.message).toMatch(
      /^backend\.onnx\.webgpu: there is no Vulkan loader .*apt-get install libvulkan1/,
    );
    for (const platform of ['darwin', 'win32']) expect(missingForProvider('webgpu', { ...all, platform, finds: () => false })).toBeUndefined();
  });

  it('says where a build has no such provider', () => {
    const old = { ...all, version: '1.20.0', known: ['cpu'] };
    expect(missingForProvider('webgpu', old)?.message).toBe(
      'backend.onnx.webgpu: onnxruntime-node 1.20.0 has no such provider on linux-x64. Install a newer onnxruntime-node; it has cpu.',
    );
    expect(missingForProvider('cuda', { ...old, platform: 'darwin', arch: 'arm64', known: ['cpu', 'webgpu'] })?.message).toMatch(
      /no such provider on darwin-arm64\. CUDA needs Linux on x64; it has cpu, webgpu\./,
    );
  });
});

describe('gpuInUse', () => {
  const linux = (libraries: readonly string[], devices: readonly string[] = []): Opened => ({ platform: 'linux', libraries, devices });
  const mesa = ['/usr/lib/libvulkan.so.1', '/usr/lib/libvulkan_radeon.so', '/usr/lib/libvulkan_intel.so', '/usr/lib/libvulkan_lvp.so'];

  it.each([
    ['NVIDIA, whatever else is installed', linux([...mesa, '/usr/lib/libGLX_nvidia.so.0'], ['/dev/nvidiactl', '/dev/nvidia0']), 'Vulkan, NVIDIA'],
    ['AMD or Intel by the driver of the kernel', linux(mesa, ['/dev/dri/renderD128']), 'Vulkan, AMD or Intel'],
    ['WSL', linux(['/usr/lib/libvulkan_dzn.so'], ['/dev/dxg']), 'Vulkan, virtual'],
    ['Metal', { platform: 'darwin', libraries: [], devices: [] }, 'Metal'],
    ['Direct3D', { platform: 'win32', libraries: ['C:\\Windows\\System32\\d3d10warp.dll', 'C:\\x\\nvwgf2umx.dll'], devices: [] }, 'Direct3D 12, NVIDIA'],
  ])('a GPU: %s', (_, now: Opened, name) => {
    expect(gpuInUse(now)).toEqual({ name, software: false });
  });

  it.each([
    ['SwiftShader', linux(['/opt/libvk_swiftshader.so']), 'Vulkan, SwiftShader'],
    ['drivers that are installed without their GPU', linux(mesa, ['/dev/null', '/dev/nvidiactl', '/dev/udmabuf']), 'Vulkan, llvmpipe'],
    ['WARP', { platform: 'win32', libraries: ['C:\\Windows\\System32\\D3D10Warp.dll'], devices: [] }, 'Direct3D 12, WARP'],
    ['what cannot be seen', linux([]), 'Vulkan, unknown driver'],
  ])('none: %s', (_, now: Opened, name) => {
    expect(gpuInUse(now)).toEqual({ name, software: true });
  });

  it('a device that something else in the process had opened before proves nothing', () => {
    const before = linux([], ['/dev/nvidia0']);
    expect(gpuInUse(linux(['/opt/libvk_swiftshader.so'], ['/dev/nvidia0']), before)).toEqual({ name: 'Vulkan, SwiftShader', software: true });
  });

  it.runIf(process.platform === 'linux')('sees what this process has opened', () => {
    const { libraries } = opened();
    expect(libraries.some((path) => /\/libc\.so|musl/.test(path))).toBe(true);
  });
});

const runtime = await onnxRuntime();

describe('providers', () => {
  it('leave out rules that there are', () => {
    for (const { without } of Object.values(providers)) for (const name of without) expect(Object.keys(rules)).toContain(name);
  });

  it('are named to a backend that has them, and stand for it', async () => {
    const asked: unknown[] = [];
    const found = backends.find(({ name }) => name === 'cpu') as BackendEntry;
    const cpu = await (found.load as NonNullable<BackendEntry['load']>)();
    const remembering: BackendEntry['load'] = async ({ provider } = {}) => {
      asked.push(provider);
      return { ...cpu, gpu: provider === 'webgpu' };
    };
    const table: BackendEntry[] = [
      { name: 'onnx', gpu: false, providers: ['cpu', 'webgpu'], load: remembering },
      { name: 'cpu', gpu: false, load: async () => cpu },
    ];
    expect(await chooseBackend({ provider: 'webgpu' }, { table, environment: {} })).toMatchObject({ name: 'onnx', gpu: true });
    expect(await chooseBackend({}, { table, environment: {} })).toMatchObject({ name: 'onnx', gpu: false });
    expect(asked).toEqual(['webgpu', undefined]);
    await expect(chooseBackend({ backend: 'cpu', provider: 'webgpu' }, { table, environment: {} })).rejects.toThrow(
      'backend.provider: cpu has no providers to choose from; got "webgpu". Leave it out, or choose the backend onnx.',
    );
    const broken: BackendEntry[] = [{ name: 'onnx', gpu: false, providers: ['cpu'], load: () => Promise.reject(new Error('no')) }, table[1] as BackendEntry];
    expect((await chooseBackend({}, { table: broken, environment: {} })).name).toBe('cpu');
    // The variable is a wish like any other: what fails is told, not replaced.
    await expect(chooseBackend({}, { table: broken, environment: { MASKFLOW_ONNX_PROVIDER: 'cpu' } })).rejects.toThrow('backend: no.');
    expect((await chooseBackend({}, { table: broken, environment: { MASKFLOW_ONNX_PROVIDER: 'cpu', MASKFLOW_BACKEND: 'cpu' } })).name).toBe('cpu');
  });

  it.skipIf(runtime === undefined)('unknown ones are refused, by option and by variable', async () => {
    await expect(chooseBackend({ provider: 'cudo' })).rejects.toThrow('backend.provider: must be one of cpu, webgpu, cuda; got "cudo".');
    await expect(chooseBackend({}, { environment: { MASKFLOW_ONNX_PROVIDER: 'dml' } })).rejects.toThrow(
      'backend.MASKFLOW_ONNX_PROVIDER: must be cpu, webgpu or cuda; got "dml".',
    );
  });

  const libraries =
    runtime && join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')), 'bin/napi-v6', process.platform, process.arch);
  const hasCuda = libraries !== undefined && existsSync(join(libraries, 'libonnxruntime_providers_cuda.so'));
  it.skipIf(runtime === undefined || hasCuda)('cuda without its libraries is an error with the way out', async () => {
    await expect(chooseBackend({ provider: 'cuda' })).rejects.toThrow(
      process.platform === 'linux' && process.arch === 'x64'
        ? /^backend\.onnx\.cuda: the CUDA libraries of onnxruntime-node are not installed: .*install\.js --onnxruntime-node-install=cuda12/
        : /^backend\.onnx\.cuda: onnxruntime-node .* has no such provider/,
    );
  });
});
