import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Origin } from '../core/batch.js';
import { collecting } from '../core/demand/index.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';

export interface KeepOptions {
  /** Stage name; default `keep`. */
  readonly name?: string;
}

/** What `keep` lets through: samples or batches. */
export type WithOrigins = { readonly origin: Origin } | { readonly origins: readonly Origin[] };

/** The origins of a sample or batch. */
export function originsOf(item: WithOrigins): readonly Origin[] {
  return 'origin' in item ? [item.origin] : item.origins;
}

/**
 * A filter that reports what it drops, so that a resumed run does not read it again. (RxJS's own `filter` is exact too;
 * what it dropped stays open and is read once more at a resume.)
 *
 * @example
 * samples.pipe(keep(({ fields }) => fields.label < 5));
 */
export function keep<T extends WithOrigins>(predicate: (item: T) => boolean, options: KeepOptions = {}): MonoTypeOperatorFunction<T> {
  checkOptions('keep', options, ['name']);
  const { name = 'keep' } = options;
  check(typeof predicate === 'function', 'keep', 'predicate', 'must be a function of the item', predicate);
  // A plain filter may stand on either side of `batch`; it lets orders travel where samples flow.
  return collecting<T, T>(recipe('maskflow/operators', 'keep', { predicate: String(predicate) }), { name, per: 'sample' }, ({ gate }, emit) => {
    let dropped: Origin[] = [];
    return {
      next(item) {
        if (!predicate(item)) {
          dropped.push(...originsOf(item));
          gate.arrived();
          return;
        }
        const [carrier] = originsOf(item);
        if (carrier !== undefined) gate.cursor.attach(carrier, dropped);
        dropped = [];
        emit(item);
      },
    };
  });
}
