// Which engine computes: the one that was asked for, or the best that works. A backend counts as working once it has
// done a real product and a real gradient; a GPU backend that in truth runs on the CPU never counts unless allowed.
import { MaskflowError, inStage } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { checkOptions } from '../core/options.js';
import { type BackendEntry, type BackendName, type Engine, type LoadOptions, backends } from './backends.js';
import { verifyExecutor } from './verifyExecutor.js';

export interface ChooseBackendOptions {
  /** Name of the backend to force; default: the environment variable MASKFLOW_BACKEND, else the best that works. */
  readonly backend?: string | undefined;
  /** What `onnx` computes on: `cpu` (default), `webgpu` or `cuda`; default: MASKFLOW_ONNX_PROVIDER. Naming one names the backend. */
  readonly provider?: string | undefined;
  /** Accept a GPU backend on a software adapter; default false. */
  readonly allowSoftware?: boolean | undefined;
}

/** What was chosen, verified. */
export interface ChosenBackend extends Engine {
  readonly name: BackendName;
  readonly gpu: boolean;
  /** Backends that are better and were passed over, with the reason of each. */
  readonly passedOver: ReadonlyMap<BackendName, string>;
}

/**
 * Chooses, loads and verifies a backend. Without a name it is the best that works; a provider, named by option or variable,
 * stands for the backend that has it.
 *
 * @param surroundings the table of backends and the environment's variables; given by tests
 * @throws MaskflowError for an unknown name, for a forced backend that cannot run, and where none works
 * @example
 * const { name, device, executor } = await chooseBackend({ backend: 'wasm' });
 */
export async function chooseBackend(
  options: ChooseBackendOptions = {},
  { table = backends, environment = process.env }: { table?: readonly BackendEntry[]; environment?: Readonly<Record<string, string | undefined>> } = {},
): Promise<ChosenBackend> {
  checkOptions('chooseBackend', options, ['backend', 'provider', 'allowSoftware']);
  const { provider, allowSoftware = false } = options;
  const implied = (provider ?? environment.MASKFLOW_ONNX_PROVIDER) ? 'onnx' : undefined;
  const forced = options.backend ?? (environment.MASKFLOW_BACKEND || implied);
  const option = options.backend === undefined ? 'MASKFLOW_BACKEND' : 'backend';
  if (forced !== undefined) {
    try {
      return await started(entryOf(forced, option, table), { provider, environment, allowSoftware }, table, new Map());
    } catch (error) {
      throw inStage('backend', error);
    }
  }
  const passedOver = new Map<BackendName, string>();
  for (const entry of table) {
    if (entry.load === undefined) continue;
    try {
      return await started(entry, { environment, allowSoftware }, table, passedOver);
    } catch (error) {
      passedOver.set(entry.name, error instanceof Error ? error.message : String(error));
    }
  }
  throw new MaskflowError({
    stage: 'backend',
    rule: `none of the backends works here: ${[...passedOver.values()].join(' ') || 'the table is empty'}`,
    hint: 'Install the packages again (npm ci), or force one to see its own error: --backend cpu.',
  });
}

function entryOf(name: string, option: string, table: readonly BackendEntry[]): BackendEntry {
  const entry = table.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const near = nearest(
    name,
    table.map((candidate) => candidate.name),
  );
  throw new MaskflowError({
    stage: 'backend',
    option,
    rule: 'there is no such backend',
    value: name,
    hint: near ? `Did you mean ${near}?` : `Known: ${table.map((candidate) => candidate.name).join(', ')}.`,
  });
}

/** One backend loaded and proven, or the reason why not. */
async function started(
  entry: BackendEntry,
  { provider, environment, allowSoftware }: LoadOptions & { readonly allowSoftware: boolean },
  table: readonly BackendEntry[],
  passedOver: ReadonlyMap<BackendName, string>,
): Promise<ChosenBackend> {
  const { name, load, providers } = entry;
  if (load === undefined) {
    const carried = table.filter((candidate) => candidate.load !== undefined).map((candidate) => candidate.name);
    const sure = carried.includes('wasm') ? 'wasm' : (carried[0] ?? 'cpu');
    throw new MaskflowError({
      stage: 'backend',
      option: name,
      rule: 'this version of maskflow does not carry the backend yet',
      hint: `Available: ${carried.join(', ')}; choose one with --backend ${sure} or MASKFLOW_BACKEND=${sure}, or leave both out for the best that works.`,
    });
  }
  if (provider !== undefined && providers === undefined) {
    throw new MaskflowError({
      stage: 'backend',
      option: 'provider',
      rule: `${name} has no providers to choose from`,
      value: provider,
      hint: 'Leave it out, or choose the backend onnx.',
    });
  }
  const engine = await load({ provider, ...(environment === undefined ? {} : { environment }) });
  const { gpu = entry.gpu } = engine;
  if (gpu && engine.software && !allowSoftware) {
    throw new MaskflowError({
      stage: 'backend',
      option: name,
      rule: 'a GPU backend must run on a GPU',
      value: engine.device,
      hint: 'Install the driver of the GPU, choose a CPU backend with --backend wasm, or allow it with allowSoftware: true.',
    });
  }
  const trial = engine.executor({ seed: 0 });
  try {
    await verifyExecutor(trial);
  } catch (error) {
    throw new MaskflowError({
      stage: 'backend',
      option: name,
      rule: `the backend was loaded and does not work: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    });
  } finally {
    trial.dispose();
  }
  const { device, software, settings } = engine;
  return { name, gpu, passedOver, device, software, ...(settings === undefined ? {} : { settings }), executor: (given) => engine.executor(given) };
}
