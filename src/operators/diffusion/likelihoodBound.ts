// Monte-Carlo bound on −ln p of text under a masked-diffusion model, given its prefix: SMDM's `mc` head (Nie et al. 2024), the NELBO of
// a sequence where everything is scored (Sahoo et al. 2024; time-free form: Zheng et al. 2024, section 3).
import { type Key, fold } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { beginDraws, beginOrder, drawUniform, inOrder } from '../masks/draws.js';
import type { Network } from '../samplers/network.js';
import { hiddenCount } from './absorbingCount.js';
import { openUniform, spreadTimes } from './diffusionTime.js';
import { type HiddenState, type ScoredText, crossEntropies, scoredPositions } from './scoredText.js';

export interface LikelihoodBoundOptions {
  readonly maskId: number;
  /** Ids that have a logit. */
  readonly vocabulary: number;
  /** Masks drawn; more give a tighter estimate, not a tighter bound. Default 128. */
  readonly draws?: number;
  /** Masks to one network call. Default 32. */
  readonly batchSize?: number;
  /**
   * `count`: hide l of n tokens, l spread evenly over 1 … n, weight n/l. `time`: hide each with probability t, t spread evenly over (0, 1],
   * weight 1/t, as SMDM's code does; of far larger variance. Default `count`.
   */
  readonly form?: 'count' | 'time';
}

/**
 * An unbiased estimate of an upper bound on −ln p(scored tokens | given tokens), in nats, not divided by their number. Its draws
 * depend on the key alone. Divide by the tokens for nats a token; `perplexityBound` makes a perplexity of a sum of such.
 *
 * @returns 0 where nothing is scored
 * @throws MaskflowError for options that do not fit, ids that have no logit, and logits of a wrong size
 *
 * @example
 * await likelihoodBound(network, { ids: Int32Array.of(3, 1, 4) }, rootKey(0), { maskId: 0, vocabulary: 10 });
 */
export async function likelihoodBound(network: Network, text: ScoredText, key: Key, options: LikelihoodBoundOptions): Promise<number> {
  checkOptions('likelihoodBound', options, ['maskId', 'vocabulary', 'draws', 'batchSize', 'form']);
  const { draws = 128, batchSize = 32, form = 'count' } = options;
  checkInteger('likelihoodBound', 'draws', draws);
  checkInteger('likelihoodBound', 'batchSize', batchSize);
  check(form === 'count' || form === 'time', 'likelihoodBound', 'form', "must be 'count' or 'time'", form);
  const scored = scoredPositions('likelihoodBound', text, options);
  if (scored.length === 0) return 0;
  const times = spreadTimes(new Float64Array(draws).fill(openUniform(fold(key, 'time'))), 'shift').map((t) => t || 1);
  let sum = 0;
  for (let first = 0; first < draws; first += batchSize) {
    const states = Array.from(times.subarray(first, first + batchSize), (t, i) => hiddenAt(scored, t, form, fold(key, first + i)));
    const each = await crossEntropies(network, text, states, options);
    states.forEach(({ hidden, time }, i) => {
      const weight = form === 'time' ? 1 / time : scored.length / hidden.length;
      for (const nats of each[i] as Float64Array) sum += weight * nats;
    });
  }
  return sum / draws;
}

/** A mask at time t. The time that the network is told is t, or the share that is hidden. */
function hiddenAt(scored: Int32Array, t: number, form: 'count' | 'time', key: Key): HiddenState {
  beginDraws(key);
  if (form === 'time') {
    const hidden = scored.filter(() => drawUniform() < t);
    return { hidden, wanted: hidden, time: t };
  }
  const count = hiddenCount(scored.length, t);
  beginOrder(scored.length);
  const hidden = Int32Array.from({ length: count }, (_, i) => scored[inOrder(i)] as number).sort();
  return { hidden, wanted: hidden, time: count / scored.length };
}
