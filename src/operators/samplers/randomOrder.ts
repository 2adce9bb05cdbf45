// Uniformly random positions: the order under which a masked-diffusion model was trained, so the one whose samples the bound on
// the likelihood describes. Positions are drawn before the network is asked, so only their logits are needed.
import { recipe } from '../../core/recipe.js';
import { beginDraws, beginOrder, inOrder } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { type RankedOptions, checkRanked, countNow, timeOf } from './ranked.js';
import { type Sampler, drawsOf, positionsOf } from './sampler.js';

export type RandomOrderOptions = Omit<RankedOptions, 'noise'>;

/**
 * Fixes positions in uniformly random order; tokens are drawn at temperature 1 by default.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, randomOrder({ steps: 64 }), { start, maskId, vocabulary });
 */
export function randomOrder(options: RandomOrderOptions = {}): Sampler {
  checkRanked('randomOrder', options, ['steps', 'counts', 'temperature']);
  const { steps, counts = 'even', temperature = 1 } = options;
  return {
    recipe: recipe('maskflow/operators', 'randomOrder', { ...(steps === undefined ? {} : { steps }), counts, temperature }),
    ask(row, key) {
      const hidden = positionsOf(row.masked);
      const count = countNow(row, steps, counts);
      beginDraws(drawsOf(key, 1));
      beginOrder(hidden.length);
      return { time: timeOf(row), positions: Int32Array.from({ length: count }, (_, i) => hidden[inOrder(i)] as number).sort() };
    },
    decide(row, seen, key) {
      const { positions } = seen.ask;
      beginDraws(drawsOf(key, 0));
      return { positions, tokens: positions.map((_, i) => drawToken(seen, seen.from(i), temperature)), time: timeOf(row, positions.length) };
    },
  };
}
