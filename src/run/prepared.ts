// Data that a pipeline makes for itself, once: written beside and renamed, so that nobody ever reads half of it.
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MaskflowError } from '../core/errors.js';

/** Files under way in this process: two runs in it never write into the same one. */
let begun = 0;

export class Prepared {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #wanted = new Map<string, (file: string) => Promise<void>>();
  constructor(folder: string, say: (line: string) => void) {
    this.#folder = resolve(folder);
    this.#say = say;
  }

  /** The path; the file is made by `ready`. */
  path(name: string, make: (file: string) => Promise<void>): string {
    const path = this.#place(name);
    this.#wanted.set(path, make);
    return path;
  }

  /** The path, once the file is there. */
  async now(name: string, make: (file: string) => Promise<void>): Promise<string> {
    const path = this.#place(name);
    await this.#make(path, make);
    return path;
  }

  /** Makes what is missing. */
  async ready(): Promise<void> {
    for (const [path, make] of this.#wanted) await this.#make(path, make);
  }

  #place(name: string): string {
    if (!/^[\w.-]+$/.test(name)) throw new MaskflowError({ stage: 'prepared', option: 'name', rule: 'must be a plain file name', value: name });
    return join(this.#folder, /\.\w+$/.test(name) ? name : `${name}.arrow`);
  }

  async #make(path: string, make: (file: string) => Promise<void>): Promise<void> {
    if (existsSync(path)) return;
    this.#say(`Preparing ${path} (once).`);
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.partial-${process.pid}-${++begun}`;
    try {
      await make(partial);
      const file = await open(partial, 'r');
      await file.sync();
      await file.close();
      await rename(partial, path);
    } catch (cause) {
      await rm(partial, { recursive: true, force: true });
      throw new MaskflowError({
        stage: 'prepared',
        where: path,
        rule: `the data could not be prepared: ${cause instanceof Error ? cause.message : String(cause)}`,
        cause,
      });
    }
  }
}
