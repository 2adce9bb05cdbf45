// Where Arrow bytes go: a file that appears only when it is complete, or something that is written as it comes
// (standard output, a pipe). One record batch is in memory at a time.
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { MaskflowError } from '../../core/errors.js';

export interface Target {
  /** Resolves when the bytes are with the system: slow readers slow the chain down. */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** All is written. */
  finish(): Promise<void>;
  /** It ends early: a half-written file is removed, an existing file of that name stays as it was. */
  abort(): Promise<void>;
}

/** A file written under `path` + '.partial' and renamed when it is complete. Folders are made. */
export async function fileTarget(path: string): Promise<Target> {
  const partial = `${path}.partial`;
  let handle: FileHandle;
  try {
    await mkdir(dirname(path), { recursive: true });
    handle = await open(partial, 'w');
  } catch (error) {
    throw new MaskflowError({ rule: `cannot be written: ${(error as Error).message}`, where: path, cause: error });
  }
  return {
    async write(parts) {
      const rest = [...parts];
      while (rest.length > 0) {
        let { bytesWritten } = await handle.writev(rest);
        while (rest.length > 0 && bytesWritten >= (rest[0] as Uint8Array).byteLength) bytesWritten -= (rest.shift() as Uint8Array).byteLength;
        if (rest.length > 0) rest[0] = (rest[0] as Uint8Array).subarray(bytesWritten);
      }
    },
    async finish() {
      await handle.sync();
      await handle.close();
      await rename(partial, path);
    },
    async abort() {
      await handle.close();
      await rm(partial, { force: true });
    },
  };
}

/** A stream that is written as it comes. `own`: end it at the end (standard output stays open). */
export function streamTarget(stream: Writable, name: string, own: boolean): Target {
  let failed: Error | undefined;
  const failure = (error: NodeJS.ErrnoException): MaskflowError =>
    error.code === 'EPIPE'
      ? new MaskflowError({ rule: 'whoever read this output has stopped reading', where: name, cause: error })
      : new MaskflowError({ rule: `cannot be written: ${error.message}`, where: name, cause: error });
  // A broken pipe is reported to the write that met it; without a listener it would also end the process.
  const listen = (error: Error): void => {
    failed = error;
  };
  stream.on('error', listen);
  const written = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      if (failed !== undefined) reject(failure(failed));
      else stream.write(bytes, (error) => (error ? reject(failure(error)) : resolve()));
    });
  const end = async (): Promise<void> => {
    if (own) await new Promise<void>((resolve) => stream.end(resolve));
    else stream.off('error', listen);
  };
  return {
    async write(parts) {
      stream.cork();
      const all = Promise.all(parts.map(written));
      stream.uncork();
      await all;
    },
    finish: end,
    async abort() {
      // The listener stays on standard output: a pipe that broke may say so once more.
      if (own) stream.destroy();
    },
  };
}

/** The target that a path means: `-` standard output, a pipe or device as it comes, anything else a file. */
export async function targetOf(path: string): Promise<Target> {
  if (path === '-') return streamTarget(process.stdout, 'standard output', false);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new MaskflowError({ rule: 'this is a folder, not a file', where: path });
  if (found !== undefined && !found.isFile()) return streamTarget(createWriteStream(path), path, true);
  return fileTarget(path);
}
