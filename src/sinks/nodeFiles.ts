// The file layer of a run under Node: every write is flushed before it counts, and what the system answers becomes an
// error that names the path and the way out.
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { MaskflowError } from '../core/errors.js';
import type { Files } from '../core/files.js';

const ways: Readonly<Record<string, readonly [rule: string, hint: string]>> = {
  ENOSPC: ['the disk is full', 'Free some space, then go on with --resume; or write elsewhere: --out DIR.'],
  EDQUOT: ['the disk quota is used up', 'Free some space, then go on with --resume; or write elsewhere: --out DIR.'],
  EACCES: ['permission is denied', 'Give this user the right to write there, or write elsewhere: --out DIR.'],
  EPERM: ['the system does not permit it', 'Give this user the right to write there, or write elsewhere: --out DIR.'],
  EROFS: ['the file system is read-only', 'Write elsewhere: --out DIR.'],
  ENOENT: ['there is no such file or folder', 'Something removed it while the run was under way; start the run again, or go on with --resume.'],
  ENOTDIR: ['part of the path is a file, not a folder', 'Move that file away, or write elsewhere: --out DIR.'],
  EISDIR: ['there is a folder of this name', 'Move that folder away, or write elsewhere: --out DIR.'],
  EEXIST: ['there is a file of this name', 'Move that file away, or write elsewhere: --out DIR.'],
  EMFILE: ['this process has too many open files', 'Raise the limit: ulimit -n 4096.'],
  EIO: ['the disk reports a hardware or network failure', 'Look at the system log; write elsewhere: --out DIR.'],
};

/** What the system answered to `doing` something with `path`, as an error with the way out. */
export function fileError(doing: string, path: string, cause: unknown): MaskflowError {
  const code = (cause as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' ? ways[code] : undefined;
  const [rule, hint] = known ?? [cause instanceof Error ? cause.message : String(cause), undefined];
  return new MaskflowError({
    rule: `cannot ${doing} ${path}: ${rule}`,
    ...(known === undefined ? {} : { where: String(code) }),
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

async function translated<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(doing, path, error);
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/**
 * `Files` on the real disk: `write` returns after fsync, `syncFolder` after the fsync of the folder, so that a rename
 * that follows cannot overtake the content.
 *
 * @example
 * await nodeFiles.write('/data/run/last.partial', 'step-00000200\n');
 * await nodeFiles.rename('/data/run/last.partial', '/data/run/last');
 */
export const nodeFiles: Files = {
  makeFolder: (path) =>
    translated('make the folder', path, async () => {
      await mkdir(path, { recursive: true });
    }),
  write: (path, content) =>
    translated('write', path, async () => {
      const file = await open(path, 'w');
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    }),
  syncFolder: (path) =>
    translated('flush the folder', path, async () => {
      try {
        const folder = await open(path, 'r');
        try {
          await folder.sync();
        } finally {
          await folder.close();
        }
      } catch (error) {
        // Windows opens no folders (EISDIR, EPERM) and keeps their entries in a journal by itself; some network file
        // systems answer EINVAL to the flush of a folder. There is nothing to call instead.
        const code = codeOf(error);
        if (code === 'EINVAL' || (process.platform === 'win32' && (code === 'EISDIR' || code === 'EPERM'))) return;
        throw error;
      }
    }),
  rename: (from, to) => translated('rename to', to, () => rename(from, to)),
  remove: (path) => translated('remove', path, () => rm(path, { recursive: true, force: true })),
  list: (path) =>
    translated('list', path, async () => {
      try {
        return (await readdir(path)).sort();
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return [];
        throw error;
      }
    }),
};
