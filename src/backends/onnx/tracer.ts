// The tfjs backend that records. Its kernels compute nothing: each writes ONNX nodes (kernels/) and answers a tensor that
// stands for a value of the graph. tfjs does all the rest as on any backend: shapes, broadcasting, gradients, scopes.
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../../core/errors.js';
import type { ElementType } from './graph.js';
import { registerEinsumGradient } from './kernels/einsum.js';
import { unexpanded } from './kernels/forms.js';
import { recorders } from './kernels/index.js';
import { constantOf, isConstant, numbers, onCpu } from './kernels/onCpu.js';
import type { Recorder } from './kernels/recorder.js';
import { Recording, type Value, constantData } from './kernels/recording.js';

/** The name under which tfjs knows the backend. */
export const TRACER = 'onnx-trace';

const WAY_OUT = 'Choose an eager engine, --backend wasm, or allow the compiled one to fall back to it.';

/**
 * Why a step cannot be compiled; the `cause` of the MaskflowError that says so, however many stages have added their name.
 */
export class Untraceable extends Error {
  override readonly name = 'Untraceable';
  /** The tfjs kernel concerned. */
  readonly kernel: string;
  constructor(kernel: string, rule: string) {
    super(`${kernel}: ${rule}`);
    this.kernel = kernel;
  }
}

export function untraceable(kernel: string, rule: string): MaskflowError {
  return new MaskflowError({ rule, hint: WAY_OUT, cause: new Untraceable(kernel, rule) });
}

/** tfjs's own complaint of a missing kernel, translated, with the stage that it has been given meanwhile; any other error as it is. */
export function translated(error: unknown): unknown {
  const kernel = missingKernel(error);
  if (kernel === undefined) return error;
  const { problem } = untraceable(kernel, `the compiled engine has no kernel ${kernel}`);
  return new MaskflowError(error instanceof MaskflowError ? { ...error.problem, ...problem } : problem);
}

function missingKernel(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return /^Kernel '(\w+)' not registered for backend 'onnx-trace'/.exec(error.message)?.[1] ?? missingKernel(error.cause);
}

/** Whether an error says that a step cannot be compiled. */
export function isUntraceable(error: unknown): error is MaskflowError {
  return error instanceof MaskflowError && error.problem.cause instanceof Untraceable;
}

interface Entry {
  readonly value: Value;
  /** Tensors that share the value. */
  references: number;
}

export class Tracer extends tf.KernelBackend {
  #recording: Recording | undefined;
  /** Constants made of tensors of other backends. */
  readonly #borrowed = new Map<tf.DataId, Value>();
  readonly #entries = new Map<tf.DataId, Entry>();

  /** Begins a recording; every value until `end` belongs to it. */
  begin(): Recording {
    if (this.#recording !== undefined) throw new MaskflowError({ stage: 'trace', rule: 'a trace inside another one is not possible' });
    this.#recording = new Recording();
    return this.#recording;
  }

  /** Ends the recording and forgets all tensors of it, those too that somebody kept. */
  end(): void {
    this.#recording = undefined;
    const { state } = tf.engine();
    for (const [dataId, { references }] of this.#entries) {
      const info = state.tensorInfo.get(dataId);
      if (info === undefined) continue;
      state.tensorInfo.delete(dataId);
      state.numDataBuffers--;
      state.numTensors -= references;
      state.numBytes -= references * info.bytes;
    }
    this.#entries.clear();
    this.#borrowed.clear();
  }

  get #current(): Recording {
    if (this.#recording === undefined) throw new MaskflowError({ stage: 'trace', rule: 'the tensor belongs to a trace that has ended' });
    return this.#recording;
  }

  /** Runs one kernel: computed at once where it depends on constants only, else recorded. */
  run(kernelName: string, recorder: Recorder, inputs: tf.NamedTensorInfoMap, attrs: object): tf.TensorInfo | tf.TensorInfo[] {
    const recording = this.#current;
    recording.kernel = kernelName;
    const values: Record<string, Value> = {};
    for (const [name, info] of Object.entries(inputs)) if (info != null) values[name] = this.valueBehind(info);
    const given = Object.values(values);
    const folded = given.length > 0 && kernelName !== 'Identity' && isConstant(given) ? onCpu(recording, kernelName, values, attrs) : undefined;
    const out = folded ?? recorder(recording, values, attrs);
    return Array.isArray(out) ? out.map((value) => this.#tensorInfo(value)) : this.#tensorInfo(out as Value);
  }

  /** A tensor for a value of the graph. */
  tensor(value: Value): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.#tensorInfo(value), this);
  }

  /** What a tensor stands for; one of another backend is a constant with the elements that it has now. */
  valueBehind({ dataId, shape, dtype }: tf.TensorInfo): Value {
    const entry = this.#entries.get(dataId);
    if (entry !== undefined) return entry.value;
    const value = this.#borrowed.get(dataId) ?? this.#constant(tf.engine().readSync(dataId) as tf.BackendValues, shape, dtype);
    this.#borrowed.set(dataId, value);
    return value;
  }

  #constant(values: tf.BackendValues, shape: readonly number[], dtype: tf.DataType): Value {
    const type = elementType(dtype);
    return constantOf(
      this.#current,
      constantData(type, []).constructor === values.constructor ? (values as Float32Array) : constantData(type, Array.from(values as Float32Array)),
      shape,
      type,
    );
  }

  #tensorInfo(value: Value): tf.TensorInfo {
    const dataId = {};
    this.#entries.set(dataId, { value, references: 1 });
    return { dataId, shape: [...value.shape], dtype: value.type as tf.DataType };
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    return this.#tensorInfo(this.#constant(values, shape, dtype)).dataId;
  }

  override readSync(dataId: object): tf.BackendValues {
    const value = this.#entries.get(dataId)?.value;
    if (value === undefined) throw new MaskflowError({ stage: 'trace', rule: 'the tensor belongs to a trace that has ended' });
    if (unexpanded(value).data !== undefined) return numbers(value);
    const what = value.producer === undefined ? `the input ${value.origin}` : `a result of ${value.origin}`;
    const error = untraceable(value.origin, `a step that is compiled cannot read values back while it is described, and ${what} was read`);
    this.#current.failure ??= error;
    throw error;
  }

  /** Never settles for a value of the graph: nobody could wait for it, and the trace reports the failure. */
  override read(dataId: object): Promise<tf.BackendValues> {
    try {
      return Promise.resolve(this.readSync(dataId));
    } catch {
      return new Promise(() => {});
    }
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.#entries.get(dataId);
    if (entry === undefined) return true;
    entry.references--;
    if (!force && entry.references > 0) return false;
    this.#entries.delete(dataId);
    return true;
  }

  override incRef(dataId: object): void {
    const entry = this.#entries.get(dataId);
    if (entry !== undefined) entry.references++;
  }

  override refCount(dataId: object): number {
    return this.#entries.get(dataId)?.references ?? 0;
  }

  override numDataIds(): number {
    return this.#entries.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override timerAvailable(): boolean {
    return false;
  }
}

function elementType(dtype: tf.DataType): ElementType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw untraceable(dtype, `the compiled engine has no tensors of type ${dtype}`);
}

/** The one tracer, known to tfjs with all its kernels. */
export function tracer(): Tracer {
  const engine = tf.engine();
  const present = engine.findBackend(TRACER) as Tracer | null;
  if (present !== null) return present;
  const made = new Tracer();
  // Priority 0: tfjs never chooses it by itself.
  tf.registerBackend(TRACER, () => made, 0);
  for (const [kernelName, recorder] of Object.entries(recorders)) {
    tf.registerKernel({
      kernelName,
      backendName: TRACER,
      kernelFunc: ({ inputs, attrs }) => made.run(kernelName, recorder, inputs, attrs ?? {}),
    });
  }
  registerEinsumGradient();
  return engine.findBackend(TRACER) as Tracer;
}
