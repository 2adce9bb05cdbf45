// Subscribes to a run's chain and sees it to its end.
import type { Observable } from 'rxjs';
import { type Gate, within } from '../core/demand/index.js';
import type { StageRecord } from './folder.js';
import type { Lent } from './lent.js';
import { plain } from './resume.js';

/** Subscribes and waits: until the chain ends, fails, or has drained after a signal. */
export async function drive(
  chain: Observable<unknown>,
  gate: Gate,
  lent: Lent,
  signal: AbortSignal | undefined,
  started: (stages: StageRecord[]) => Promise<void>,
): Promise<'done' | 'interrupted'> {
  // Nothing is served before the chain is known to be the one that is resumed.
  gate.paused = true;
  let settle: { resolve(status: 'done' | 'interrupted'): void; reject(error: unknown): void } | undefined;
  const ended = new Promise<'done' | 'interrupted'>((resolve, reject) => {
    settle = { resolve, reject };
  });
  ended.catch(() => undefined);
  const subscription = within({ gate }, () =>
    chain.subscribe({
      next: () => gate.arrived(),
      error: (error) => settle?.reject(error),
      complete: () => settle?.resolve('done'),
    }),
  );
  let over = false;
  const stop = async (): Promise<void> => {
    lent.abort();
    gate.paused = true;
    await gate.until(() => gate.idle());
    // Idle because an error (or the end) has taken the chain down: it is told already, and nothing may be written any more.
    if (over) return;
    try {
      await lent.saveAtStop();
      settle?.resolve('interrupted');
    } catch (error) {
      settle?.reject(error);
    }
  };
  const onAbort = (): void => void stop();
  try {
    await started(stagesOf(gate));
    if (signal?.aborted) onAbort();
    else {
      signal?.addEventListener('abort', onAbort, { once: true });
      gate.paused = false;
      gate.changed();
    }
    return await ended;
  } finally {
    over = true;
    signal?.removeEventListener('abort', onAbort);
    subscription.unsubscribe();
  }
}

/** The chain as data, from the sink up. */
export function stagesOf(gate: Gate): StageRecord[] {
  return [...gate.places]
    .sort((a, b) => a.registration - b.registration)
    .map((place) => ({
      name: place.name,
      module: place.recipe.module,
      function: place.recipe.name,
      options: JSON.parse(JSON.stringify(place.recipe.options, (_, value) => plain(value))) as Record<string, unknown>,
      feeds: [...place.next].map((next) => next.name),
    }));
}
