// What has been compiled, by key: bounded, the one that has rested longest goes first. Its callers take turns, so that
// nothing is released while it runs.
import { MaskflowError } from '../../core/errors.js';
import { type CompileOptions, compile } from './compile.js';
import { type Fallback, eagerRunner } from './eagerRunner.js';
import { Recent } from './recent.js';
import type { Runner } from './runner.js';
import type { RuntimeTensor } from './runtime.js';
import { isUntraceable } from './tracer.js';
import type { Work } from './work.js';

export interface SessionsOptions extends CompileOptions {
  /** Sessions that are kept. */
  readonly limit: number;
  /** Backend for work that cannot be traced; without one that is an error. */
  readonly fallback?: Fallback | undefined;
  /** Brings a tensor to the host, for the fallback. */
  readonly onHost: (tensor: RuntimeTensor) => Promise<RuntimeTensor>;
  /** Told once of each piece of work that runs on the fallback. */
  readonly warn: (line: string) => void;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #runners: Recent<Runner>;
  readonly #told = new Set<string>();
  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#runners = new Recent(options.limit);
  }

  get size(): number {
    return this.#runners.size;
  }

  /** The runner of this key; `work` describes it where there is none. */
  async get(key: string, work: () => Work): Promise<Runner> {
    const known = this.#runners.get(key);
    if (known !== undefined) return known;
    const made = await this.#made(work());
    for (const runner of this.#runners.put(key, made)) await runner.release();
    return made;
  }

  async release(): Promise<void> {
    for (const runner of this.#runners.clear()) await runner.release();
  }

  async #made(work: Work): Promise<Runner> {
    const { fallback, warn, runtime, onHost } = this.#options;
    try {
      return await compile(work, this.#options);
    } catch (error) {
      if (!isUntraceable(error)) throw error;
      if (fallback === undefined)
        throw new MaskflowError({
          ...error.problem,
          hint: 'Choose an eager engine, --backend wasm, or have this work alone run on one: MASKFLOW_ONNX_FALLBACK=wasm.',
        });
      if (!this.#told.has(work.name)) warn(`${work.name} is not compiled and runs on ${fallback}: ${error.message}`);
      this.#told.add(work.name);
      return eagerRunner(work, runtime, fallback, onHost);
    }
  }
}
