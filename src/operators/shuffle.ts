import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { checkInteger, checkOptions } from '../core/options.js';
import { ordering } from './ordering.js';

export interface ShuffleOptions {
  /**
   * Samples to choose from where the source has no random access (an IPC stream, stdin): it reads so many ahead and
   * serves a keyed choice of them. Sources with random access permute all their samples and need none. Default 10,000.
   */
  readonly buffer?: number;
}

/**
 * A new order every epoch: a pure function of seed and epoch, whatever the batch size, interruption or prefetch.
 *
 * @example
 * arrow('digits.arrow').pipe(epochs(20), shuffle());
 */
export function shuffle<S extends Sample<unknown>>(options: ShuffleOptions = {}): MonoTypeOperatorFunction<S> {
  checkOptions('shuffle', options, ['buffer']);
  const { buffer = 10_000 } = options;
  checkInteger('shuffle', 'buffer', buffer);
  return ordering<S>('shuffle', { buffer }, (order) => ({ ...order, shuffle: { buffer } }));
}
