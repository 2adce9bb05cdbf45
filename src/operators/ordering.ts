// How `epochs` and `shuffle` reach the source: at subscription their wish travels upstream in the ambient value.
import { type MonoTypeOperatorFunction, Observable } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { type OrderRequest, type OrderScope, ambient, enterStage, subscribeAbove, within } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { recipe } from '../core/recipe.js';

/** An operator that passes samples on unchanged and asks the source above it for another order. */
export function ordering<S extends Sample<unknown>>(name: string, options: object, ask: (order: OrderRequest) => OrderRequest): MonoTypeOperatorFunction<S> {
  const made = recipe('maskflow/operators', name, options);
  return (source) =>
    new Observable((subscriber) => {
      const { context, above } = enterStage(made, { per: 'sample' });
      const { place, gate } = context;
      const scope: OrderScope = { stage: name, sources: new Set() };
      const outer = above.order ?? { epochs: 1, scopes: [] };
      const order = { ...ask(outer), scopes: [...outer.scopes, scope] };
      const upstream = subscribeAbove(
        source,
        subscriber,
        { ...above, order },
        {
          next(sample) {
            try {
              place.arrive(ambient());
              refuseStrangers(name, scope, sample);
            } catch (error) {
              subscriber.error(inStage(name, error));
              return;
            }
            place.emit(subscriber, sample);
          },
          complete: () => within(place.emitting, () => subscriber.complete()),
        },
      );
      return () => {
        upstream.unsubscribe();
        gate.leave(place);
      };
    });
}

function refuseStrangers(name: string, scope: OrderScope, sample: Sample<unknown>): void {
  const number = (sample as Partial<Sample<unknown>> | undefined)?.origin?.source;
  if (number === undefined) {
    throw new MaskflowError({
      rule: 'must stand where single samples of a maskflow source flow, but something else came',
      value: sample,
      hint: `Write source.pipe(${name}(…), …, batch(size), …).`,
    });
  }
  if (scope.sources.size === 1 && scope.sources.has(number)) return;
  throw new MaskflowError({
    rule: `orders one source, but samples of ${scope.sources.has(number) ? `${scope.sources.size} sources` : 'a source that was subscribed later (behind concat, concatMap, merge, …)'} flow through it`,
    hint: `Put ${name}(…) behind each source, or read all files by one source: arrow(['a.arrow', 'b.arrow']).`,
  });
}
