// A source of numbers for tests of demand: counts what it serves and whether it was closed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observable } from 'rxjs';
import type { Sample } from '../../src/core/batch.js';
import { type Indexed, source } from '../../src/core/demand/index.js';
import { recipe } from '../../src/core/recipe.js';

export interface Seen {
  opened: number;
  closed: number;
  /** Rows read. */
  read: number[];
}

export const unseen = (): Seen => ({ opened: 0, closed: 0, read: [] });

/** Samples with the field `n`, 0 … length − 1. */
export function numbers(
  length: number,
  { seen = unseen(), slow = false, name = 'numbers' }: { seen?: Seen; slow?: boolean; name?: string } = {},
): Observable<Sample<{ n: number }>> {
  const data = (): Indexed<{ n: number }> => {
    seen.opened++;
    return {
      length,
      at(id) {
        seen.read.push(id);
        return slow ? sleep(0).then(() => ({ n: id })) : { n: id };
      },
      close() {
        seen.closed++;
      },
    };
  };
  return source(recipe('tests', name), data);
}
