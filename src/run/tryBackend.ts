// What `doctor` asks of one engine, in a process of its own: load it, let it compute, and say what it stands on.
import { readFileSync, realpathSync } from 'node:fs';
import { chooseBackend } from '../backends/index.js';
import { MaskflowError } from '../core/errors.js';

/** How the trial of one backend came out. */
export interface BackendTrial {
  readonly works: boolean;
  /** What computes; absent where it did not load. */
  readonly device?: string;
  /** On the CPU, although it is a GPU backend. */
  readonly software?: boolean;
  /** Native libraries in the process, by name: the version in the file's name, or its path. */
  readonly libraries: Readonly<Record<string, string>>;
  /** Why it does not work. */
  readonly reason?: string;
  /** What its loader says that helps. */
  readonly hint?: string;
}

/** Loads a backend and has it do a real product and a real gradient; a software adapter is allowed, and told. */
export async function tryBackend(name: string): Promise<BackendTrial> {
  try {
    const { device, software } = await chooseBackend({ backend: name, allowSoftware: true }, { environment: {} });
    return { works: true, device, software, libraries: loadedLibraries() };
  } catch (error) {
    const { rule, hint } = error instanceof MaskflowError ? error.problem : { rule: error instanceof Error ? error.message : String(error), hint: undefined };
    return { works: false, libraries: loadedLibraries(), reason: rule, ...(hint === undefined ? {} : { hint }) };
  }
}

const watched: readonly (readonly [string, RegExp])[] = [
  ['TensorFlow', /\/libtensorflow(?:_cc)?\.so[^/]*$/],
  ['CUDA driver', /\/libcuda\.so[^/]*$/],
  ['CUDA runtime', /\/libcudart[^/]*\.so[^/]*$/],
  ['cuDNN', /\/libcudnn\.so[^/]*$/],
  ['Vulkan loader', /\/libvulkan\.so[^/]*$/],
  ['ONNX Runtime', /\/libonnxruntime\.so[^/]*$/],
];

/** Native libraries that this process has loaded; Linux alone tells. */
export function loadedLibraries(maps: string = mapsOfProcess()): Record<string, string> {
  const paths = new Set(maps.split('\n').flatMap((line) => /\s(\/\S.*)$/.exec(line)?.[1] ?? []));
  const found: Record<string, string> = {};
  for (const path of paths) {
    for (const [name, pattern] of watched) {
      if (!pattern.test(path)) continue;
      const version = /\.so\.(\d+(?:\.\d+)*)$/.exec(real(path))?.[1];
      found[name] = version ?? path;
    }
  }
  return found;
}

function mapsOfProcess(): string {
  try {
    return readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return '';
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
