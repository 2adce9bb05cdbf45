// What each engine stands on: the one table from which `doctor` reads what it expects and what brings it.
import type { BackendName } from '../../backends/index.js';
import { installCommand } from '../../backends/installCommand.js';
import { isOnnxVersion } from '../../backends/onnx.js';

export interface Needs {
  readonly packages: Readonly<Record<string, string>>;
  readonly libraries: Readonly<Record<string, string>>;
  /** Newest major of Node on which it is known to run. */
  readonly newestNode?: number;
  /** Whether another version of its packages than the expected one is as good. */
  readonly accepts?: (version: string) => boolean;
  /** What brings it. */
  readonly command: string;
}

const npm = (packages: Readonly<Record<string, string>>): Needs => ({ packages, libraries: {}, command: installCommand(packages) });

/** What each engine stands on. */
export const needs: Readonly<Record<BackendName, Needs>> = {
  'tfjs-node-gpu': {
    packages: { '@tensorflow/tfjs-node-gpu': '4.22.0' },
    // What the wheel of a loaded TensorFlow tells takes the place of the last two.
    libraries: { TensorFlow: '2.12 or newer', 'CUDA driver': '525 or newer', 'CUDA runtime': 'that of its wheel', cuDNN: 'that of its wheel' },
    newestNode: 26,
    command: 'maskflow setup tensorflow --gpu',
  },
  'tfjs-node': {
    packages: { '@tensorflow/tfjs-node': '4.22.0' },
    libraries: { TensorFlow: '2.12 or newer' },
    newestNode: 26,
    command: 'maskflow setup tensorflow',
  },
  webgpu: {
    ...npm({ webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': '4.22.0' }),
    libraries: process.platform === 'linux' ? { 'Vulkan loader': '1.0 or newer' } : {},
  },
  onnx: { ...npm({ 'onnxruntime-node': '1.30.0' }), libraries: { 'ONNX Runtime': '1.20 or newer' }, accepts: isOnnxVersion },
  wasm: npm({ '@tensorflow/tfjs-backend-wasm': '4.22.0' }),
  cpu: npm({ '@tensorflow/tfjs': '4.22.0' }),
};
