// SMDM's check for answers that are right or wrong (LAMBADA): is the target what the model writes, most confident token first?
import { lastValueFrom } from 'rxjs';
import { checkOptions } from '../../core/options.js';
import { confidence } from '../samplers/confidence.js';
import type { Network } from '../samplers/network.js';
import { unmask } from '../unmask.js';
import { type HeadIds, type ScoredText, scoredPositions } from './scoredText.js';

/**
 * True where unmasking the scored tokens greedily, one a step, the most confident first, gives exactly the text's own.
 *
 * @throws MaskflowError for options that do not fit, ids that have no logit, and logits of a wrong size
 *
 * @example
 * await greedyMatch(network, { ids: Int32Array.of(3, 1, 4), scored: Uint8Array.of(0, 0, 1) }, { maskId: 0, vocabulary: 10 });
 */
export async function greedyMatch(network: Network, text: ScoredText, options: HeadIds): Promise<boolean> {
  checkOptions('greedyMatch', options, ['maskId', 'vocabulary']);
  const { maskId, vocabulary } = options;
  const scored = scoredPositions('greedyMatch', text, options);
  const ids = text.ids.slice();
  for (const i of scored) ids[i] = maskId;
  const masked = Uint8Array.from(ids, (id) => (id === maskId ? 1 : 0));
  const start = { step: 0, passes: 0, rows: [{ id: 0, ids, masked, free: masked, step: 0, time: 1 }] };
  const { rows } = await lastValueFrom(unmask(network, confidence(), { start, maskId, vocabulary }));
  return scored.every((i) => rows[0]?.ids[i] === text.ids[i]);
}
