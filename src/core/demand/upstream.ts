import { type Observable, Subject, type Subscriber, type Subscription, takeUntil } from 'rxjs';
import { type Ambient, within } from './ambient.js';

/**
 * Subscribes to what is above a stage. As with RxJS's own operators, a producer that emits while it is being subscribed
 * (`from`, `range`) stops as soon as `subscriber` is closed: by an error of the stage, by `take` below it.
 */
export function subscribeAbove<A>(
  source: Observable<A>,
  subscriber: Subscriber<unknown>,
  above: Ambient,
  { next, complete }: { next(item: A): void; complete(): void },
): Subscription {
  const stop = new Subject<void>();
  subscriber.add(() => stop.next());
  return within(above, () =>
    source.pipe(takeUntil(stop)).subscribe({
      next,
      error: (error) => subscriber.error(error),
      complete() {
        if (!subscriber.closed) complete();
      },
    }),
  );
}
