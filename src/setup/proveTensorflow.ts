// An import that works proves nothing: a product and a gradient in a process of their own, with numbers that are exact.
import { MaskflowError } from '../core/errors.js';
import { type Execute, lastLines } from './execute.js';
import { tooOld } from './findTensorflow.js';

export interface Proof {
  /** Version that the library itself reports. */
  readonly version: string;
  /** Does TensorFlow compute on a GPU? */
  readonly gpu: boolean;
}

/** x · w for x = [1, 2], w = [3, 4], and the gradient of (x · w)² with respect to w: 2 (x · w) x. */
export const EXPECTED = [11, 22, 44] as const;

const script = (name: string): string => `
const tf = require(${JSON.stringify(name)});
const x = tf.tensor2d([[1, 2]]), w = tf.tensor2d([[3], [4]]);
const numbers = [...tf.matMul(x, w).dataSync(), ...tf.grad((v) => tf.matMul(x, v).square().sum())(w).dataSync()];
const { binding, isUsingGpuDevice } = tf.backend();
console.log('\\nmaskflow ' + JSON.stringify({ version: binding.TF_Version, gpu: isUsingGpuDevice, numbers }));`;

/**
 * Proves that a set-up package computes.
 *
 * @param project the folder whose node_modules holds the package
 * @throws MaskflowError with what came instead
 */
export async function proveTensorflow(project: string, name: string, execute: Execute): Promise<Proof> {
  const ran = await execute(process.execPath, ['-e', script(name)], { cwd: project, env: { TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2' } });
  const line = /^maskflow (\{.*\})$/m.exec(ran.stdout)?.[1];
  if (ran.code !== 0 || line === undefined) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'proof',
      rule: `${name} does not run:\n${lastLines(ran, 12)}\n`,
      hint: 'Undo it with: maskflow setup tensorflow --remove',
    });
  }
  const { version, gpu, numbers } = JSON.parse(line) as Proof & { numbers: number[] };
  if (!EXPECTED.every((value, i) => Math.abs(value - (numbers[i] ?? Number.NaN)) < 1e-3)) {
    throw new MaskflowError({ stage: 'setup', option: 'proof', rule: `a product and a gradient must come out as ${EXPECTED.join(', ')}`, value: numbers });
  }
  if (tooOld(version)) throw new MaskflowError({ stage: 'setup', option: 'proof', rule: 'TensorFlow ≥ 2.12 is needed', value: version });
  return { version, gpu };
}
