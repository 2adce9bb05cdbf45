// The likelihood of one order, left to right, under a masked-diffusion model: SMDM's `chain_rule` head (Nie et al. 2024).
import { checkInteger, checkOptions } from '../../core/options.js';
import type { Network } from '../samplers/network.js';
import { type HeadIds, type ScoredText, crossEntropies, scoredPositions } from './scoredText.js';

/**
 * −Σ ln p(token j | given tokens, scored tokens before j; all later ones hidden), in nats: the exact −ln p of sampling from left to
 * right, one token a step. One state a scored token, `batchSize` (default 32) of them to a network call.
 *
 * @throws MaskflowError for options that do not fit, ids that have no logit, and logits of a wrong size
 *
 * @example
 * await chainRuleLikelihood(network, { ids: Int32Array.of(3, 1, 4) }, { maskId: 0, vocabulary: 10 });
 */
export async function chainRuleLikelihood(network: Network, text: ScoredText, options: HeadIds & { readonly batchSize?: number }): Promise<number> {
  checkOptions('chainRuleLikelihood', options, ['maskId', 'vocabulary', 'batchSize']);
  const { batchSize = 32 } = options;
  checkInteger('chainRuleLikelihood', 'batchSize', batchSize);
  const scored = scoredPositions('chainRuleLikelihood', text, options);
  const states = Array.from(scored, (position, j) => ({
    hidden: scored.subarray(j),
    wanted: Int32Array.of(position),
    time: (scored.length - j) / scored.length,
  }));
  let sum = 0;
  for (let first = 0; first < states.length; first += batchSize) {
    const each = await crossEntropies(network, text, states.slice(first, first + batchSize), options);
    for (const [nats] of each) sum += nats as number;
  }
  return sum;
}
