// Trains on the WebGPU provider in a process of its own (webgpu.test.ts looks how that ends).
import { createExecutor } from '../../../src/backends/index.js';
import { linear, lines, sgd } from '../linear.js';

export async function trainOnWebgpu(dispose: boolean): Promise<boolean> {
  const executor = await createExecutor({ seed: 0, provider: 'webgpu', allowSoftware: true });
  const { finite } = await executor.step(linear(), lines([0, 1]), sgd(), { learningRate: 0.1, step: 1 }, {});
  if (dispose) executor.dispose();
  return finite;
}
