// Open files for random access, and exact reads from them.
import { type FileHandle, open } from 'node:fs/promises';

const openAtMost = 64;
/** One read call takes at most 2^31 − 1 bytes. */
const readAtMost = 2 ** 30;

/** `length` bytes at `position`; fewer only at the end of the file. */
export async function readExactly(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(readAtMost, length - done), position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** Open files, the least recently used closed when there are too many. One read at a time. */
export class Handles {
  readonly #open = new Map<string, FileHandle>();

  /** Reads of one file, which is opened when it is needed. */
  reading(file: string): (position: number, length: number) => Promise<Uint8Array> {
    return async (position, length) => readExactly(await this.#get(file), position, length);
  }

  async #get(file: string): Promise<FileHandle> {
    let handle = this.#open.get(file);
    if (handle === undefined) {
      while (this.#open.size >= openAtMost) {
        const [oldest, other] = this.#open.entries().next().value as [string, FileHandle];
        this.#open.delete(oldest);
        await other.close();
      }
      handle = await open(file, 'r');
    }
    this.#open.delete(file);
    this.#open.set(file, handle);
    return handle;
  }

  async close(): Promise<void> {
    const handles = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(handles.map((handle) => handle.close()));
  }
}
