import { MaskflowError } from '../core/errors.js';
import { EagerWeights } from './eagerWeights.js';
import type { GradientsOwner } from './gradientHandle.js';
import { useBackend } from './useBackend.js';

/** What an executor keeps as tensors of a tfjs backend; two ways to compute that take turns can share it. */
export interface EagerState {
  /** Makes the backend current; throws after `dispose`. */
  enter(): void;
  readonly owner: GradientsOwner;
  readonly weights: EagerWeights;
  /** Frees everything. */
  dispose(): void;
}

/** The state of a new executor on a loaded backend, which it makes current. */
export function eagerState({ tfjs, seed }: { readonly tfjs: string; readonly seed: number }): EagerState {
  let disposed = false;
  const enter = (): void => {
    if (disposed) throw new MaskflowError({ stage: 'executor', rule: 'the executor has been disposed' });
    useBackend(tfjs);
  };
  enter();
  const owner: GradientsOwner = { enter, alive: new Set() };
  const weights = new EagerWeights(seed, enter);
  return {
    enter,
    owner,
    weights,
    dispose() {
      for (const handle of [...owner.alive]) handle.free('the end of the executor');
      for (const set of weights.sets()) weights.forget(set);
      disposed = true;
    },
  };
}
