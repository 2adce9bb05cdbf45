import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Engine } from './backends.js';
import { eagerExecutor } from './eagerExecutor.js';
import { registerUnsortedSegmentSum } from './kernels/unsortedSegmentSum.js';

/** tfjs's plain JavaScript backend: always there, slow, and the reference of the conformance suite. */
export async function loadCpu(): Promise<Engine> {
  tf.enableProdMode(); // in tfjs that flag silences its messages, the advert of the first upload among them, and nothing else
  registerUnsortedSegmentSum('cpu');
  if (!(await tf.setBackend('cpu')))
    throw new MaskflowError({ stage: 'backend', rule: 'tfjs could not start its cpu backend', hint: 'Install the packages again: npm ci.' });
  return { device: 'JavaScript, 1 thread', software: false, executor: ({ seed }) => eagerExecutor({ backend: 'cpu', seed }) };
}
