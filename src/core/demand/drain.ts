import type { Observable } from 'rxjs';
import { MaskflowError } from '../errors.js';
import { checkOptions } from '../options.js';
import { within } from './ambient.js';
import { Gate, type GateOptions } from './gate.js';

/**
 * Subscribes to a chain at a gate of its own, inside or outside of a run, and resolves once it has ended and everything
 * that it opened is closed: for preparing data, for evaluation, for tools.
 *
 * @example
 * await drain(memory(rows).pipe(batch(1000), arrowFile('rows.arrow')));
 */
export async function drain<T>(
  chain: Observable<T>,
  options: GateOptions & { readonly signal?: AbortSignal } = {},
  next: (item: T) => void = () => {},
): Promise<void> {
  checkOptions('drain', options, ['prefetch', 'seed', 'cursor', 'run', 'warn', 'warnAfter', 'observe', 'signal']);
  const { signal, ...rest } = options;
  const gate = new Gate(rest);
  let stop = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const subscription = within({ gate }, () => chain.subscribe({ next, error: reject, complete: resolve }));
      stop = () => {
        subscription.unsubscribe();
        reject(new MaskflowError({ rule: 'the stream was stopped before its end', cause: signal?.reason }));
      };
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    await gate.closed();
  }
}
