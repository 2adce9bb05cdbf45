// Synchronous stages: one item in, one (or none) out, nothing held. Most operators of ours are made by this function.
import { Observable, type OperatorFunction } from 'rxjs';
import { MaskflowError, inStage } from '../errors.js';
import type { Recipe } from '../recipe.js';
import { type Ambient, ambient, within } from './ambient.js';
import { type StageContext, whereabouts } from './context.js';
import { Gate } from './gate.js';
import type { Unit } from './place.js';
import { subscribeAbove } from './upstream.js';

export interface StageOptions {
  /** The stage's name in its chain: key of its draws and state, and what errors call it. Default: the recipe's. */
  readonly name?: string | undefined;
  /** `sample` stages let `epochs` and `shuffle` below them reach the source; for all others those are an error. */
  readonly per: 'sample' | 'batch';
  /** Samples that the stage gathers before it emits, so that gathering is not taken for a blockage. */
  readonly samples?: number;
}

/** Opens a place for a stage at the gate in force (or at a new one), with the ambient value for what is above it. */
export function enterStage(
  recipe: Recipe,
  { name = recipe.name, per }: StageOptions,
  held: { unit?: Unit; limit?: number } = {},
): { context: StageContext; above: Ambient } {
  const current = ambient();
  const gate = current?.gate ?? new Gate();
  const asking = current?.order?.scopes.at(-1);
  if (per === 'batch' && asking !== undefined) {
    throw new MaskflowError({
      stage: asking.stage,
      rule: `must stand where single samples flow, but ${name} above it works on batches`,
      hint: `Write source.pipe(epochs(n), shuffle(), …, batch(size), …).`,
    });
  }
  const place = gate.enter(name, recipe, { ...held, current });
  const order = current?.order;
  return { context: { gate, place, key: place.key }, above: { gate, downstream: place, ...(order === undefined ? {} : { order }) } };
}

/**
 * A synchronous operator. `make` runs once a subscription and returns the decision for one item; what it throws
 * becomes an error that names the stage and the samples. `undefined` lets nothing through.
 */
export function stage<A, B>(recipe: Recipe, options: StageOptions, make: (context: StageContext) => (item: A) => B | undefined): OperatorFunction<A, B> {
  return collecting(recipe, options, (context, emit) => {
    const decide = make(context);
    return {
      next(item) {
        const result = decide(item);
        if (result !== undefined) emit(result);
      },
    };
  });
}

export interface Collector<A> {
  next(item: A): void;
  /** The source has ended; what is emitted here is the last. */
  complete?(): void;
  /** Position of the last sample gathered: collections that end together end in this order. */
  position?(): number;
}

/** A synchronous operator that may gather: it decides itself when it emits. What it gathers counts as nothing held. */
export function collecting<A, B>(
  recipe: Recipe,
  options: StageOptions,
  make: (context: StageContext, emit: (item: B) => void) => Collector<A>,
): OperatorFunction<A, B> {
  return (source) =>
    new Observable((subscriber) => {
      const { context, above } = enterStage(recipe, options);
      const { place, gate } = context;
      if (options.samples !== undefined) gate.expect(options.samples);
      const fail = (error: unknown, item?: A): void => within(place.emitting, () => subscriber.error(inStage(place.name, error, whereabouts(item))));
      const emit = (item: B): void => {
        place.emit(subscriber, item);
      };
      let collector: Collector<A>;
      try {
        collector = make(context, emit);
      } catch (error) {
        gate.leave(place);
        fail(error);
        return undefined;
      }
      const upstream = subscribeAbove(source, subscriber, above, {
        next(item) {
          try {
            place.arrive(ambient());
            collector.next(item);
          } catch (error) {
            fail(error, item);
          }
        },
        complete() {
          const end = (): void => {
            if (subscriber.closed) return;
            try {
              collector.complete?.();
              within(place.emitting, () => subscriber.complete());
            } catch (error) {
              fail(error);
            }
          };
          if (collector.position === undefined) end();
          else gate.endInOrder(collector.position(), end);
        },
      });
      return () => {
        upstream.unsubscribe();
        gate.leave(place);
      };
    });
}
