/**
 * The file operations of a sink that must never leave something half-written: one interface, so that tests can stop a
 * run before and after each of them. Paths are absolute.
 */
export interface Files {
  /** Makes a folder and its parents. */
  makeFolder(path: string): Promise<void>;
  /** Writes a whole new file and flushes it to the disk. */
  write(path: string, content: Uint8Array | string): Promise<void>;
  /** Flushes a folder's entries to the disk. */
  syncFolder(path: string): Promise<void>;
  /** Replaces `to` in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a folder with all that is in it; nothing happens where there is none. */
  remove(path: string): Promise<void>;
  /** Names in a folder, sorted; none where there is no folder. */
  list(path: string): Promise<string[]>;
}
