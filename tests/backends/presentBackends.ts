// The backends on which the conformance suite runs; those that cannot run here are named with their reason.
import { type BackendName, type ChosenBackend, backends, chooseBackend } from '../../src/backends/index.js';

export async function presentBackends(): Promise<readonly (readonly [BackendName, ChosenBackend])[]> {
  const present: [BackendName, ChosenBackend][] = [];
  for (const { name } of backends) {
    try {
      present.push([name, await chooseBackend({ backend: name, allowSoftware: true })]);
    } catch (error) {
      process.stdout.write(`skipped: backend ${name}: ${(error as Error).message}\n`);
    }
  }
  return present;
}
