// A streamed source for tests: rows can only be read from the beginning of an epoch, as from a pipe.
import type { Observable } from 'rxjs';
import type { Sample } from '../../src/core/batch.js';
import { Gate, type GateOptions, source, within } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';
import { type Seen, unseen } from '../core/numbers.js';

export type S = Sample<{ n: number }>;

/** Samples with the field `n`, 0 … length − 1, without random access; `holes` are bad rows that were skipped. */
export function rows(length: number, { seen = unseen(), holes = [] as readonly number[] }: { seen?: Seen; holes?: readonly number[] } = {}): Observable<S> {
  return source(recipe('tests', 'rows'), () => {
    seen.opened++;
    return {
      async *rows() {
        for (let n = 0; n < length; n++) {
          seen.read.push(n);
          yield holes.includes(n) ? undefined : { n };
        }
      },
      close() {
        seen.closed++;
      },
    };
  });
}

/** Subscribes at a gate of its own, as a run does, and gathers what comes. */
export async function collect<T>(chain: Observable<T>, options: GateOptions | Gate = {}): Promise<T[]> {
  const gate = options instanceof Gate ? options : new Gate(options);
  const items = await new Promise<T[]>((resolve, reject) => {
    const gathered: T[] = [];
    within({ gate }, () => chain.subscribe({ next: (item) => gathered.push(item), error: reject, complete: () => resolve(gathered) }));
  });
  await gate.closed();
  return items;
}

/** The ids of a sample or a batch. */
export const idsOf = (item: S | { readonly origins: readonly { readonly id: number }[] }): number[] =>
  'origin' in item ? [item.origin.id] : item.origins.map(({ id }) => id);
