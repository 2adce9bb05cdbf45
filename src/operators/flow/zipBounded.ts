// zip with demand: RxJS's own keeps whatever the faster source emits until the slower one catches up.
import { Observable } from 'rxjs';
import { Gate, type Place, ambient, enterStage, within } from '../../core/demand/index.js';
import { inStage } from '../../core/errors.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';

export interface ZipBoundedOptions {
  /** Items that may wait for their partners, per input. Default 1. */
  readonly limit?: number;
  /** Stage name; the inputs are `<name>.0`, `<name>.1`, …, their pairs leave from `<name>.out` Default `zipBounded`. */
  readonly name?: string;
}

/**
 * Pairs the n-th items of several streams; a faster one waits. Completes when one input has ended and all its items are
 * paired. Use it for sources of unequal speed; for branches of one shared stream RxJS's `zip` holds nothing and is right.
 *
 * @example
 * zipBounded([arrow('images.arrow'), arrow('captions.arrow')]).pipe(map(([image, caption]) => …));
 */
export function zipBounded<const T extends readonly Observable<unknown>[]>(
  inputs: T,
  options: ZipBoundedOptions = {},
): Observable<{ -readonly [K in keyof T]: T[K] extends Observable<infer V> ? V : never }> {
  checkOptions('zipBounded', options, ['limit', 'name']);
  const { limit = 1, name = 'zipBounded' } = options;
  checkInteger('zipBounded', 'limit', limit);
  type Tuple = { -readonly [K in keyof T]: T[K] extends Observable<infer V> ? V : never };
  return new Observable<Tuple>((subscriber) => {
    if (inputs.length === 0) {
      subscriber.complete();
      return undefined;
    }
    const queues: unknown[][] = inputs.map(() => []);
    const ended = inputs.map(() => false);
    const places: Place[] = [];
    const match = (): void => {
      while (queues.every((queue) => queue.length > 0)) {
        const tuple = queues.map((queue) => queue.shift());
        for (const place of places) place.release();
        out.gate.arrived();
        out.place.emit(subscriber, tuple as Tuple);
      }
      if (ended.some((done, i) => done && queues[i]?.length === 0)) within(out.place.emitting, () => subscriber.complete());
    };
    // All inputs share one gate, also where nobody below has opened one, and all lead to one place that pairs leave from: a
    // stage that is subscribed further down while a pair is on its way must know every input to be above it.
    const made = recipe('maskflow/operators', 'zipBounded', { limit, inputs: inputs.length });
    const { context: out, above: inside } = within(ambient() ?? { gate: new Gate() }, () => enterStage(made, { name: `${name}.out`, per: 'sample' }));
    const enter = (i: number) =>
      enterStage(recipe('maskflow/operators', 'zipBounded', { limit, input: i }), { name: `${name}.${i}`, per: 'sample' }, { unit: 'sample', limit });
    const entered = within(inside, () => inputs.map((_, i) => enter(i)));
    places.push(...entered.map(({ context }) => context.place));
    const subscriptions = inputs.map((input, i) => {
      const { context, above } = entered[i] as (typeof entered)[number];
      return within({ ...above, gate: context.gate }, () =>
        input.subscribe({
          next(item) {
            try {
              context.place.arrive(ambient());
            } catch (error) {
              subscriber.error(inStage(name, error));
              return;
            }
            context.place.take();
            (queues[i] as unknown[]).push(item);
            match();
          },
          error: (error) => subscriber.error(error),
          complete() {
            ended[i] = true;
            match();
          },
        }),
      );
    });
    return () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
      for (const { context } of entered) context.gate.leave(context.place);
      out.gate.leave(out.place);
    };
  });
}
