// Pulled sources: the only way that data enters a chain. A source asks for its next item when its gate is open.
import { Observable } from 'rxjs';
import type { Origin, Sample } from '../batch.js';
import { MaskflowError, inStage } from '../errors.js';
import { Draws, fold } from '../key.js';
import type { Recipe } from '../recipe.js';
import { ambient, runsUnderWay, within } from './ambient.js';
import { Gate } from './gate.js';
import { nextTurn } from './nextTurn.js';
import { type OrderRequest, type Share, epochOrder, served } from './order.js';

/** Data with random access. `close` is called exactly once, whatever happens. */
export interface Indexed<F> {
  readonly length: number;
  /** Says whether a later run reads the same data: a digest of names, sizes and footers, say. */
  readonly fingerprint?: string;
  /** Fields of row `id`, or undefined where the row is bad and was counted as skipped. */
  at(id: number): F | undefined | Promise<F | undefined>;
  close(): void | Promise<void>;
}

/** Data that can only be read from its beginning. Rows that are bad and skipped come as undefined. */
export interface Streamed<F> {
  readonly fingerprint?: string;
  /** The rows of one pass, as single rows. Called once an epoch; refuses a second pass where there is none (stdin). */
  rows(epoch: number): AsyncIterable<F | undefined> | Iterable<F | undefined>;
  close(): void | Promise<void>;
}

const isIndexed = <F>(data: Indexed<F> | Streamed<F>): data is Indexed<F> => 'at' in data;

/** How long a source may run without giving timers and signals a turn, in items. */
const turn = 1024;

const stored: OrderRequest = { epochs: 1, scopes: [] };

/**
 * A source of samples. It serves the order that `epochs` and `shuffle` below it ask for, leaves out what the cursor
 * says is settled, and pulls only while its gate is open.
 *
 * @param recipe what it is; its name is the stage's name in errors
 * @param open called at subscription, so that nothing is opened before somebody wants it
 */
export function source<F>(
  recipe: Recipe,
  open: () => Indexed<F> | Streamed<F> | Promise<Indexed<F> | Streamed<F>>,
  share: Share = { rank: 0, world: 1 },
): Observable<Sample<F>> {
  return new Observable((subscriber) => {
    const current = ambient();
    if (current === undefined && runsUnderWay() > 0) {
      subscriber.error(
        new MaskflowError({
          stage: recipe.name,
          rule: 'a source was subscribed inside a run but outside of its demand, so nothing could slow it down',
          hint: 'An asynchronous RxJS operator (delay, observeOn, subscribeOn, debounceTime, a promise in concatMap) stands between it and the stage that subscribes to it. Move that operator behind the source, or use mergeMapBounded to subscribe to sources one after the other.',
        }),
      );
      return undefined;
    }
    const gate = current?.gate ?? new Gate();
    const order = current?.order ?? stored;
    const place = gate.enter(recipe.name, recipe, { current, source: true });
    const number = gate.nextSource();
    for (const scope of order.scopes) scope.sources.add(number);
    let stopped = false;
    let wake = (): void => {};
    const unlisten = gate.onChange(() => wake());

    const isOpen = async (): Promise<void> => {
      while (!stopped && !place.isOpen()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    let data: Indexed<F> | Streamed<F> | undefined;
    let pending = false;
    let giveUp = (): void => {};
    /** What goes wrong while closing ends nothing, but somebody should know. */
    const closing = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (error) {
        gate.warn(inStage(recipe.name, error, 'while it was closed').message);
      }
    };
    const close = (): Promise<void> => closing(() => data?.close());
    /** `item`, or the end as soon as the subscription is over: a row may never come. */
    const orStopped = <T>(item: Promise<T>): Promise<T | typeof end> =>
      new Promise((resolve, reject) => {
        pending = true;
        giveUp = () => resolve(end);
        const arrived =
          <V>(tell: (value: V) => void) =>
          (value: V): void => {
            pending = false;
            tell(value);
          };
        item.then(arrived(resolve), arrived(reject));
      });
    const pull = async (): Promise<void> => {
      let samples: Pull<F> | undefined;
      try {
        data = await gate.working(open());
        if (data.fingerprint !== undefined) gate.run?.data(`${number}.${recipe.name}`, data.fingerprint);
        samples = isIndexed(data) ? indexed(data, gate, number, order, share) : streamed(data, gate, number, order, share);
        let since = 0;
        for (;;) {
          if (!place.isOpen()) await isOpen();
          if (stopped) break;
          const next = samples.next();
          const { done, value } = next instanceof Promise ? await gate.working(orStopped(next)) : next;
          if (!stopped && !place.isOpen()) await isOpen();
          if (stopped || done) break;
          if (++since % turn === 0) await gate.working(new Promise<void>(nextTurn));
          if (stopped) break;
          gate.entered();
          place.emit(subscriber, value);
        }
        if (!stopped) within(place.emitting, () => subscriber.complete());
      } catch (error) {
        if (!stopped) within(place.emitting, () => subscriber.error(inStage(recipe.name, error)));
      } finally {
        stopped = true;
        // A row that is under way ends when the data is closed, perhaps only then; otherwise the reader goes first.
        const stop = (): Promise<void> => closing(() => samples?.stop?.());
        if (pending) {
          await close();
          void stop();
        } else {
          await stop();
          await close();
        }
      }
    };
    gate.track(pull());
    return () => {
      stopped = true;
      unlisten();
      wake();
      giveUp();
      gate.leave(place);
    };
  });
}

/** Next sample now, or a promise of it: synchronous wherever the data is. */
interface Pull<F> {
  next(): { done: boolean; value: Sample<F> } | Promise<{ done: boolean; value: Sample<F> }>;
  /** Ends a pass that is under way. */
  stop?(): Promise<unknown>;
}

const end = { done: true, value: undefined as never };

function indexed<F>(data: Indexed<F>, gate: Gate, number: number, order: OrderRequest, share: Share): Pull<F> {
  const length = served(data.length, share);
  const total = length * order.epochs;
  gate.totals.set(number, { perEpoch: length, epochs: order.epochs });
  const settled = gate.cursor.settled(number);
  const key = fold(fold(gate.root, 'order'), number);
  let epoch = -1;
  let at = (k: number): number => k;
  let position = settled.nextOutside(0);
  let bad: Origin[] = [];
  const origin = (): Origin => {
    const of = Math.floor(position / length);
    if (of !== epoch) {
      epoch = of;
      at = epochOrder(key, epoch, data.length, order.shuffle !== undefined, share);
    }
    const made = { source: number, id: at(position - epoch * length), epoch, position };
    position = settled.nextOutside(position + 1);
    return made;
  };
  const serve = (made: Origin, fields: F): { done: boolean; value: Sample<F> } => {
    if (bad.length > 0) {
      gate.cursor.attach(made, bad);
      bad = [];
    }
    return { done: false, value: { fields, origin: made } };
  };
  const skip = (made: Origin): ReturnType<Pull<F>['next']> => {
    bad.push(made);
    return next();
  };
  const next = (): { done: boolean; value: Sample<F> } | Promise<{ done: boolean; value: Sample<F> }> => {
    while (position < total) {
      const made = origin();
      const fields = data.at(made.id);
      if (fields instanceof Promise) return fields.then((value) => (value === undefined ? skip(made) : serve(made, value)));
      if (fields !== undefined) return serve(made, fields);
      bad.push(made);
    }
    return end;
  };
  return { next };
}

function streamed<F>(data: Streamed<F>, gate: Gate, number: number, order: OrderRequest, share: Share): Pull<F> {
  const iterator = streamedSamples(data, gate, number, order, share);
  return { next: () => iterator.next() as Promise<{ done: boolean; value: Sample<F> }>, stop: () => iterator.return() };
}

/** Rows in order, or through a shuffle buffer: each next one is a keyed choice of `buffer` rows read ahead. */
async function* streamedSamples<F>(
  data: Streamed<F>,
  gate: Gate,
  number: number,
  order: OrderRequest,
  { rank, world }: Share,
): AsyncGenerator<Sample<F>, void> {
  const settled = gate.cursor.settled(number);
  const key = fold(fold(gate.root, 'order'), number);
  const buffer = order.shuffle?.buffer ?? 1;
  let position = 0;
  let bad: Origin[] = [];
  for (let epoch = 0; epoch < order.epochs; epoch++) {
    const draws = new Draws(fold(key, epoch));
    const waiting: { id: number; fields: F | undefined }[] = [];
    const leave = (): Sample<F> | undefined => {
      const slot = waiting.length === 1 ? 0 : draws.integer(waiting.length);
      const chosen = waiting[slot] as { id: number; fields: F | undefined };
      const last = waiting.pop() as { id: number; fields: F | undefined };
      if (slot < waiting.length) waiting[slot] = last;
      const origin = { source: number, id: chosen.id, epoch, position: position++ };
      if (settled.has(origin.position)) return undefined;
      if (chosen.fields === undefined) {
        bad.push(origin);
        return undefined;
      }
      gate.cursor.attach(origin, bad);
      bad = [];
      return { fields: chosen.fields, origin };
    };
    let id = 0;
    for await (const fields of data.rows(epoch)) {
      const row = id++;
      if (row % world !== rank) continue;
      waiting.push({ id: row, fields });
      if (waiting.length < buffer) continue;
      const sample = leave();
      if (sample !== undefined) yield sample;
    }
    while (waiting.length > 0) {
      const sample = leave();
      if (sample !== undefined) yield sample;
    }
  }
}
