// Constants are computed while the graph is made, by tfjs's own `cpu` kernels on a backend of their own: what depends on no
// input costs a step nothing.
import * as tf from '@tensorflow/tfjs';
import type { ConstantData, ElementType } from '../graph.js';
import { expand, unexpanded } from './forms.js';
import { type Recording, type Value, constantData, elements } from './recording.js';

/** Larger constants are computed by the graph: what is written into it would be larger than what it came from. */
const LARGEST = 65_536;

let cpu: tf.KernelBackend | undefined;

/** Whether a kernel of these inputs should be computed now: all of them constants, and small. */
export function isConstant(inputs: readonly Value[]): boolean {
  return inputs.every((x) => unexpanded(x).data !== undefined && elements(x) <= LARGEST);
}

/** The outputs of a `cpu` kernel of constants; undefined where tfjs has no such kernel. */
export function onCpu(r: Recording, kernelName: string, inputs: Readonly<Record<string, Value>>, attrs: object): Value | Value[] | undefined {
  const kernel = tf.getKernel(kernelName, 'cpu');
  if (kernel === undefined) return undefined;
  cpu ??= tf.findBackendFactory('cpu')() as tf.KernelBackend;
  const backend = cpu;
  const used: tf.TensorInfo[] = [];
  const entries = Object.entries(inputs).map(([name, value]) => {
    const shape = [...value.shape];
    const dtype = value.type as tf.DataType;
    const info = { dataId: backend.write(numbers(value), shape, dtype), shape, dtype };
    used.push(info);
    return [name, info] as const;
  });
  const out = kernel.kernelFunc({ inputs: listed(Object.fromEntries(entries)), attrs: attrs as tf.NamedAttrMap, backend });
  const outputs = Array.isArray(out) ? out : [out];
  const values = outputs.map(({ dataId, shape, dtype }) => {
    const type = dtype as ElementType;
    // A copy in the array of its type: a cast of int32 to float32 leaves the integers there.
    return constantOf(r, constantData(type, Array.from(backend.readSync(dataId) as ArrayLike<number>)), shape, type);
  });
  for (const { dataId } of [...outputs, ...used]) backend.disposeData(dataId, true);
  return Array.isArray(out) ? values : (values[0] as Value);
}

/** A constant; where all elements are equal, the expansion of one. */
export function constantOf(r: Recording, data: ConstantData, shape: readonly number[], type: ElementType): Value {
  return data.length > 1 && isUniform(data) ? expand(r, r.constant(data.slice(0, 1), [], type), shape) : r.constant(data, shape, type);
}

/** A plain loop: it runs over every ones and zeros that a backward pass makes. 0 and −0 are two numbers. */
function isUniform(data: ConstantData): boolean {
  const [first] = data;
  for (let i = 1; i < data.length; i++) if (data[i] !== first) return false;
  return first !== 0 || (data as Float32Array).every((x) => Object.is(x, first));
}

/** The elements of a constant: those of its data, or one of them for all. */
export function numbers(value: Value): Float32Array | Int32Array | Uint8Array {
  const { data } = unexpanded(value) as { data: Float32Array | Int32Array | Uint8Array };
  const count = elements(value);
  return data.length === count ? data : (data.constructor as typeof Float32Array).from({ length: count }, () => data[0] as number);
}

/** Kernels of a list of tensors get an array. */
function listed(inputs: Record<string, tf.TensorInfo>): tf.NamedTensorInfoMap {
  return ('0' in inputs ? Object.values(inputs) : inputs) as unknown as tf.NamedTensorInfoMap;
}
