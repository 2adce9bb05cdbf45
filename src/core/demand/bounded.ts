// Asynchronous stages that are bounded and keep order: the only ones of ours that hold anything.
import { Observable, type OperatorFunction } from 'rxjs';
import { inStage } from '../errors.js';
import type { Recipe } from '../recipe.js';
import { ambient, within } from './ambient.js';
import { type StageContext, whereabouts } from './context.js';
import { type StageOptions, enterStage } from './stage.js';
import { subscribeAbove } from './upstream.js';

/** What a work function returns when an item goes no further (it was gathered, or written and dropped). */
export const nothing: unique symbol = Symbol('nothing');

export interface BoundedOptions extends StageOptions {
  /** Items worked on at once; results leave in the order of arrival. Default 1. */
  readonly concurrency?: number;
  /** Samples held at most (per-sample stages; batches are bounded by the run's `prefetch`). Default twice the concurrency. */
  readonly limit?: number;
  /** Take the next item only when nothing is held between here and the sink: for stages that read or write weights. */
  readonly quiet?: boolean;
}

export interface Worker<A, B> {
  /** The result, at once or later. A result at once holds nothing and costs no turn of the event loop. */
  work(item: A): B | typeof nothing | Promise<B | typeof nothing>;
  /**
   * Once the result has been passed on and nothing is held below: work that must see what the stages below made of the item
   * (a checkpoint). The next item waits for it. Only with concurrency 1; undefined = nothing to do.
   */
  after?(item: A): Promise<void> | undefined;
  /** After the last item: one more result, if there is one. */
  flush?(): B | typeof nothing | Promise<B | typeof nothing>;
  /** At the end of the subscription, whatever ended it; after work under way has settled. */
  stop?(): void | Promise<void>;
}

/** What a worker threw, in its place among the results: errors surface in the order of arrival, after what came before. */
class Failure<A> {
  readonly error: unknown;
  readonly item: A | undefined;
  constructor(error: unknown, item: A | undefined) {
    this.error = error;
    this.item = item;
  }
}

/** An asynchronous operator with demand: at most `limit` samples (or the run's `prefetch` batches) are held, order is kept. */
export function bounded<A, B>(recipe: Recipe, options: BoundedOptions, make: (context: StageContext) => Worker<A, B>): OperatorFunction<A, B> {
  const { concurrency = 1, limit = 2 * concurrency, quiet = false, per } = options;
  return (source) =>
    new Observable((subscriber) => {
      const { context, above } = enterStage(recipe, options, { unit: per, limit: per === 'sample' ? limit : Number.POSITIVE_INFINITY });
      const { place, gate } = context;
      const queue: A[] = [];
      const finished = new Map<number, B | typeof nothing | Failure<A>>();
      const working = new Set<Promise<unknown>>();
      let worker: Worker<A, B> | undefined;
      let started = 0;
      let left = 0;
      let running = 0;
      let ended = false;
      let flushing = false;
      let draining = false;
      let stopped = false;
      /** The item whose `after` is still to be done. */
      let passed: { readonly item: A } | undefined;

      const fail = (error: unknown, item?: A): void => {
        if (!stopped) within(place.emitting, () => subscriber.error(inStage(place.name, error, whereabouts(item))));
      };
      const emit = (result: B | typeof nothing): void => {
        if (result === nothing) return;
        place.emit(subscriber, result);
      };
      /** Calls the worker; `settle` gets the result or the failure at once, or when it is there. */
      const call = (
        work: () => B | typeof nothing | Promise<B | typeof nothing>,
        item: A | undefined,
        settle: (result: B | typeof nothing | Failure<A>) => void,
      ): void => {
        let result: B | typeof nothing | Promise<B | typeof nothing>;
        try {
          result = work();
        } catch (error) {
          settle(new Failure(error, item));
          return;
        }
        if (result instanceof Promise) later(result, item, settle);
        else settle(result);
      };
      const later = (result: Promise<B | typeof nothing>, item: A | undefined, settle: (result: B | typeof nothing | Failure<A>) => void): void => {
        const promise = gate.working(result).then(
          (value) => {
            working.delete(promise);
            if (stopped) return;
            settle(value);
            pump();
          },
          (error) => {
            working.delete(promise);
            if (stopped) return;
            settle(new Failure(error, item));
            pump();
          },
        );
        working.add(promise);
      };
      /** Results leave in order of arrival, each only while there is room for it below. */
      const drain = (): void => {
        if (draining) return;
        draining = true;
        while (!stopped && finished.has(left) && (per === 'batch' || place.isOpen())) {
          const result = finished.get(left) as B | typeof nothing | Failure<A>;
          finished.delete(left++);
          place.release();
          if (result instanceof Failure) {
            fail(result.error, result.item);
            break;
          }
          // From here to the end of `after` this stage is busy: those above that wait for quiet wait for it.
          place.busy = worker?.after !== undefined;
          emit(result);
        }
        draining = false;
        afterwards();
        if (ended && !stopped && !flushing && place.held === 0 && !place.busy) finish();
      };
      const afterwards = (): void => {
        if (stopped || passed === undefined || !place.busy || !place.isQuiet()) return;
        const { item } = passed;
        passed = undefined;
        const done = (result: unknown): void => {
          place.busy = false;
          if (result instanceof Failure) fail(result.error, item);
          else gate.changed();
        };
        call(() => (worker as Worker<A, B>).after?.(item)?.then(() => nothing) ?? nothing, item, done);
      };
      const finishing =
        (index: number) =>
        (result: B | typeof nothing | Failure<A>): void => {
          running--;
          finished.set(index, result);
        };
      /** The short way where nothing is held: a result that is there at once is passed on without being queued. */
      const atOnce = (item: A): boolean => {
        if (quiet || draining || place.held > 0 || worker === undefined || worker.after !== undefined) return false;
        if (per === 'sample' && !place.isOpen()) return false;
        let result: B | typeof nothing | Promise<B | typeof nothing>;
        try {
          result = worker.work(item);
        } catch (error) {
          fail(error, item);
          return true;
        }
        if (result instanceof Promise) {
          place.take();
          running++;
          later(result, item, finishing(started++));
          return true;
        }
        draining = true;
        emit(result);
        draining = false;
        return true;
      };
      const pump = (): void => {
        // What is finished leaves first: it is held below by the time that a quiet stage asks whether it may go on.
        drain();
        while (!stopped && running < concurrency && queue.length > 0 && !place.busy && (!quiet || place.isQuiet())) {
          const item = queue.shift() as A;
          running++;
          if (worker?.after !== undefined) passed = { item };
          call(() => (worker as Worker<A, B>).work(item), item, finishing(started++));
          drain();
        }
      };
      const finish = (): void => {
        flushing = true;
        const complete = (): void => within(place.emitting, () => subscriber.complete());
        const last = worker;
        if (last?.flush === undefined) {
          complete();
          return;
        }
        place.take();
        const end = (result: B | typeof nothing | Failure<A>): void => {
          place.release();
          if (result instanceof Failure) {
            fail(result.error);
            return;
          }
          emit(result);
          if (!stopped) complete();
        };
        const flush = async (): Promise<B | typeof nothing> => {
          if (quiet) await place.quiet();
          if (stopped) return nothing;
          return last.flush?.() ?? nothing;
        };
        call(flush, undefined, end);
      };

      try {
        worker = make(context);
      } catch (error) {
        gate.leave(place);
        subscriber.error(inStage(place.name, error));
        return undefined;
      }
      const unlisten = gate.onChange(pump);
      const upstream = subscribeAbove(source, subscriber, above, {
        next(item) {
          try {
            place.arrive(ambient());
          } catch (error) {
            fail(error, item);
            return;
          }
          if (atOnce(item)) return;
          place.take();
          queue.push(item);
          pump();
        },
        complete() {
          ended = true;
          drain();
        },
      });
      return () => {
        stopped = true;
        unlisten();
        upstream.unsubscribe();
        const under = [...working];
        gate.track(Promise.allSettled(under).then(() => worker?.stop?.()));
        gate.leave(place);
      };
    });
}
