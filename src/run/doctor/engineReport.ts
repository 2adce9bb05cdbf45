// The report of one engine: its trial beside what it stands on.
import type { BackendEntry, BackendName } from '../../backends/index.js';
import type { ChildOutcome } from '../inChild.js';
import type { BackendTrial } from '../tryBackend.js';
import type { EngineReport, Part, ProviderReport } from './doctorReport.js';
import { mendOf } from './mendOf.js';
import { needs } from './needs.js';
import { nodeOf } from './supportedNode.js';

/** Version of an installed package. */
type Version = (name: string) => string | undefined;

/** An engine that this version does not have. */
export function notCarried({ name }: BackendEntry, version: Version): EngineReport {
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

/** An engine after its trial; `cards` is the number of NVIDIA cards. */
export function reportOf(entry: BackendEntry, { answer, problem }: ChildOutcome<BackendTrial>, version: Version, cards: number): EngineReport {
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
  const mend = mendOf(name, { right, works, on, node, hint: answer?.hint, late: answer === undefined && /^no answer within /.test(problem ?? ''), cards });
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

/** Another provider of an engine after its trial. */
export function providerReport(name: string, { answer, problem }: ChildOutcome<BackendTrial>): ProviderReport {
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

const partOf = (name: string, found: string | undefined, expected: string): Part => ({ name, ...(found === undefined ? {} : { found }), expected });

function packagesOf(name: BackendName, version: Version): Part[] {
  return Object.entries(needs[name].packages).map(([part, expected]) => partOf(part, version(part), expected));
}
