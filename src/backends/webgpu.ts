// tfjs's WebGPU backend under plain Node: Dawn (npm `webgpu`) in the place of a browser's navigator.gpu. Both packages are
// optional peers. An adapter that computes on the CPU (SwiftShader, llvmpipe, WARP) says so and never counts as a GPU.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Engine } from './backends.js';
import { eagerExecutor } from './eagerExecutor.js';
import { type Faults, guardedExecutor } from './guardedExecutor.js';
import { installCommand } from './installCommand.js';
import { registerTranspose } from './kernels/transpose.js';

const peers = { webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': '4.22.0' };
const install = installCommand(peers);

/** What we read of Dawn's adapter. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

interface Gpu {
  requestAdapter(options: object): Promise<{ readonly info: AdapterInfo } | null>;
}

interface Device extends EventTarget {
  readonly lost: Promise<{ readonly message: string }>;
}

/** What stands between this machine and the backend, asked in this order before anything native is loaded. */
export interface WebgpuSurroundings {
  readonly platform: NodeJS.Platform;
  installed(peer: string): boolean;
  /** Loads and lets go of a shared library; false where the system's loader does not find it. */
  finds(library: string): boolean;
}

/** The machine that we are on. */
export const machine: WebgpuSurroundings = {
  platform: process.platform,
  installed(peer) {
    try {
      createRequire(import.meta.url).resolve(peer);
      return true;
    } catch {
      return false;
    }
  },
  finds(library) {
    try {
      process.dlopen({ exports: {} }, library);
    } catch (error) {
      // Found, and of course no addon of Node: the very search that Dawn does, without the lines that it prints.
      return /did not self-register/.test((error as Error).message);
    }
    return true;
  },
};

/** Does an adapter compute on the CPU? */
export function isSoftware({ vendor, architecture, device, description, isFallbackAdapter }: AdapterInfo): boolean {
  return (
    isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b/i.test([vendor, architecture, device, description].join(' '))
  );
}

/** What is missing, with the command that brings it; undefined where nothing is known to be. */
export function missing({ platform, installed, finds }: WebgpuSurroundings): MaskflowError | undefined {
  const absent = Object.keys(peers).filter((peer) => !installed(peer));
  if (absent.length > 0) {
    return unable(`the package${absent.length > 1 ? 's' : ''} ${absent.join(' and ')} ${absent.length > 1 ? 'are' : 'is'} not installed`, install);
  }
  if (platform === 'linux' && !finds('libvulkan.so.1')) {
    return unable('there is no Vulkan loader (libvulkan.so.1)', 'apt-get install libvulkan1 (Fedora: dnf install vulkan-loader)');
  }
  return undefined;
}

let started: Promise<Engine> | undefined;

/**
 * Loads the webgpu backend on the adapter that Dawn prefers (a discrete GPU before others, software last).
 *
 * @throws MaskflowError that names what is missing: a package, the Vulkan loader, a driver
 */
export function loadWebgpu(): Promise<Engine> {
  // One device in a process: tfjs keeps one backend of a name, and a second Dawn instance would be a second GPU context.
  started ??= start().catch((error: unknown) => {
    started = undefined;
    throw error;
  });
  return started.then(async (engine) => {
    if (!(await tf.setBackend('webgpu'))) throw unable('tfjs could not start its webgpu backend', 'Use --backend wasm.');
    return engine;
  });
}

async function start(): Promise<Engine> {
  const problem = missing(machine);
  if (problem !== undefined) throw problem;
  tf.enableProdMode();
  const gpu = await gpuOf();
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw unable('Dawn finds no adapter: no GPU, or no driver for it', driverHint());
  const { info } = adapter;
  await imported('@tensorflow/tfjs-backend-webgpu');
  if (tf.findBackendFactory('webgpu') == null) {
    throw unable(
      'tfjs-backend-webgpu was imported before maskflow could give it a GPU, or belongs to another copy of tfjs',
      `Do not import it yourself; npm ls @tensorflow/tfjs-core must show one version. ${install}`,
    );
  }
  // Small tensors would silently be computed on the CPU, in other rounding, and what is fresh from the host always would.
  tf.env().set('WEBGPU_CPU_FORWARD', false);
  if (!(await tf.setBackend('webgpu'))) throw unable('tfjs could not start its webgpu backend on this adapter', driverHint(), describe(info));
  registerTranspose();
  const faults = faultsOf((tf.backend() as unknown as { device: Device }).device);
  return {
    device: describe(info),
    software: isSoftware(info),
    executor: ({ seed }) => guardedExecutor(eagerExecutor({ backend: 'webgpu', seed }), faults),
  };
}

/** `SwiftShader driver 5.0.0 (google swiftshader)`. */
function describe({ vendor, architecture, device, description }: AdapterInfo): string {
  const maker = [vendor, architecture].filter((part) => part !== '').join(' ');
  const name = description || device || 'unnamed adapter';
  return maker === '' ? name : `${name} (${maker})`;
}

/** Dawn as navigator.gpu, with its classes as globals: what tfjs's backend asks for when it is imported. */
async function gpuOf(): Promise<Gpu> {
  const { create, globals } = (await imported('webgpu')) as { create(options: string[]): Gpu; globals: Record<string, unknown> };
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: false });
  }
  // Node ≥ 21 has a navigator; the userAgent is what tfjs reads to tell phones.
  if (globalThis.navigator === undefined) {
    Object.defineProperty(globalThis, 'navigator', { value: { userAgent: 'Node.js' }, configurable: true, writable: true, enumerable: false });
  }
  const present = (globalThis.navigator as { gpu?: Gpu }).gpu;
  if (present !== undefined) return present;
  const gpu = create([]);
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  return gpu;
}

/** An optional peer by its main file, which the compiler does not follow: the package builds where it is not installed. */
async function imported(peer: keyof typeof peers): Promise<unknown> {
  try {
    return await import(pathToFileURL(createRequire(import.meta.url).resolve(peer)).href);
  } catch (cause) {
    throw new MaskflowError({
      stage: 'backend',
      option: 'webgpu',
      rule: `the package ${peer} does not load: ${((cause as Error).message.split('\n')[0] ?? '').replace(/\.$/, '')}`,
      hint: install,
      cause,
    });
  }
}

/** WebGPU tells of errors (memory, limits, a lost device) beside the calls that made them; what was computed is then zeros. */
function faultsOf(device: Device): Faults {
  const faults: string[] = [];
  device.addEventListener('uncapturederror', (event) => {
    event.preventDefault();
    faults.push((event as Event & { error: { message: string } }).error.message);
  });
  const state: { lost?: string } = {};
  void device.lost.then(({ message }) => {
    state.lost = message || 'the device was lost';
  });
  return { all: faults, lost: () => state.lost };
}

function driverHint(): string {
  if (process.platform !== 'linux') return 'Update the driver of the GPU, or use --backend wasm.';
  return 'apt-get install mesa-vulkan-drivers (AMD, Intel); for NVIDIA its driver, in a container with NVIDIA_DRIVER_CAPABILITIES=all. Or use --backend wasm.';
}

function unable(rule: string, hint: string, value?: string): MaskflowError {
  return new MaskflowError({ stage: 'backend', option: 'webgpu', rule, hint, ...(value === undefined ? {} : { value }) });
}
