// The backends on which the conformance suite runs; those that cannot run here are named with their reason.
import * as tf from '@tensorflow/tfjs';
import { type BackendName, type ChosenBackend, backends, chooseBackend } from '../../src/backends/index.js';

/** How a machine without the hardware gets a backend to test all the same. */
const ways: Partial<Record<BackendName, string>> = {
  webgpu: 'Without a GPU, eval "$(node tests/swiftshader.mjs)" brings SwiftShader on Debian and Ubuntu.',
};

export interface PresentBackendsOptions {
  /** Software adapters too, on which a step of a model takes seconds; default true. */
  readonly software?: boolean;
  /** Ask for these alone; default: every one of the table. */
  readonly only?: readonly BackendName[];
}

/**
 * Those that work here. What `MASKFLOW_TEST_BACKENDS` names (CI: what it has just set up) must work: otherwise it throws
 * what is skipped elsewhere.
 */
export async function presentBackends({ software = true, only }: PresentBackendsOptions = {}): Promise<readonly (readonly [BackendName, ChosenBackend])[]> {
  const required = (process.env.MASKFLOW_TEST_BACKENDS ?? '').split(/[\s,]+/);
  const present: [BackendName, ChosenBackend][] = [];
  for (const { name } of backends) {
    if (only?.includes(name) === false) continue;
    try {
      // A software adapter is slow and computes the same: right for shapes as small as the tests'.
      const chosen = await chooseBackend({ backend: name, allowSoftware: true });
      if (chosen.software && !software) process.stdout.write(`skipped: backend ${name}: ${chosen.device} is too slow for these tests\n`);
      else present.push([name, chosen]);
    } catch (error) {
      if (required.includes(name)) throw error;
      process.stdout.write(`skipped: backend ${name}: ${(error as Error).message}${ways[name] === undefined ? '' : ` ${ways[name]}`}\n`);
    }
  }
  return present;
}

/** The compiled engine on WebGPU, by the title `onnx-webgpu`; nothing, with the reason printed, where that cannot run. */
export async function presentOnnxWebgpu(): Promise<readonly (readonly [string, ChosenBackend])[]> {
  const required = (process.env.MASKFLOW_TEST_BACKENDS ?? '').split(/[\s,]+/);
  try {
    return [['onnx-webgpu', await chooseBackend({ backend: 'onnx', provider: 'webgpu', allowSoftware: true })]];
  } catch (error) {
    if (required.includes('onnx-webgpu')) throw error;
    process.stdout.write(`skipped: backend onnx-webgpu: ${(error as Error).message} ${ways.webgpu}\n`);
    return [];
  }
}

/** Those of them that tfjs itself knows: they compute its operations outside of an executor, too. */
export async function presentTfjs(options: PresentBackendsOptions = {}): Promise<readonly (readonly [BackendName, ChosenBackend])[]> {
  return (await presentBackends(options)).filter(([name]) => tfjsName(name) in tf.engine().registry);
}

/** The name by which tfjs knows a backend. */
export const tfjsName = (name: BackendName): string => (name.startsWith('tfjs-node') ? 'tensorflow' : name);
