// What computes on this machine: each engine of the table tried for real, in a process of its own, beside what it stands on.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BackendEntry, type BackendName, backends } from '../backends/index.js';
import { installCommand } from '../backends/installCommand.js';
import { isOnnxVersion } from '../backends/onnx.js';
import { checkOptions } from '../core/options.js';
import { type ChildOutcome, inChild } from './inChild.js';
import type { BackendTrial } from './tryBackend.js';

export interface DoctorOptions {
  /** Milliseconds that each engine has; default 60,000. */
  readonly limit?: number;
  /** Told before each trial; default: nobody. */
  readonly say?: (line: string) => void;
}

/** A package or native library: what is there and what should be. */
export interface Part {
  readonly name: string;
  /** Absent where it is not there, or was not loaded. */
  readonly found?: string;
  readonly expected: string;
}

export interface EngineReport {
  readonly name: BackendName;
  /** Does this version of maskflow have it? */
  readonly carried: boolean;
  /** All its packages are there. */
  readonly installed: boolean;
  /** A real product and a real gradient came out right. */
  readonly works: boolean;
  /** What it runs on; absent where it does not work. `software`: a GPU engine that in truth runs on the CPU. */
  readonly on?: 'GPU' | 'software' | 'CPU';
  readonly device?: string;
  readonly node: { readonly supported: boolean; readonly expected: string };
  readonly parts: readonly Part[];
  /** Why it does not work, or what is odd although it does. */
  readonly reason?: string;
  /** What mends it. */
  readonly mend?: string;
  /** What else it can compute on, where it works and there is a choice. */
  readonly providers?: readonly ProviderReport[];
}

/** A provider of an engine, other than the default. */
export interface ProviderReport {
  readonly name: string;
  readonly works: boolean;
  readonly on?: 'GPU' | 'software';
  readonly device?: string;
  readonly reason?: string;
  readonly mend?: string;
}

export interface DoctorReport {
  readonly maskflow: string;
  readonly node: { readonly found: string; readonly expected: string; readonly supported: boolean };
  readonly platform: string;
  readonly threads: number;
  /** Bytes; `limit` where a container sets one. */
  readonly memory: { readonly total: number; readonly free: number; readonly limit?: number };
  /** NVIDIA's cards, as their driver tells. */
  readonly gpus: readonly { readonly name: string; readonly driver: string; readonly cuda?: string }[];
  /** The engine that a run takes here, and why. */
  readonly chosen?: { readonly name: string; readonly because: 'best' | 'MASKFLOW_BACKEND' | 'MASKFLOW_ONNX_PROVIDER' };
  readonly engines: readonly EngineReport[];
}

interface Needs {
  readonly packages: Readonly<Record<string, string>>;
  readonly libraries: Readonly<Record<string, string>>;
  /** Newest major of Node on which it is known to run. */
  readonly newestNode?: number;
  /** Whether another version of its packages than the expected one is as good. */
  readonly accepts?: (version: string) => boolean;
  /** What brings it. */
  readonly command: string;
}

const npm = (packages: Readonly<Record<string, string>>): Needs => ({ packages, libraries: {}, command: installCommand(packages) });

const oldestNode = '20.19';

/** What each engine stands on. */
const needs: Readonly<Record<BackendName, Needs>> = {
  'tfjs-node-gpu': {
    packages: { '@tensorflow/tfjs-node-gpu': '4.22.0' },
    // What the wheel of a loaded TensorFlow tells takes the place of the last two.
    libraries: { TensorFlow: '2.12 or newer', 'CUDA driver': '525 or newer', 'CUDA runtime': 'that of its wheel', cuDNN: 'that of its wheel' },
    newestNode: 26,
    command: 'maskflow setup tensorflow --gpu',
  },
  'tfjs-node': {
    packages: { '@tensorflow/tfjs-node': '4.22.0' },
    libraries: { TensorFlow: '2.12 or newer' },
    newestNode: 26,
    command: 'maskflow setup tensorflow',
  },
  webgpu: {
    ...npm({ webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': '4.22.0' }),
    libraries: process.platform === 'linux' ? { 'Vulkan loader': '1.0 or newer' } : {},
  },
  onnx: { ...npm({ 'onnxruntime-node': '1.30.0' }), libraries: { 'ONNX Runtime': '1.20 or newer' }, accepts: isOnnxVersion },
  wasm: npm({ '@tensorflow/tfjs-backend-wasm': '4.22.0' }),
  cpu: npm({ '@tensorflow/tfjs': '4.22.0' }),
};

/** What tests put in the place of the machine. */
export interface DoctorSurroundings {
  readonly table: readonly BackendEntry[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Tries one engine where it can do no harm. */
  trial(name: BackendName, limit: number | undefined, provider?: string): Promise<ChildOutcome<BackendTrial>>;
  /** Version of an installed package. */
  version(name: string): string | undefined;
  gpus(): Promise<DoctorReport['gpus']>;
}

const own = import.meta.url.endsWith('.ts') ? './tryBackend.ts' : './tryBackend.js';

const machine: DoctorSurroundings = {
  table: backends,
  environment: process.env,
  trial: (name, limit, provider) =>
    inChild<BackendTrial>(new URL(own, import.meta.url), 'tryBackend', provider === undefined ? [name] : [name, provider], { limit }),
  version: installedVersion,
  gpus: nvidia,
};

/**
 * Tries every engine and reports what was found. It changes nothing, prints nothing and does not fail because an engine does.
 *
 * @example
 * const { chosen, engines } = await doctor({ limit: 20_000 });
 */
export async function doctor(options: DoctorOptions = {}, surroundings: Partial<DoctorSurroundings> = {}): Promise<DoctorReport> {
  checkOptions('doctor', options, ['limit', 'say']);
  const { table, environment, trial, version, gpus } = { ...machine, ...surroundings };
  const cards = await gpus();
  const engines: EngineReport[] = [];
  // One after the other: they would take each other's threads and memory, and look slower or smaller than they are.
  for (const entry of table) {
    if (entry.load === undefined) {
      engines.push(notCarried(entry, version));
      continue;
    }
    options.say?.(`trying ${entry.name}`);
    const report = reportOf(entry, await trial(entry.name, options.limit), version, cards.length);
    const providers: ProviderReport[] = [];
    for (const provider of report.works ? (entry.providers ?? []).slice(1) : []) {
      options.say?.(`trying ${entry.name} on ${provider}`);
      providers.push(providerReport(provider, await trial(entry.name, options.limit, provider)));
    }
    engines.push(providers.length === 0 ? report : { ...report, providers });
  }
  const forced = environment.MASKFLOW_BACKEND || undefined;
  const implied = environment.MASKFLOW_ONNX_PROVIDER ? 'onnx' : undefined;
  const best = engines.find(({ works, on }) => works && on !== 'software')?.name;
  const limit = process.constrainedMemory();
  return {
    maskflow: (createRequire(import.meta.url)('../../package.json') as { version: string }).version,
    node: nodeReport(),
    platform: `${process.platform}-${process.arch}`,
    threads: availableParallelism(),
    // Without a limit Node answers 0, nothing, or more than there is.
    memory: { total: totalmem(), free: freemem(), ...(limit && limit < totalmem() ? { limit } : {}) },
    gpus: cards,
    ...(forced !== undefined
      ? { chosen: { name: forced, because: 'MASKFLOW_BACKEND' } }
      : implied !== undefined
        ? { chosen: { name: implied, because: 'MASKFLOW_ONNX_PROVIDER' } }
        : best !== undefined
          ? { chosen: { name: best, because: 'best' } }
          : {}),
    engines,
  };
}

function notCarried({ name }: BackendEntry, version: DoctorSurroundings['version']): EngineReport {
  const parts = packagesOf(name, version);
  return {
    name,
    carried: false,
    installed: parts.every(({ found }) => found !== undefined),
    works: false,
    node: nodeOf(name),
    parts,
    reason: 'this version of maskflow does not carry it yet',
  };
}

function reportOf(entry: BackendEntry, { answer, problem }: ChildOutcome<BackendTrial>, version: DoctorSurroundings['version'], cards: number): EngineReport {
  const { name } = entry;
  const gpu = answer?.gpu ?? entry.gpu;
  const packages = packagesOf(name, version);
  const installed = packages.every(({ found }) => found !== undefined);
  const works = answer?.works === true;
  const libraries = Object.entries(needs[name].libraries).map(([part, expected]) =>
    partOf(part, answer?.libraries[part], answer?.expected?.[part] ?? expected),
  );
  const on = !works ? undefined : !gpu ? 'CPU' : answer.software ? 'software' : 'GPU';
  const reason = works
    ? (problem ?? (on === 'software' ? 'it runs on the CPU: a run takes it only with --allow-software' : undefined))
    : (answer?.reason ?? problem ?? 'no answer');
  const node = nodeOf(name);
  const { accepts = () => false } = needs[name];
  const right = packages.every(({ found, expected }) => found === expected || (found !== undefined && accepts(found)));
  const mend = mendOf(name, { right, works, on, node, hint: answer?.hint, cards });
  return {
    name,
    carried: true,
    installed,
    works,
    ...(on === undefined ? {} : { on }),
    ...(answer?.device === undefined ? {} : { device: answer.device }),
    node,
    parts: [...packages, ...libraries],
    ...(reason === undefined ? {} : { reason }),
    ...(mend === undefined ? {} : { mend }),
  };
}

function providerReport(name: string, { answer, problem }: ChildOutcome<BackendTrial>): ProviderReport {
  const works = answer?.works === true;
  const on = !works ? undefined : answer.software ? 'software' : 'GPU';
  const reason = works ? problem : (answer?.reason ?? problem ?? 'no answer');
  return {
    name,
    works,
    ...(on === undefined ? {} : { on }),
    ...(answer?.device === undefined ? {} : { device: answer.device }),
    ...(reason === undefined ? {} : { reason }),
    ...(works || answer?.hint === undefined ? {} : { mend: answer.hint }),
  };
}

/** The one command that mends it; undefined where there is nothing to mend. */
function mendOf(
  name: BackendName,
  found: { right: boolean; works: boolean; on: EngineReport['on']; node: EngineReport['node']; hint: string | undefined; cards: number },
): string | undefined {
  const { right, works, on, node, hint, cards } = found;
  if (works && right) return on === 'software' ? driverOf(name, cards) : undefined;
  if (!works && !node.supported) return `nvm install 24 (or another Node: ${node.expected})`;
  if (!right) return commandOf(name, cards);
  // All there, and it does not work: its own error knows most.
  return hint ?? (name === 'webgpu' ? driverOf(name, cards) : commandOf(name, cards));
}

/** What brings an engine; TensorFlow with CUDA is large, and of no use without a card. */
function commandOf(name: BackendName, cards: number): string {
  return `${needs[name].command}${name === 'tfjs-node-gpu' && cards === 0 ? ' (where there is an NVIDIA card)' : ''}`;
}

/** What brings a GPU engine that is there onto the GPU. */
function driverOf(name: BackendName, cards: number): string {
  if (name === 'tfjs-node-gpu' && cards > 0) return ".venv/bin/pip install 'tensorflow[and-cuda]' && maskflow setup tensorflow --gpu";
  if (process.platform !== 'linux') return 'Update the driver of the GPU.';
  const nvidiaDriver = 'apt-get install nvidia-driver (Ubuntu: ubuntu-drivers install)';
  return name === 'tfjs-node-gpu' ? nvidiaDriver : `apt-get install mesa-vulkan-drivers for AMD and Intel; for NVIDIA ${nvidiaDriver}`;
}

const partOf = (name: string, found: string | undefined, expected: string): Part => ({ name, ...(found === undefined ? {} : { found }), expected });

function packagesOf(name: BackendName, version: DoctorSurroundings['version']): Part[] {
  return Object.entries(needs[name].packages).map(([part, expected]) => partOf(part, version(part), expected));
}

function nodeReport(): DoctorReport['node'] {
  return { found: process.versions.node, expected: `${oldestNode} or newer`, supported: isSupported(process.versions.node) };
}

function nodeOf(name: BackendName): EngineReport['node'] {
  const { newestNode } = needs[name];
  return {
    supported: isSupported(process.versions.node, newestNode),
    expected: newestNode === undefined ? `${oldestNode} or newer` : `${oldestNode} to ${newestNode}`,
  };
}

/** Is a version of Node from the oldest that we support to `newest`, a major? */
export function isSupported(found: string, newest = Number.POSITIVE_INFINITY): boolean {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const [oldest = 0, least = 0] = oldestNode.split('.').map(Number);
  return (major > oldest || (major === oldest && minor >= least)) && major <= newest;
}

/** Version of a package from where maskflow would find it; its package.json need not be exported. */
function installedVersion(name: string): string | undefined {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const path = join(folder, name, 'package.json');
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
  return undefined;
}

/** What NVIDIA's own command says; no cards where there is no such command or it fails. */
async function nvidia(): Promise<DoctorReport['gpus']> {
  const ask = async (...flags: string[]): Promise<string> => (await promisify(execFile)('nvidia-smi', flags, { timeout: 10_000 })).stdout;
  try {
    const cuda = /CUDA Version:\s*([\d.]+)/.exec(await ask())?.[1];
    const listed = await ask('--query-gpu=name,driver_version', '--format=csv,noheader');
    return listed
      .trim()
      .split('\n')
      .filter((line) => line.includes(', '))
      .map((line) => {
        const at = line.lastIndexOf(', ');
        return { name: line.slice(0, at), driver: line.slice(at + 2), ...(cuda === undefined ? {} : { cuda }) };
      });
  } catch {
    return [];
  }
}
