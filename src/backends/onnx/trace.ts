// From work described with tfjs to a graph: the work runs once on the backend that records (tracer.ts).
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../../core/errors.js';
import type { Specs, Tensor, Tensors } from '../../core/program.js';
import { useBackend } from '../useBackend.js';
import type { Graph } from './graph.js';
import { cast } from './kernels/forms.js';
import type { Value } from './kernels/recording.js';
import { TRACER, isUntraceable, tracer, translated } from './tracer.js';

/**
 * Records what `build` does with tensors of these shapes and dtypes; no value is known meanwhile. A uint8 input is uint8 in
 * the graph and int32 in `build`, as in eager execution. Tensors that `build` makes from numbers, or finds on another
 * backend, become constants. What reaches no output is left out; the inputs stay, in their order.
 *
 * Runs inside one tidy scope; afterwards nothing of it is alive and the former backend is current again.
 *
 * @throws MaskflowError where `build` reads a value, uses a kernel without a recorder (both with an `Untraceable` as their
 * cause, which names the kernel), or answers something that is no tensor or bears the name of an input
 * @example
 * const graph = trace({ x: { shape: [3], dtype: 'float32' } }, ({ x }) => ({ y: (x as Tensor).square().sum() }));
 */
export function trace(inputs: Specs, build: (tensors: Tensors) => Readonly<Record<string, Tensor>>): Graph {
  const backend = tracer();
  const before = tf.getBackend() as string | null;
  const recording = backend.begin();
  try {
    useBackend(TRACER);
    recording.kernel = 'Cast';
    const outputs = new Map<string, Value>();
    tf.tidy(() => {
      const tensors: Record<string, Tensor> = {};
      for (const [name, { shape, dtype }] of Object.entries(inputs)) {
        const value = recording.input(name, { shape, type: dtype });
        tensors[name] = backend.tensor(dtype === 'uint8' ? cast(recording, value, 'int32') : value);
      }
      for (const [name, tensor] of Object.entries(build(tensors))) outputs.set(name, outputOf(name, tensor));
    });
    if (recording.failure !== undefined) throw recording.failure;
    return recording.graph(outputs);
  } catch (error) {
    throw isUntraceable(error) ? error : translated(recording.failure ?? error);
  } finally {
    backend.end();
    restore(before);
  }

  function outputOf(name: string, tensor: Tensor): Value {
    if (!(tensor instanceof tf.Tensor)) throw new MaskflowError({ stage: 'trace', option: name, rule: 'must be a tensor', value: tensor });
    if (name in inputs) throw new MaskflowError({ stage: 'trace', option: name, rule: 'an output must not bear the name of an input' });
    return backend.valueBehind(tensor);
  }
}

/** Before the first use of tfjs no backend is current; it chooses one itself when it needs one. */
function restore(backend: string | null): void {
  if (backend != null) {
    useBackend(backend);
    return;
  }
  const engine = tf.engine() as unknown as { backendName: string | null; backendInstance: unknown };
  engine.backendName = null;
  engine.backendInstance = null;
}
