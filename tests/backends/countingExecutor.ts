// An executor that counts what it is asked for and passes it on: shows that no stage reaches around the executor.
import type { Executor, Weights } from '../../src/core/program.js';

export type Counted = 'evaluate' | 'gradients' | 'update' | 'step' | 'tensors' | 'dispose' | `weights.${'sets' | 'copy' | 'snapshot' | 'restore' | 'forget'}`;

export interface CountingExecutor extends Executor {
  /** Calls of each method so far. */
  readonly calls: Readonly<Record<Counted, number>>;
  /** Names of the programs' and optimisers' recipes in the order in which they came: `evaluate vitMae`. */
  readonly log: readonly string[];
}

export function countingExecutor(inner: Executor): CountingExecutor {
  const calls: Record<Counted, number> = {
    evaluate: 0,
    gradients: 0,
    update: 0,
    step: 0,
    tensors: 0,
    dispose: 0,
    'weights.sets': 0,
    'weights.copy': 0,
    'weights.snapshot': 0,
    'weights.restore': 0,
    'weights.forget': 0,
  };
  const log: string[] = [];
  const count = (method: Counted, of?: string): void => {
    calls[method]++;
    log.push(of === undefined ? method : `${method} ${of}`);
  };
  const weights: Weights = {
    get step() {
      return inner.weights.step;
    },
    set step(step: number) {
      inner.weights.step = step;
    },
    sets() {
      count('weights.sets');
      return inner.weights.sets();
    },
    copy(from, to, mix) {
      count('weights.copy', `${from} ${to}`);
      return inner.weights.copy(from, to, mix);
    },
    snapshot(set) {
      count('weights.snapshot', set);
      return inner.weights.snapshot(set);
    },
    restore(set, values) {
      count('weights.restore', set);
      return inner.weights.restore(set, values);
    },
    forget(set) {
      count('weights.forget', set);
      inner.weights.forget(set);
    },
  };
  return {
    backend: inner.backend,
    weights,
    calls,
    log,
    evaluate(program, batch, outputs, set) {
      count('evaluate', program.recipe.name);
      return inner.evaluate(program, batch, outputs, set);
    },
    gradients(program, batch) {
      count('gradients', program.recipe.name);
      return inner.gradients(program, batch);
    },
    update(optimizer, set, gradients, scalars) {
      count('update', optimizer.recipe.name);
      return inner.update(optimizer, set, gradients, scalars);
    },
    step(program, batch, optimizer, scalars, options) {
      count('step', program.recipe.name);
      return inner.step(program, batch, optimizer, scalars, options);
    },
    tensors() {
      count('tensors');
      return inner.tensors();
    },
    dispose() {
      count('dispose');
      inner.dispose();
    },
  };
}
