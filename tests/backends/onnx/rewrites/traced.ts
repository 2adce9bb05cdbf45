// Graphs of our own layers with their gradients, as the tracer makes them: what the rules of layers are for.
import * as tf from '@tensorflow/tfjs';
import { differentiate } from '../../../../src/backends/differentiate.js';
import type { Graph } from '../../../../src/backends/onnx/graph.js';
import { trace } from '../../../../src/backends/onnx/trace.js';
import type { Tensor, Tensors } from '../../../../src/core/program.js';

/** `build` of float32 inputs as `value`; with `gradients`, those of Σ value · direction by name as `d…` too. */
export function traced(
  shapes: Readonly<Record<string, readonly number[]>>,
  build: (given: Tensors) => Tensor,
  { gradients = true }: { readonly gradients?: boolean | readonly string[] } = {},
): Graph {
  const names = gradients === true ? Object.keys(shapes) : gradients === false ? [] : gradients;
  const probe = trace(specs(shapes), (given) => ({ value: build(given) }));
  const out = probe.values.get(probe.outputs.get('value') as string)?.shape as readonly number[];
  if (names.length === 0) return probe;
  return trace({ ...specs(shapes), direction: { shape: out, dtype: 'float32' } }, (given) => {
    let value: Tensor | undefined;
    const { found } = differentiate(
      () => {
        value = tf.keep(build(given));
        return { sum: value.mul(given.direction as Tensor).sum(), count: tf.scalar(1) };
      },
      names,
      given,
    );
    return { value: value as Tensor, ...Object.fromEntries(names.map((name) => [`d${name}`, found[name] as Tensor])) };
  });
}

const specs = (shapes: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]));
