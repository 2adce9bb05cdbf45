// onnxruntime-node (1.30) copies every output into a new array after a run, also one for which it was given an array and
// which is complete by then. Of a training step that is the whole state: a tenth of the step's time, and garbage of that
// size. It has no option against it. But it converts outputs in their order, and refuses one that is no tensor: where the
// first output is an empty sequence, the run computes and writes everything and then ends in that refusal, with nothing
// copied. Whether the installed version does exactly so is tried once, and the words of its refusal are kept; where it does
// not, or does no longer, outputs come back as usual.
import { SEAL, encodeGraph } from './encodeGraph.js';
import type { Graph } from './graph.js';
import { type Runtime, type RuntimeTensor, told } from './runtime.js';

/** By the class of its tensors, which is one for one installed version. */
const tried = new WeakMap<Runtime['Tensor'], Promise<string | undefined>>();

/** The words in which a runtime refuses a sealed graph after its outputs have been written; undefined: it does otherwise. */
export function refusalOf(runtime: Runtime): Promise<string | undefined> {
  const known = tried.get(runtime.Tensor) ?? attempt(runtime);
  tried.set(runtime.Tensor, known);
  return known;
}

const float = { type: 'float32', shape: [2] } as const;
const negation: Graph = {
  inputs: ['x'],
  outputs: new Map([['y', 'y']]),
  values: new Map([
    ['x', float],
    ['y', float],
  ]),
  constants: new Map(),
  nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'], attributes: {} }],
};

async function attempt(runtime: Runtime): Promise<string | undefined> {
  const tensor = (...values: number[]): RuntimeTensor => new runtime.Tensor('float32', Float32Array.from(values), [2]);
  const session = await runtime.InferenceSession.create(encodeGraph(negation, { sealed: true }), { logSeverityLevel: 4 }).catch(() => undefined);
  if (session === undefined) return undefined;
  const [x, y] = [tensor(1, -2), tensor(0, 0)];
  const refusal = await session.run({ x }, { [SEAL]: null, y }).then(
    () => undefined,
    (error: unknown) => told(error),
  );
  await session.release();
  const [first, second] = y.data as Float32Array;
  return first === -1 && second === 2 ? refusal : undefined;
}
