// Does a later run read the same data? A digest of every file's size and of some of its bytes: cheap at any size.
import { createHash } from 'node:crypto';
import type { ReadAt } from './scan.js';

/** Pieces that are read of one file, spread evenly from its first byte to its last, and their length in bytes. */
const pieces = 64;
const pieceBytes = 4096;

/**
 * `sha256:…` over each file's size and up to 64 pieces of 4 KiB; files of at most 256 KiB are covered whole. Names and times
 * do not count. It notices data that was written anew with other rows or values, not a single flipped bit.
 */
export async function fingerprint(files: readonly { readonly read: ReadAt; readonly size: number }[]): Promise<string> {
  const hash = createHash('sha256');
  for (const { read, size } of files) {
    hash.update(`${size}\n`);
    const count = Math.min(pieces, Math.ceil(size / pieceBytes));
    for (let piece = 0; piece < count; piece++) {
      const last = Math.max(0, size - pieceBytes);
      const position = count === 1 ? 0 : Math.floor((last * piece) / (count - 1));
      hash.update(await read(position, Math.min(pieceBytes, size - position)));
    }
  }
  return `sha256:${hash.digest('hex')}`;
}
