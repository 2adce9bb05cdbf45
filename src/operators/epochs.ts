import type { MonoTypeOperatorFunction } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { checkInteger } from '../core/options.js';
import { ordering } from './ordering.js';

/**
 * Serves the source `n` times, each epoch in its own order. The source does it (random access, exact resume); RxJS's
 * `repeat` would subscribe anew and serve epoch 0 again. Stands where single samples flow, behind one source.
 *
 * @example
 * arrow('digits.arrow').pipe(epochs(20), shuffle(), batch(256));
 */
export function epochs<S extends Sample<unknown>>(n: number): MonoTypeOperatorFunction<S> {
  checkInteger('epochs', 'n', n);
  return ordering<S>('epochs', { n }, (order) => ({ ...order, epochs: order.epochs * n }));
}
