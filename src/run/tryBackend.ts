// What `doctor` asks of one engine, in a process of its own: load it, let it compute, and say what it stands on.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chooseBackend } from '../backends/index.js';
import { MaskflowError, show } from '../core/errors.js';

/** How the trial of one backend came out. */
export interface BackendTrial {
  readonly works: boolean;
  /** What computes; absent where it did not load. */
  readonly device?: string;
  /** Computes on a GPU, or claims to. */
  readonly gpu?: boolean;
  /** On the CPU, although it is a GPU backend. */
  readonly software?: boolean;
  /** Native libraries in the process, by name: the version in the file's name, or its path. */
  readonly libraries: Readonly<Record<string, string>>;
  /** Versions that a loaded library says it was built for. */
  readonly expected?: Readonly<Record<string, string>>;
  /** Why it does not work. */
  readonly reason?: string;
  /** What its loader says that helps. */
  readonly hint?: string;
}

/**
 * Loads a backend and has it do a real product and a real gradient; a software adapter is allowed, and told.
 *
 * @param provider one of the backend's; without it what a run would take
 */
export async function tryBackend(name: string, provider?: string): Promise<BackendTrial> {
  try {
    const { device, gpu, software } = await chooseBackend({ backend: name, provider, allowSoftware: true });
    // Their files are called libtensorflow_cc.so.2 and libonnxruntime.so.1 in every release.
    const [, library, version] = /^(TensorFlow|ONNX Runtime) ([\w.+-]+)/.exec(device) ?? [];
    const libraries = { ...loadedLibraries(), ...(library === undefined || version === undefined ? {} : { [library]: version }) };
    return { works: true, device, gpu, software, libraries, expected: builtFor() };
  } catch (error) {
    return { works: false, libraries: loadedLibraries(), expected: builtFor(), ...reasonOf(error) };
  }
}

/** Why it does not work, and what helps. An environment variable is named with its value, for the report says neither. */
function reasonOf(error: unknown): { readonly reason: string; readonly hint?: string } {
  if (!(error instanceof MaskflowError)) return { reason: error instanceof Error ? error.message : String(error) };
  const { option, rule, value, hint } = error.problem;
  if (option?.startsWith('MASKFLOW_')) return { reason: `${option} ${rule}; got ${show(value)}`, hint: hint ?? `unset ${option}` };
  return { reason: rule, ...(hint === undefined ? {} : { hint }) };
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
  const found: Record<string, string> = {};
  for (const path of pathsOf(maps)) {
    for (const [name, pattern] of watched) {
      if (!pattern.test(path)) continue;
      const version = /\.so\.(\d+(?:\.\d+)*)$/.exec(real(path))?.[1];
      found[name] = version ?? path;
    }
  }
  return found;
}

/** Major versions of CUDA and cuDNN for which the loaded TensorFlow was built, as its wheel tells; nothing where it was built without. */
export function builtFor(maps: string = mapsOfProcess()): Record<string, string> {
  const library = [...pathsOf(maps)].find((path) => /\/libtensorflow_cc\.so[^/]*$/.test(path));
  const info = library === undefined ? undefined : join(dirname(real(library)), 'python/platform/build_info.py');
  if (info === undefined || !existsSync(info)) return {};
  const text = readFileSync(info, 'utf8');
  const [cuda, cudnn] = ['cuda_version', 'cudnn_version'].map((key) => new RegExp(`'${key}', '(\\d+)`).exec(text)?.[1]);
  return { ...(cuda === undefined ? {} : { 'CUDA runtime': cuda }), ...(cudnn === undefined ? {} : { cuDNN: cudnn }) };
}

const pathsOf = (maps: string): Set<string> => new Set(maps.split('\n').flatMap((line) => /\s(\/\S.*)$/.exec(line)?.[1] ?? []));

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
