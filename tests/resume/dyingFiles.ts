// A file layer that dies: from the chosen operation on nothing reaches the disk any more, as after a kill.
import type { Files } from '../../src/core/files.js';
import { nodeFiles } from '../../src/sinks/nodeFiles.js';

export class Died extends Error {}

export interface DyingFiles extends Files {
  /** Operations asked for so far, as text. */
  readonly log: string[];
}

/** Dies just before or just after operation number `at` (from 0). */
export function dyingFiles(at = Number.POSITIVE_INFINITY, when: 'before' | 'after' = 'before'): DyingFiles {
  const log: string[] = [];
  let dead = false;
  const operation = async <T>(name: string, path: string, work: () => Promise<T>): Promise<T> => {
    if (dead) throw new Died(`dead before ${name} ${path}`);
    const number = log.push(`${name} ${path.split('/').slice(-2).join('/')}`) - 1;
    if (number === at && when === 'before') {
      dead = true;
      throw new Died(`died before ${name} ${path}`);
    }
    const result = await work();
    if (number === at) {
      dead = true;
      throw new Died(`died after ${name} ${path}`);
    }
    return result;
  };
  return {
    log,
    makeFolder: (path) => operation('makeFolder', path, () => nodeFiles.makeFolder(path)),
    write: (path, content) => operation('write', path, () => nodeFiles.write(path, content)),
    syncFolder: (path) => operation('syncFolder', path, () => nodeFiles.syncFolder(path)),
    rename: (from, to) => operation('rename', to, () => nodeFiles.rename(from, to)),
    remove: (path) => operation('remove', path, () => nodeFiles.remove(path)),
    list: (path) => operation('list', path, () => nodeFiles.list(path)),
  };
}
