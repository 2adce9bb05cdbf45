import { MaskflowError } from '../core/errors.js';
import type { Executor, Weights } from '../core/program.js';

/** What a device reported beside its calls. */
export interface Faults {
  /** Messages of errors, oldest first. */
  readonly all: readonly string[];
  /** Why the device is gone, once it is. */
  lost(): string | undefined;
}

/**
 * An executor on a device that reports its errors beside the calls (WebGPU): after each call it looks whether there was
 * one, and from the first on refuses, for what was computed since cannot be trusted. A new executor starts anew, unless
 * the device is gone.
 *
 * @example
 * const executor = guardedExecutor(eagerExecutor({ backend: 'webgpu', seed: 0 }), faults);
 */
export function guardedExecutor(inner: Executor, faults: Faults): Executor {
  const before = faults.all.length;
  const look = (): void => {
    const lost = faults.lost();
    const fault = lost ?? faults.all[before];
    if (fault === undefined) return;
    throw new MaskflowError({
      stage: 'executor',
      option: inner.backend,
      rule: lost === undefined ? 'the GPU reported an error, and what it computed since cannot be trusted' : 'the GPU is gone',
      value: fault.trim(),
      hint: 'Where memory or a limit is exceeded, take a smaller batch; a run goes on from its last checkpoint with --resume.',
    });
  };
  const guarded = async <T>(call: () => Promise<T>): Promise<T> => {
    look();
    try {
      return await call();
    } finally {
      look();
    }
  };
  const weights: Weights = {
    get step() {
      return inner.weights.step;
    },
    set step(step: number) {
      inner.weights.step = step;
    },
    sets: () => inner.weights.sets(),
    copy: (...given) => guarded(() => inner.weights.copy(...given)),
    snapshot: (...given) => guarded(() => inner.weights.snapshot(...given)),
    restore: (...given) => guarded(() => inner.weights.restore(...given)),
    forget: (set) => inner.weights.forget(set),
  };
  return {
    backend: inner.backend,
    weights,
    evaluate: (...given) => guarded(() => inner.evaluate(...given)),
    gradients: (...given) => guarded(() => inner.gradients(...given)),
    update: (...given) => guarded(() => inner.update(...given)),
    step: (...given) => guarded(() => inner.step(...given)),
    tensors: () => inner.tensors(),
    dispose: () => inner.dispose(),
  };
}
