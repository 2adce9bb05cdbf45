// mergeMap with demand: RxJS's own subscribes to every inner stream at once or queues outer items without bound.
import { Observable, type ObservableInput, type OperatorFunction, Subject, type Subscription, from, takeUntil } from 'rxjs';
import { ambient, enterStage, subscribeAbove, within } from '../../core/demand/index.js';
import { inStage } from '../../core/errors.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';

export interface MergeMapBoundedOptions {
  /** Inner streams at once; 1 (the default) is concatMap: one after the other, in order. */
  readonly concurrency?: number;
  /** Stage name; default `mergeMapBounded`. */
  readonly name?: string;
}

/**
 * Maps every item to an inner stream and merges them, `concurrency` at once; further items wait outside, because the source
 * is not asked for more. Use it where `mergeMap` or `concatMap` meets slow inner work (a fetch, a promise) or opens sources.
 *
 * @example
 * from(shards).pipe(mergeMapBounded((path) => arrow(path)), batch(32));
 */
export function mergeMapBounded<A, B>(project: (item: A, index: number) => ObservableInput<B>, options: MergeMapBoundedOptions = {}): OperatorFunction<A, B> {
  checkOptions('mergeMapBounded', options, ['concurrency', 'name']);
  const { concurrency = 1, name = 'mergeMapBounded' } = options;
  checkInteger('mergeMapBounded', 'concurrency', concurrency);
  const itself = recipe('maskflow/operators', 'mergeMapBounded', { concurrency, project: String(project) });
  return (source) =>
    new Observable((subscriber) => {
      const outside = ambient();
      const { context, above } = enterStage(itself, { name, per: 'sample' }, { unit: 'sample', limit: concurrency });
      const { place, gate } = context;
      // Inner sources flow to what is below this stage, never through its own limit: they would wait for themselves.
      const inside = { gate, ...(outside?.downstream === undefined ? {} : { downstream: outside.downstream }) };
      let stopped = false;
      const inner = new Set<Subscription>();
      const stop = new Subject<void>();
      subscriber.add(() => {
        stopped = true;
        stop.next();
      });
      const queue: A[] = [];
      let index = 0;
      let running = 0;
      let ended = false;
      const fail = (error: unknown): void => subscriber.error(inStage(name, error));
      const endIfDone = (): void => {
        if (ended && place.held === 0 && !stopped) within(place.emitting, () => subscriber.complete());
      };
      let pumping = false;
      const pump = (): void => {
        // Inner streams that end at once call back from inside of the loop.
        if (pumping) return;
        pumping = true;
        while (!stopped && running < concurrency && queue.length > 0) start(queue.shift() as A);
        pumping = false;
      };
      const start = (item: A): void => {
        running++;
        const done = (): void => {
          running--;
          place.release();
          pump();
          endIfDone();
        };
        try {
          const made = project(item, index++);
          const stream = from(made instanceof Promise ? gate.working(made) : made);
          let subscription: Subscription | undefined;
          subscription = within(inside, () =>
            stream.pipe(takeUntil(stop)).subscribe({
              next(value) {
                // What a source of ours emits keeps its own upstream; a promise's value comes from this stage.
                if (ambient() === undefined) place.emit(subscriber, value);
                else subscriber.next(value);
              },
              error: fail,
              complete() {
                if (stopped) return;
                if (subscription !== undefined) inner.delete(subscription);
                done();
              },
            }),
          );
          if (!subscription.closed) inner.add(subscription);
        } catch (error) {
          fail(error);
        }
      };
      const upstream = subscribeAbove(source, subscriber, above, {
        next(item) {
          try {
            place.arrive(ambient());
          } catch (error) {
            fail(error);
            return;
          }
          place.take();
          queue.push(item);
          pump();
        },
        complete() {
          ended = true;
          endIfDone();
        },
      });
      return () => {
        upstream.unsubscribe();
        for (const subscription of inner) subscription.unsubscribe();
        gate.leave(place);
      };
    });
}
