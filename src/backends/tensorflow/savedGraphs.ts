// The graphs of one executor, by key: bounded, the one that has rested longest goes first.
import { isUntraceable } from '../onnx/tracer.js';
import { Recent } from '../onnx/recent.js';
import type { Work } from '../onnx/work.js';
import { SavedGraph } from './savedGraph.js';

export interface SavedGraphsOptions {
  /** `tfjs-node` or `tfjs-node-gpu`. */
  readonly engine: string;
  /** Graphs that are kept. */
  readonly limit: number;
  /** Told once of each piece of work that cannot be a graph. */
  readonly warn: (line: string) => void;
}

export class SavedGraphs {
  readonly #engine: string;
  readonly #warn: SavedGraphsOptions['warn'];
  /** Undefined for work that has to be done eagerly. */
  readonly #graphs: Recent<{ readonly graph: SavedGraph | undefined }>;
  readonly #told = new Set<string>();
  constructor({ engine, limit, warn }: SavedGraphsOptions) {
    this.#engine = engine;
    this.#warn = warn;
    this.#graphs = new Recent(limit);
  }

  /** The graph of this key, made of `work` where there is none; undefined for work that cannot be traced. */
  get(key: string, work: () => Work): SavedGraph | undefined {
    const known = this.#graphs.get(key);
    if (known !== undefined) return known.graph;
    const made = { graph: this.#made(work()) };
    for (const { graph } of this.#graphs.put(key, made)) graph?.release();
    return made.graph;
  }

  release(): void {
    for (const { graph } of this.#graphs.clear()) graph?.release();
  }

  #made(work: Work): SavedGraph | undefined {
    try {
      return new SavedGraph(work, this.#engine);
    } catch (error) {
      if (!isUntraceable(error)) throw error;
      if (!this.#told.has(work.name)) this.#warn(`${work.name} is no graph and runs operation by operation: ${error.problem.rule}`);
      this.#told.add(work.name);
      return undefined;
    }
  }
}
