// Who takes part in bench/step.ts: our engines, and the peers for whose package a Python is found.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backends } from 'maskflow/backends';
import type { Contender } from './contenderProcess.js';

/** In the order of the table. */
const peers: readonly { readonly name: string; readonly module: string; readonly script: string; readonly args: readonly string[] }[] = [
  { name: 'torch', module: 'torch', script: 'torchPeer.py', args: ['eager', 'plain'] },
  { name: 'torch-sdpa', module: 'torch', script: 'torchPeer.py', args: ['eager', 'sdpa'] },
  { name: 'torch-cuda', module: 'torch', script: 'torchPeer.py', args: ['eager', 'sdpa', 'cuda'] },
  { name: 'torch-compile', module: 'torch', script: 'torchPeer.py', args: ['compile', 'plain'] },
  { name: 'tensorflow', module: 'tensorflow', script: 'tensorflowPeer.py', args: ['graph'] },
  { name: 'tensorflow-xla', module: 'tensorflow', script: 'tensorflowPeer.py', args: ['xla'] },
  { name: 'jax', module: 'jax', script: 'jaxPeer.py', args: [] },
];

/** Our engines, best first, whether they work here or not. */
export const engineNames: readonly string[] = backends.filter(({ load }) => load !== undefined).map(({ name }) => name);
/** One of our engines in another way than the default. */
const variants: Readonly<Record<string, { readonly engine: string; readonly env: Readonly<Record<string, string>> }>> = {
  'onnx-webgpu': { engine: 'onnx', env: { MASKFLOW_ONNX_PROVIDER: 'webgpu' } },
  'onnx-cuda': { engine: 'onnx', env: { MASKFLOW_ONNX_PROVIDER: 'cuda' } },
  'wasm-shipped': { engine: 'wasm', env: { BENCH_KERNELS: 'shipped' } },
  'tfjs-node-eager': { engine: 'tfjs-node', env: { MASKFLOW_TFJS_NODE_GRAPHS: 'off' } },
};
export const contenderNames: readonly string[] = [...engineNames, ...Object.keys(variants), ...peers.map(({ name }) => name)];

/** With whose times the others are compared: the first of these that takes part, else the first contender. */
export const references: readonly string[] = ['torch', 'torch-cuda', 'tensorflow'];

/** Contenders on a GPU, whose sums are rounded in other orders. */
export const onGpu = (name: string): boolean => /-(webgpu|cuda|gpu)$|^webgpu$/.test(name);

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The modules among `wanted` that this Python has; none where it does not start. */
function modulesOf(python: string, wanted: readonly string[]): readonly string[] {
  const code = 'import importlib.util, sys; print(",".join(name for name in sys.argv[1:] if importlib.util.find_spec(name)))';
  try {
    return execFileSync(python, ['-c', code, ...wanted], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split(',');
  } catch {
    return [];
  }
}

/** For each module the first of these Pythons that has it. */
export function findPythons(pythons: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const wanted = [...new Set(peers.map(({ module }) => module))];
  for (const python of pythons) {
    for (const module of modulesOf(python, wanted)) if (wanted.includes(module) && !found.has(module)) found.set(module, python);
  }
  return found;
}

/** How the contender `name` is started; a text where it cannot be. */
export function contenderOf(
  name: string,
  { workload, folder, checks, threads, pythons }: { workload: string; folder: string; checks: number; threads: number; pythons: ReadonlyMap<string, string> },
): Contender | string {
  const count = String(threads);
  const peer = peers.find((candidate) => candidate.name === name);
  if (peer === undefined) {
    const { engine, env } = variants[name] ?? { engine: name, env: {} };
    const args = [local('../../node_modules/jiti/lib/jiti-cli.mjs'), local('contender.ts'), engine, workload, String(checks)];
    // tfjs's wasm and cpu backends have one thread; TensorFlow reads the first two.
    return {
      name,
      command: process.execPath,
      args,
      env: { ...env, TF_NUM_INTRAOP_THREADS: count, TF_NUM_INTEROP_THREADS: count, MASKFLOW_ONNX_THREADS: count },
    };
  }
  const python = pythons.get(peer.module);
  if (python === undefined) return `no Python with ${peer.module} (--python PATH, or MASKFLOW_PYTHON)`;
  return {
    name,
    command: python,
    args: [join(local('../peers/'), peer.script), folder, ...peer.args],
    env: { PYTHONDONTWRITEBYTECODE: '1', OMP_NUM_THREADS: count },
  };
}
