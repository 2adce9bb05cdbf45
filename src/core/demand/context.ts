import { MaskflowError } from '../errors.js';
import type { Key } from '../key.js';
import type { Run } from '../run.js';
import type { Gate } from './gate.js';
import type { Place } from './place.js';

/** What a stage knows once it is subscribed. */
export interface StageContext {
  readonly gate: Gate;
  readonly place: Place;
  /** f(seed, stage name): fold sample keys from it. */
  readonly key: Key;
}

/** The run that this stage works in; an error where the chain was subscribed without one. */
export function runOf(context: StageContext): Run {
  const { run } = context.gate;
  if (run !== undefined) return run;
  throw new MaskflowError({
    stage: context.place.name,
    rule: 'needs a run: weights, an engine and a folder to write to',
    hint: 'Start the chain with run(pipeline) or `maskflow run FILE.ts` instead of subscribing to it.',
  });
}

/** Where an item stands in the data, for messages. */
export function whereabouts(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  if ('origin' in item) {
    const { id, epoch } = item.origin as { id: number; epoch: number };
    return `sample ${id}, epoch ${epoch}`;
  }
  if ('origins' in item && Array.isArray(item.origins)) {
    const ids = (item.origins as { id: number }[]).map(({ id }) => id);
    const epoch = (item.origins[0] as { epoch: number } | undefined)?.epoch ?? 0;
    return `batch of samples ${ids.slice(0, 8).join(', ')}${ids.length > 8 ? ', …' : ''}, epoch ${epoch}`;
  }
  return undefined;
}
