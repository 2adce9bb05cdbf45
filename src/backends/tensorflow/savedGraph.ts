// A piece of work in TensorFlow: traced, rewritten, lowered, and loaded as a SavedModel, which is how tfjs-node takes a
// graph. TensorFlow optimises it once more (fused products among others) and runs it on its own threads. What goes in and
// what comes out are tensors of tfjs's backend; none of their values passes through JavaScript.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../../core/errors.js';
import type { Spec, Specs, Tensor, Tensors } from '../../core/program.js';
import { located } from '../located.js';
import { rewrite } from '../onnx/rewrites/rewrite.js';
import { told } from '../onnx/runtime.js';
import { trace } from '../onnx/trace.js';
import type { Work } from '../onnx/work.js';
import { graphsVariable } from './graphsSetting.js';
import { type TfGraph, lower } from './lower.js';
import { TAG, encodeSavedModel } from './savedModel.js';

/** What we call of tfjs-node's backend object. */
interface SavedModels {
  loadSavedModelMetaGraph(path: string, tags: string): number;
  runSavedModel(id: number, inputs: readonly Tensor[], names: readonly { readonly name: string }[], outputs: readonly string[]): Tensor[];
  deleteSavedModel(id: number): void;
}

/** Rules that go by which of ONNX Runtime's CPU kernels is fast. */
const without = ['weightGradients', 'columnSums'];

export class SavedGraph {
  readonly #work: Work;
  readonly #engine: string;
  readonly #backend: SavedModels;
  readonly #id: number;
  readonly #inputs: readonly string[];
  readonly #fed: readonly { readonly name: string }[];
  readonly #outputs: readonly string[];
  readonly #fetched: readonly string[];

  /**
   * Compiles; tfjs's current backend is that of tfjs-node.
   *
   * @param engine `tfjs-node` or `tfjs-node-gpu`: an error names its variable
   * @throws MaskflowError of work that cannot be traced (`isUntraceable` tells), and of a graph that TensorFlow refuses
   */
  constructor(work: Work, engine: string) {
    this.#engine = engine;
    this.#work = work;
    this.#backend = tf.backend() as unknown as SavedModels;
    const { nodes, inputs, outputs }: TfGraph = located(work.of, () => lower(rewrite(trace(fedAs(work.inputs), work.build), { without })));
    this.#inputs = [...inputs.keys()];
    this.#fed = [...inputs.values()].map((name) => ({ name }));
    this.#outputs = [...outputs.keys()];
    this.#fetched = [...outputs.values()];
    const folder = mkdtempSync(join(tmpdir(), 'maskflow-graph-'));
    try {
      writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(nodes));
      this.#id = located(work.of, () => this.#named(() => this.#backend.loadSavedModelMetaGraph(folder, TAG)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** All outputs by name, as new tensors of the surrounding scope; of what is given it reads what the graph has as inputs. */
  run(given: Tensors): Record<string, Tensor> {
    if (this.#outputs.length === 0) return {};
    const inputs = this.#inputs.map((name) => given[name] as Tensor);
    const found = this.#named(() => this.#backend.runSavedModel(this.#id, inputs, this.#fed, this.#fetched));
    return Object.fromEntries(this.#outputs.map((name, i) => [name, found[i] as Tensor]));
  }

  release(): void {
    this.#backend.deleteSavedModel(this.#id);
  }

  #named<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      throw new MaskflowError({
        rule: `TensorFlow failed on the graph ${this.#work.name}: ${told(cause)}`,
        hint: `${graphsVariable(this.#engine)}=off computes operation by operation.`,
        cause,
      });
    }
  }
}

/** tfjs-node has no tensors of uint8: such a column is int32 before it goes in. */
function fedAs(inputs: Specs): Specs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }]): [string, Spec] => [name, { shape, dtype: dtype === 'uint8' ? 'int32' : dtype }]),
  );
}
