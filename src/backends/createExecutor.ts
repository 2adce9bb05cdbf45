import { checkOptions } from '../core/options.js';
import type { Executor } from '../core/program.js';
import { type ChooseBackendOptions, chooseBackend } from './chooseBackend.js';

export interface CreateExecutorOptions extends ChooseBackendOptions {
  /** The run's seed: first values of weights and declared draws are functions of it. */
  readonly seed: number;
}

/**
 * An executor on the backend that `chooseBackend` chooses.
 *
 * @example
 * const executor = await createExecutor({ seed: 0 });
 * const { features } = await executor.evaluate(program, batch, ['features']);
 * executor.dispose();
 */
export async function createExecutor(options: CreateExecutorOptions): Promise<Executor> {
  checkOptions('createExecutor', options, ['backend', 'provider', 'allowSoftware', 'seed']);
  const { seed, backend, provider, allowSoftware } = options;
  const chosen = await chooseBackend({ backend, provider, allowSoftware });
  return chosen.executor({ seed });
}
