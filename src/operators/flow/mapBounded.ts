import type { OperatorFunction } from 'rxjs';
import { bounded } from '../../core/demand/index.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';

export interface MapBoundedOptions {
  /** Items worked on at once; results leave in the order of arrival. Default 1. */
  readonly concurrency?: number;
  /** What flows here: bounds samples by twice the concurrency, batches by the run's `prefetch`. Default `batch`. */
  readonly per?: 'sample' | 'batch';
  /** Wait until nothing is held further down, so that `work` may read weights. Default false. */
  readonly quiet?: boolean;
  /** Stage name; default `mapBounded`. */
  readonly name?: string;
}

/**
 * An asynchronous map with demand and order: what `concatMap(async …)` should have been. The way to put asynchronous work
 * of your own (a scorer, a fetch, an encoder in another process) into a chain.
 *
 * @example
 * batches.pipe(mapBounded(async (batch) => addScores(batch, await ask(batch)), { concurrency: 4 }));
 */
export function mapBounded<A, B>(work: (item: A) => Promise<B> | B, options: MapBoundedOptions = {}): OperatorFunction<A, B> {
  checkOptions('mapBounded', options, ['concurrency', 'per', 'quiet', 'name']);
  const { concurrency = 1, per = 'batch', quiet = false, name = 'mapBounded' } = options;
  check(typeof work === 'function', 'mapBounded', 'work', 'must be a function of the item', work);
  check(per === 'sample' || per === 'batch', 'mapBounded', 'per', "must be 'sample' or 'batch'", per);
  checkInteger('mapBounded', 'concurrency', concurrency);
  return bounded<A, B>(recipe('maskflow/operators', 'mapBounded', { concurrency, per, quiet, work: String(work) }), { name, per, concurrency, quiet }, () => ({
    work,
  }));
}
