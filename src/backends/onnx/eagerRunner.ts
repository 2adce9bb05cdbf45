// The way out for work that cannot be traced, where a user asks for it: the same function on a tfjs backend, operation by
// operation. Weights on the host are shared by the compiled and eager programs of a run; those of a GPU are brought at each.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';
import { located } from '../located.js';
import { useBackend } from '../useBackend.js';
import type { Runner } from './runner.js';
import type { Runtime, RuntimeTensor, RuntimeTensors } from './runtime.js';
import type { Work } from './work.js';

/** A loaded tfjs backend that can be read at once. */
export type Fallback = 'wasm' | 'cpu';

/** Runs `work` on `backend`, which must have been loaded. */
export function eagerRunner(work: Work, runtime: Runtime, backend: Fallback, onHost: (tensor: RuntimeTensor) => Promise<RuntimeTensor>): Runner {
  const run = async (feeds: RuntimeTensors, into: RuntimeTensors = {}): Promise<RuntimeTensors> => {
    const here: Record<string, RuntimeTensor> = {};
    for (const name of Object.keys(work.inputs)) here[name] = await onHost(feeds[name] as RuntimeTensor);
    useBackend(backend);
    const answers: Record<string, RuntimeTensor> = {};
    located(work.of, () =>
      tf.tidy(() => {
        const given = Object.fromEntries(Object.keys(work.inputs).map((name) => [name, upload(here[name] as RuntimeTensor)]));
        for (const [name, tensor] of Object.entries(work.build(given))) answers[name] = read(runtime, tensor, into[name]);
      }),
    );
    return answers;
  };
  return { run, vectors: [], release: async () => {} };
}

/** A copy, for tfjs's cpu backend computes with the very array that it is given; uint8 becomes int32. */
function upload({ data, dims, type }: RuntimeTensor): Tensor {
  return type === 'float32'
    ? tf.tensor(Float32Array.from(data as Float32Array), [...dims], 'float32')
    : tf.tensor(Int32Array.from(data as Int32Array), [...dims], 'int32');
}

function read({ Tensor }: Runtime, tensor: Tensor, into: RuntimeTensor | undefined): RuntimeTensor {
  const data = tensor.dataSync();
  if (into === undefined) return new Tensor('float32', Float32Array.from(data), tensor.shape);
  (into.data as Float32Array).set(data);
  return into;
}
