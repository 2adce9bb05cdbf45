// buffer with demand: RxJS's own gathers without bound while its notifier is silent.
import { Observable, type OperatorFunction } from 'rxjs';
import { ambient, enterStage, subscribeAbove, within } from '../../core/demand/index.js';
import { inStage } from '../../core/errors.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';

export interface BufferBoundedOptions {
  /** Items gathered at most; then the source waits until the notifier emits. Default 1,024. */
  readonly limit?: number;
  /** Stage name; default `bufferBounded`. */
  readonly name?: string;
}

/**
 * Gathers items until `notifier` emits, at most `limit`. The notifier must not itself depend on further items of the source:
 * with a full buffer none come. To gather by number use `batch` (samples) or RxJS's `bufferCount`, which are bounded already.
 *
 * @example
 * samples.pipe(bufferBounded(interval(1000), { limit: 4096 }));
 */
export function bufferBounded<T>(notifier: Observable<unknown>, options: BufferBoundedOptions = {}): OperatorFunction<T, T[]> {
  checkOptions('bufferBounded', options, ['limit', 'name']);
  const { limit = 1024, name = 'bufferBounded' } = options;
  checkInteger('bufferBounded', 'limit', limit);
  const made = recipe('maskflow/operators', 'bufferBounded', { limit });
  return (source) =>
    new Observable((subscriber) => {
      const { context, above } = enterStage(made, { name, per: 'sample' }, { unit: 'sample', limit });
      const { place, gate } = context;
      let gathered: T[] = [];
      let silent = false;
      const send = (): void => {
        const items = gathered;
        gathered = [];
        place.release(items.length);
        place.emit(subscriber, items);
      };
      /** Once the notifier has ended nobody else empties a full buffer. */
      const sendFull = (): void => {
        silent = true;
        if (gathered.length >= limit) send();
      };
      const bell = within(undefined, () => notifier.subscribe({ next: send, error: (error) => subscriber.error(inStage(name, error)), complete: sendFull }));
      const upstream = subscribeAbove(source, subscriber, above, {
        next(item) {
          try {
            place.arrive(ambient());
          } catch (error) {
            subscriber.error(inStage(name, error));
            return;
          }
          place.take();
          gathered.push(item);
          if (silent) sendFull();
        },
        complete() {
          if (gathered.length > 0) send();
          within(place.emitting, () => subscriber.complete());
        },
      });
      return () => {
        bell.unsubscribe();
        upstream.unsubscribe();
        gate.leave(place);
      };
    });
}
