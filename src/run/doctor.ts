// What computes on this machine: each engine of the table tried for real, in a process of its own, beside what it stands on.
import { createRequire } from 'node:module';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { type BackendEntry, type BackendName, backends } from '../backends/index.js';
import { checkOptions } from '../core/options.js';
import type { DoctorReport, EngineReport, ProviderReport } from './doctor/doctorReport.js';
import { notCarried, providerReport, reportOf } from './doctor/engineReport.js';
import { installedVersion } from './doctor/installedVersion.js';
import { nvidiaCards } from './doctor/nvidiaCards.js';
import { nodeReport } from './doctor/supportedNode.js';
import { type ChildOutcome, inChild } from './inChild.js';
import type { BackendTrial } from './tryBackend.js';

export interface DoctorOptions {
  /** Milliseconds that each engine has; default 60,000. */
  readonly limit?: number;
  /** Told before each trial; default: nobody. */
  readonly say?: (line: string) => void;
}

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
  gpus: nvidiaCards,
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
