// ONNX Runtime, the engine of compiled programs, through the user's own onnxruntime-node: an optional peer that brings its
// native library inside the package. Its install script would only fetch GPU libraries from elsewhere: leave it off.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import type { Engine, LoadOptions } from './backends.js';
import { loadCpu } from './cpu.js';
import { installCommand } from './installCommand.js';
import { onnxExecutor } from './onnx/onnxExecutor.js';
import { onnxSettings } from './onnx/onnxSettings.js';
import { openProvider } from './onnx/openProvider.js';
import { type Provider, providerNames } from './onnx/providers.js';
import type { Runtime } from './onnx/runtime.js';
import { loadWasm } from './wasm.js';

const peer = 'onnxruntime-node';
const expected = '1.30.0';
const install = installCommand({ [peer]: expected });
/** The oldest minor version of major 1 that has opset 20 and writes outputs into tensors that are given. */
const oldestMinor = 20;

/** What stands between this machine and the engine, asked before anything native is loaded. */
export interface OnnxSurroundings {
  readonly platform: string;
  readonly arch: string;
  /** Version of the installed package; undefined where there is none. */
  readonly version: string | undefined;
  /** Platforms of the package's native builds: `linux/x64`. */
  readonly builds: readonly string[];
  /** Folder of the native build for this platform, where there is one. */
  readonly folder?: string | undefined;
}

/** Is a version of onnxruntime-node one that the engine accepts? */
export function isOnnxVersion(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 1 && minor >= oldestMinor;
}

/** What is missing, with the command that brings it; undefined where nothing is known to be. */
export function missingForOnnx({ platform, arch, version, builds }: OnnxSurroundings): MaskflowError | undefined {
  if (version === undefined) return unable(`the package ${peer} is not installed`, install);
  if (!isOnnxVersion(version)) {
    return unable(`${peer} must be of version 1.${oldestMinor} or newer, below 2; maskflow is tested with ${expected}`, install, version);
  }
  if (!builds.includes(`${platform}/${arch}`)) {
    return unable(`${peer} ${version} has no build for this platform`, `It has ${builds.join(', ') || 'none'}. Use --backend wasm.`, `${platform}/${arch}`);
  }
  return undefined;
}

/**
 * Loads ONNX Runtime; `maskflow doctor` shows its version. Options come from environment variables (docs/compiled.md):
 * MASKFLOW_ONNX_PROVIDER, _THREADS, _SPINNING, _SESSIONS, _GRAPHS, _PROFILE, _FALLBACK; the option `provider` comes first.
 *
 * @throws MaskflowError that names what is missing: the package, its version, a build for this platform, what a provider needs
 */
export async function loadOnnx(options: LoadOptions = {}): Promise<Engine> {
  const settings = onnxSettings(options.environment ?? process.env);
  const provider = (options.provider ?? settings.provider ?? 'cpu') as Provider;
  if (!providerNames.includes(provider)) {
    throw new MaskflowError({ stage: 'backend', option: 'provider', rule: `must be one of ${providerNames.join(', ')}`, value: provider });
  }
  const require = createRequire(import.meta.url);
  const found = surroundings(require);
  const problem = missingForOnnx(found);
  if (problem !== undefined) throw problem;
  const runtime = loaded(require);
  if (settings.fallback === 'wasm') await loadWasm();
  await loadCpu();
  const threads = settings.threads ?? availableParallelism();
  const executor: Engine['executor'] = ({ seed }) => onnxExecutor({ ...settings, seed, runtime, provider, threads });
  const library = `ONNX Runtime ${found.version}`;
  if (provider === 'cpu') {
    const device = `${library}, CPU, ${threads} thread${threads === 1 ? '' : 's'}`;
    return { device, software: false, settings: { provider, threads }, executor };
  }
  const { name, software } = await openProvider(runtime, provider, { version: found.version as string, folder: found.folder as string });
  const device = provider === 'webgpu' ? `${library}, WebGPU (${name})` : `${library}, ${name}`;
  return { device, gpu: true, software, settings: { provider }, executor };
}

function surroundings(require: NodeJS.Require): OnnxSurroundings {
  const { platform, arch } = process;
  for (const folder of require.resolve.paths(peer) ?? []) {
    const home = join(folder, peer);
    if (!existsSync(join(home, 'package.json'))) continue;
    const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
    const builds = buildsIn(join(home, 'bin'));
    return { platform, arch, version, builds: [...builds.keys()], folder: builds.get(`${platform}/${arch}`) };
  }
  return { platform, arch, version: undefined, builds: [] };
}

/** `bin/napi-v6/linux/x64/onnxruntime_binding.node` → `linux/x64` and its folder. */
function buildsIn(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) return new Map();
  return new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('onnxruntime_binding.node'))
      .map((path) => dirname(path))
      .map((path): [string, string] => [path.split(/[\\/]/).slice(-2).join('/'), join(folder, path)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function loaded(require: NodeJS.Require): Runtime {
  // ONNX Runtime ≥ 1.30 reports its use to Microsoft, and keeps a database for that in the user's cache, unless it is told not to.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  try {
    const runtime = require(peer) as Runtime & { env: { logLevel: string } };
    runtime.env.logLevel = 'error'; // the first session sets it for the process: warnings about a GPU that is not there are not ours to print
    return runtime;
  } catch (cause) {
    const [line = ''] = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n', 1);
    throw unable(`the package ${peer} does not load: ${line.replace(/\.$/, '')}`, `${install}, or use --backend wasm.`, undefined, cause);
  }
}

function unable(rule: string, hint: string, value?: string, cause?: unknown): MaskflowError {
  return new MaskflowError({
    stage: 'backend',
    option: 'onnx',
    rule,
    hint,
    ...(value === undefined ? {} : { value }),
    ...(cause === undefined ? {} : { cause }),
  });
}
