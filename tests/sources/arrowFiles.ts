// Small Arrow files made by Arrow's own writers, and what tests ask of a source.
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RecordBatch, RecordBatchFileWriter, RecordBatchStreamWriter, Table, type Vector } from 'apache-arrow';
import { type Observable, lastValueFrom, toArray } from 'rxjs';
import { afterAll } from 'vitest';

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-arrow-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Bytes of an IPC file or stream with these columns; `rows` a record batch (default all). */
export function ipc(columns: Record<string, Vector>, format: 'file' | 'stream' = 'file', rows = Number.POSITIVE_INFINITY): Uint8Array {
  const table = new Table(columns);
  const batches: RecordBatch[] = [];
  for (const batch of table.batches)
    for (let from = 0; from < batch.numRows; from += rows) batches.push(batch.slice(from, from + Math.min(rows, batch.numRows)));
  const writer = format === 'file' ? new RecordBatchFileWriter() : new RecordBatchStreamWriter();
  for (const batch of batches.length > 0 ? batches : table.batches) writer.write(batch);
  writer.finish();
  return writer.toUint8Array(true);
}

export function write(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

export const all = <T>(source: Observable<T>): Promise<T[]> => lastValueFrom(source.pipe(toArray()));

/** The error that a source ends with. */
export async function failure(source: Observable<unknown>): Promise<Error> {
  try {
    await all(source);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

/** How often this process has one of the folder's files open (Linux only; elsewhere always 0). */
export function openHandles(folder: string): number {
  try {
    return readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false;
      }
    }).length;
  } catch {
    return 0;
  }
}

/** Waits until `holds`, for what a subscription does behind its end. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  if (!holds()) throw new Error('it did not happen within two seconds');
}
