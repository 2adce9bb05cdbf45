// The backends on which the conformance suite runs; those that cannot run here are named with their reason.
import { type BackendName, type ChosenBackend, backends, chooseBackend } from '../../src/backends/index.js';

/** How a machine without the hardware gets a backend to test all the same. */
const ways: Partial<Record<BackendName, string>> = {
  webgpu: 'Without a GPU, eval "$(node tests/swiftshader.mjs)" brings SwiftShader on Debian and Ubuntu.',
};

/** Those that work here; with `software: false` without software adapters, on which a step of a model takes seconds. */
export async function presentBackends({ software = true }: { software?: boolean } = {}): Promise<readonly (readonly [BackendName, ChosenBackend])[]> {
  const present: [BackendName, ChosenBackend][] = [];
  for (const { name } of backends) {
    try {
      // A software adapter is slow and computes the same: right for shapes as small as the tests'.
      const chosen = await chooseBackend({ backend: name, allowSoftware: true });
      if (chosen.software && !software) process.stdout.write(`skipped: backend ${name}: ${chosen.device} is too slow for these tests\n`);
      else present.push([name, chosen]);
    } catch (error) {
      process.stdout.write(`skipped: backend ${name}: ${(error as Error).message}${ways[name] === undefined ? '' : ` ${ways[name]}`}\n`);
    }
  }
  return present;
}

/** The name by which tfjs knows a backend. */
export const tfjsName = (name: BackendName): string => (name.startsWith('tfjs-node') ? 'tensorflow' : name);
