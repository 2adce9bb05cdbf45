// Values of a session's device: brought there, brought back, copied and mixed, by sessions of one operation that take every
// shape. ONNX Runtime has no other way from Node: reading such a tensor directly ends the process.
import { MaskflowError } from '../../core/errors.js';
import { encodeGraph } from './encodeGraph.js';
import type { Graph, Node, ValueType } from './graph.js';
import { type Runtime, type RuntimeSession, type RuntimeTensor, told } from './runtime.js';

const float: ValueType = { shape: [], type: 'float32' };
const op = (name: string, inputs: readonly string[], output: string): Node => ({ op: name, inputs, outputs: [output], attributes: {} });
const graphOf = (inputs: readonly string[], output: string, nodes: readonly Node[]): Graph => ({
  inputs,
  outputs: new Map([[output, output]]),
  values: new Map([...inputs, ...nodes.flatMap(({ outputs }) => outputs)].map((name) => [name, float])),
  constants: new Map(),
  nodes,
});

const copy = graphOf(['value'], 'copy', [op('Identity', ['value'], 'copy')]);
/** Two products and a sum, each rounded to float32, as on the host. */
const mixture = graphOf(['to', 'from', 'kept', 'added'], 'mixed', [
  op('Mul', ['to', 'kept'], 'first'),
  op('Mul', ['from', 'added'], 'second'),
  op('Add', ['first', 'second'], 'mixed'),
]);

type Kind = 'up' | 'down' | 'mix';
const graphs: Readonly<Record<Kind, Graph>> = { up: copy, down: copy, mix: mixture };

export class Transfers {
  readonly #runtime: Runtime;
  readonly #executionProviders: readonly string[];
  /** Promises: the values of a set are asked for at once. */
  readonly #sessions = new Map<Kind, Promise<RuntimeSession>>();
  constructor(runtime: Runtime, executionProviders: readonly string[]) {
    this.#runtime = runtime;
    this.#executionProviders = executionProviders;
  }

  /** The same values on the device; of a tensor that is there already a copy. */
  up(value: RuntimeTensor): Promise<RuntimeTensor> {
    return this.#run('up', { value });
  }

  /** The values on the host. */
  down(value: RuntimeTensor): Promise<RuntimeTensor> {
    return this.#run('down', { value });
  }

  /** mix · to + (1 − mix) · from, on the device. */
  mix(from: RuntimeTensor, to: RuntimeTensor, mix: number): Promise<RuntimeTensor> {
    const scalar = (value: number): RuntimeTensor => new this.#runtime.Tensor('float32', Float32Array.of(value), []);
    return this.#run('mix', { to, from, kept: scalar(mix), added: scalar(1 - mix) });
  }

  async release(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of await Promise.all(sessions)) await session.release();
  }

  async #run(kind: Kind, feeds: Readonly<Record<string, RuntimeTensor>>): Promise<RuntimeTensor> {
    try {
      const session = this.#sessions.get(kind) ?? this.#make(kind);
      this.#sessions.set(kind, session);
      const [answer] = Object.values(await (await session).run(feeds));
      return answer as RuntimeTensor;
    } catch (cause) {
      throw new MaskflowError({
        stage: 'executor',
        option: 'onnx',
        rule: `ONNX Runtime could not move values to or from the GPU: ${told(cause)}`,
        hint: 'Where its memory is exceeded, take a smaller batch or model; a run goes on from its last checkpoint with --resume.',
        cause,
      });
    }
  }

  #make(kind: Kind): Promise<RuntimeSession> {
    const [output] = graphs[kind].outputs.keys();
    const made = this.#runtime.InferenceSession.create(encodeGraph(graphs[kind], { shapes: false }), {
      executionProviders: this.#executionProviders,
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 4,
      preferredOutputLocation: { [output as string]: kind === 'down' ? 'cpu' : 'gpu-buffer' },
    });
    // The next one tries again.
    made.catch(() => this.#sessions.delete(kind));
    return made;
  }
}
