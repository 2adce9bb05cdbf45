// tfjs's wasm backend with the kernels that its package brings. The engine puts ours over some of them; left here are those
// for which the package has none at all, without which no training step runs.
import * as tf from '@tensorflow/tfjs';

const backend = 'wasm';

/** Called before the engine is loaded. What it answers puts the package's kernels back, and names those that were not its own. */
export async function shippedKernels(): Promise<() => readonly string[]> {
  await import('@tensorflow/tfjs-backend-wasm');
  const shipped = new Map(tf.getKernelsForBackend(backend).map((kernel) => [kernel.kernelName, kernel]));
  return () => {
    const added: string[] = [];
    for (const { kernelName, kernelFunc } of tf.getKernelsForBackend(backend)) {
      const own = shipped.get(kernelName);
      if (own === undefined) added.push(kernelName);
      if (own === undefined || own.kernelFunc === kernelFunc) continue;
      tf.unregisterKernel(kernelName, backend);
      tf.registerKernel(own);
    }
    return added;
  };
}
