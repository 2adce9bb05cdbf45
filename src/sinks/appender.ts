// A file that grows by whole records. Written synchronously: a record is some hundred bytes, about 10 µs on a local
// disk; going through the event loop would hold the batch here and make the next step wait for it. What is written
// survives a killed process; only a machine that loses power can lose the last records.
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileError } from './nodeFiles.js';

export interface Appender {
  /** Adds a record; a failure is an error with the path and the way out. */
  append(record: Uint8Array | string): void;
  close(): void;
}

/** Opens `path` for appending (O_APPEND), with its folder; `fresh` empties it first. */
export function appender(path: string, { fresh = false }: { readonly fresh?: boolean } = {}): Appender {
  let file: number | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (fresh) closeSync(openSync(path, 'w'));
    file = openSync(path, 'a');
  } catch (error) {
    throw fileError('open', path, error);
  }
  return {
    append(record) {
      const bytes = typeof record === 'string' ? Buffer.from(record) : record;
      try {
        // One call writes all of it, but for signals and full disks.
        for (let at = 0; at < bytes.length; ) at += writeSync(file as number, bytes, at);
      } catch (error) {
        throw fileError('write', path, error);
      }
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
