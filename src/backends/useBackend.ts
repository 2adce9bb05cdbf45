import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';

/**
 * Makes a loaded tfjs backend the current one, at once. tfjs has one current backend in a process: an executor calls this
 * before each of its synchronous sections, so that two executors on different backends can take turns.
 *
 * @param name the name under which tfjs knows it: `cpu`, `wasm`, `tensorflow`
 * @throws MaskflowError where it has not been loaded
 */
export function useBackend(name: string): void {
  if (tf.getBackend() === name) return;
  if (!(name in tf.engine().registry)) {
    throw new MaskflowError({
      stage: 'backend',
      option: 'backend',
      rule: 'the tfjs backend has not been loaded',
      value: name,
      hint: 'Use createExecutor({ backend }), which loads it.',
    });
  }
  // For a backend that has been initialised, tfjs does all of this before its first await.
  void tf.setBackend(name);
  if (tf.getBackend() !== name) {
    throw new MaskflowError({
      stage: 'backend',
      rule: `tfjs was asked for ${name} and uses another backend`,
      value: tf.getBackend(),
      hint: 'Two copies of @tensorflow/tfjs may be installed: npm ls @tensorflow/tfjs shows them.',
    });
  }
}
