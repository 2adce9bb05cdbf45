// tfjs-node 4.22.0 calls util.isNullOrUndefined and util.isArray, which Node 23 removed. Files are replaced, never
// written into: package managers share them between projects by hard links.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CALLERS = ['dist/nodejs_kernel_backend.js', 'dist/kernels/TopK.js'] as const;
const ORIGINAL = '.before-maskflow';

/** The text without the calls that Node ≥ 23 does not have. */
export function withoutRemovedCalls(text: string): string {
  return text.replace(/\(0, util_1\.isNullOrUndefined\)\((\w+)\)/g, '($1 == null)').replace(/\(0, util_1\.isArray\)/g, 'Array.isArray');
}

/** Replaces the files that call them, once; the originals stay beside them. Returns the paths written. */
export function patchRemovedCalls(folder: string): string[] {
  const written: string[] = [];
  for (const name of CALLERS) {
    const path = join(folder, name);
    const text = readFileSync(path, 'utf8');
    const patched = withoutRemovedCalls(text);
    if (patched === text) continue;
    writeFileSync(`${path}.partial`, patched);
    renameSync(path, `${path}${ORIGINAL}`);
    renameSync(`${path}.partial`, path);
    written.push(path);
  }
  return written;
}

/** Puts the originals back. Returns the paths written. */
export function restoreRemovedCalls(folder: string): string[] {
  const paths = CALLERS.map((name) => join(folder, name)).filter((path) => existsSync(`${path}${ORIGINAL}`));
  for (const path of paths) renameSync(`${path}${ORIGINAL}`, path);
  return paths;
}
