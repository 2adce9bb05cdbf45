// Which versions of Node maskflow runs on, and which of them an engine knows.
import type { BackendName } from '../../backends/index.js';
import type { DoctorReport, EngineReport } from './doctorReport.js';
import { needs } from './needs.js';

const oldestNode = '20.19';

/** Is a version of Node from the oldest that we support to `newest`, a major? */
export function isSupported(found: string, newest = Number.POSITIVE_INFINITY): boolean {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  const [oldest = 0, least = 0] = oldestNode.split('.').map(Number);
  return (major > oldest || (major === oldest && minor >= least)) && major <= newest;
}

/** The Node that we are on. */
export function nodeReport(): DoctorReport['node'] {
  return { found: process.versions.node, expected: `${oldestNode} or newer`, supported: isSupported(process.versions.node) };
}

/** Whether an engine knows it. */
export function nodeOf(name: BackendName): EngineReport['node'] {
  const { newestNode } = needs[name];
  return {
    supported: isSupported(process.versions.node, newestNode),
    expected: newestNode === undefined ? `${oldestNode} or newer` : `${oldestNode} to ${newestNode}`,
  };
}
