// A provider proven: its libraries are there, a session starts on it with no node on the CPU, and what it computes on.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MaskflowError } from '../../core/errors.js';
import { machine } from '../webgpu.js';
import { encodeGraph } from './encodeGraph.js';
import type { Graph, ValueType } from './graph.js';
import { type GpuInUse, gpuInUse, opened } from './gpuInUse.js';
import type { Provider } from './providers.js';
import { type Runtime, told } from './runtime.js';

/** What stands between this machine and a GPU provider, asked before one is started. */
export interface ProviderSurroundings {
  readonly platform: string;
  readonly arch: string;
  /** Version of onnxruntime-node. */
  readonly version: string;
  /** Folder of its native libraries for this platform. */
  readonly libraries: string;
  /** Providers of the build. */
  readonly known: readonly string[];
  exists(path: string): boolean;
  /** Does the system's loader find a shared library? */
  finds(library: string): boolean;
}

/** What is missing for a provider, with the way out; undefined where nothing is known to be. */
export function missingForProvider(
  provider: Provider,
  { platform, arch, version, libraries, known, exists, finds }: ProviderSurroundings,
): MaskflowError | undefined {
  if (provider === 'cpu') return undefined;
  if (!known.includes(provider)) {
    const way = provider === 'cuda' ? 'CUDA needs Linux on x64; ' : 'Install a newer onnxruntime-node; ';
    return unable(provider, `onnxruntime-node ${version} has no such provider on ${platform}-${arch}`, `${way}it has ${known.join(', ')}.`);
  }
  if (provider === 'webgpu') {
    if (platform !== 'linux' || finds('libvulkan.so.1')) return undefined;
    return unable(provider, 'there is no Vulkan loader (libvulkan.so.1)', 'apt-get install libvulkan1 (Fedora: dnf install vulkan-loader)');
  }
  const absent = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'].filter((file) => !exists(join(libraries, file)));
  if (absent.length === 0) return undefined;
  return unable(
    provider,
    `the CUDA libraries of onnxruntime-node are not installed: ${absent.join(' and ')}`,
    'node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12 downloads them; they need CUDA 12 and cuDNN 9. Or use the provider webgpu.',
  );
}

/** In one process a device, once found, stays what it is; its second session opens nothing anew. */
let found: GpuInUse | undefined;

/**
 * Starts a provider.
 *
 * @param folder that of the package's native libraries
 * @returns what it computes on
 * @throws MaskflowError that names what is missing, or why no session starts
 */
export async function openProvider(runtime: Runtime, provider: Provider, { version, folder }: { version: string; folder: string }): Promise<GpuInUse> {
  const { platform, arch } = process;
  const problem = missingForProvider(provider, {
    platform,
    arch,
    version,
    libraries: folder,
    known: ['cpu', ...(runtime.listSupportedBackends?.() ?? []).map(({ name }) => name)],
    exists: existsSync,
    finds: (library) => machine.finds(library),
  });
  if (problem !== undefined) throw problem;
  const before = opened();
  try {
    const session = await runtime.InferenceSession.create(encodeGraph(product), {
      executionProviders: [provider],
      logSeverityLevel: 4,
      // A node that would run on the CPU is an error.
      extra: { session: { disable_cpu_ep_fallback: '1' } },
    });
    try {
      if (provider === 'webgpu') found ??= gpuInUse(opened(), before);
    } finally {
      await session.release();
    }
  } catch (cause) {
    throw unable(provider, `no session starts on the provider: ${told(cause).split('\n', 1)[0]?.slice(-300)}`, ways[provider], cause);
  }
  return found !== undefined && provider === 'webgpu' ? found : { name: provider === 'cuda' ? 'CUDA' : 'CPU', software: false };
}

const ways: Readonly<Record<Provider, string>> = {
  cpu: 'Use --backend wasm.',
  webgpu: 'It needs a GPU and its driver, as the engine webgpu does (docs/backends.md). Or use MASKFLOW_ONNX_PROVIDER=cpu.',
  cuda: 'It needs an NVIDIA card and its driver, CUDA 12 and cuDNN 9 where the loader finds them (LD_LIBRARY_PATH). Or use MASKFLOW_ONNX_PROVIDER=webgpu.',
};

const matrix: ValueType = { type: 'float32', shape: [2, 2] };
const product: Graph = {
  inputs: ['a', 'b'],
  outputs: new Map([['c', 'c']]),
  values: new Map(['a', 'b', 'c'].map((name) => [name, matrix])),
  constants: new Map(),
  nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['c'], attributes: {} }],
};

function unable(provider: Provider, rule: string, hint: string, cause?: unknown): MaskflowError {
  return new MaskflowError({
    stage: 'backend',
    option: `onnx.${provider}`,
    rule,
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
