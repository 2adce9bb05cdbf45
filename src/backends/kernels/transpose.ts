// Transposing integers on tfjs's webgpu backend. A comparison's result is kept there as int32, and a cast to float only
// renames it, so that the buffer behind a float tensor may hold integers. tfjs's shader of a transposition hands such an
// element to a function of floats, which WGSL refuses (4.22.0): the program does not compile, the result is whatever
// stood in its buffer. The reductions over an axis that is not the last, einsum and cumsum transpose first, by a call of
// their own beside the registry of kernels, so the mend is where all of them pass: at the backend's running of programs.
import * as tf from '@tensorflow/tfjs';

/** What we read of a program of tfjs's webgpu backend; its user code is asked for where it is compiled for the first time. */
interface ShaderProgram {
  readonly shaderKey: string;
  getUserCode(): string;
}

interface WebgpuBackend {
  readonly tensorMap: { get(dataId: tf.DataId): { readonly dtype: tf.DataType } };
  runWebGPUProgram(program: ShaderProgram, inputs: readonly tf.TensorInfo[], ...rest: unknown[]): tf.TensorInfo;
}

/** Mends the transposition of integers for every kernel of the webgpu backend; called again, it changes nothing. */
export function registerTranspose(): void {
  const backend = tf.backend() as unknown as WebgpuBackend;
  if (mended.has(backend)) return;
  mended.add(backend);
  const run = backend.runWebGPUProgram;
  backend.runWebGPUProgram = (program, inputs, ...rest) => {
    const [x] = inputs;
    // The dtype of the buffer: that of the tensor says float after a cast.
    if (x !== undefined && isTranspose(program) && backend.tensorMap.get(x.dataId).dtype !== 'float32') {
      const code = program.getUserCode.bind(program);
      program.getUserCode = () => integerTranspose(code());
    }
    return run.call(backend, program, inputs, ...rest);
  };
}

const mended = new WeakSet<WebgpuBackend>();

// The key of a program that has run has the kinds and ranks of its tensors behind it; a program is made for one run.
const isTranspose = ({ shaderKey }: ShaderProgram): boolean => shaderKey === 'transposeShared' || shaderKey.startsWith('transpose_');

/**
 * The same WGSL with elements that stay integers until they are written: integers above 2²⁴ remain exact, too.
 *
 * @example
 * integerTranspose('setOutputAtIndex(i, f32(A[j]));'); // 'setOutputAtIndexI32(i, i32(A[j]));'
 */
export function integerTranspose(code: string): string {
  return code.replaceAll(/\bf32\b/g, 'i32').replaceAll('setOutputAtIndex(', 'setOutputAtIndexI32(');
}
