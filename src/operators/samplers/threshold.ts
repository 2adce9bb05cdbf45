// Confidence threshold (Fast-dLLM, Wu et al. 2025, section 3.3): every token that the network is sure of, at once.
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { beginDraws } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { highest } from './highest.js';
import { checkTemperature, timeOf } from './ranked.js';
import { type Sampler, drawsOf, positionsOf } from './sampler.js';
import { tokenStats } from './tokenStats.js';

export interface ThresholdOptions {
  /** Probability from which on a token is fixed, in (0, 1]. Default 0.9. */
  readonly least?: number;
  /** Temperature of tokens; 0 takes the most probable. Default 0. */
  readonly temperature?: number;
}

/**
 * Fixes every position whose token has a probability of at least `least`, and the most confident one where none has.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, threshold({ least: 0.9 }), { start, maskId, vocabulary });
 */
export function threshold(options: ThresholdOptions = {}): Sampler {
  checkOptions('threshold', options, ['least', 'temperature']);
  const { least = 0.9, temperature = 0 } = options;
  check(typeof least === 'number' && least > 0 && least <= 1, 'threshold', 'least', 'must lie in (0, 1]', least);
  checkTemperature('threshold', temperature);
  return {
    recipe: recipe('maskflow/operators', 'threshold', { least, temperature }),
    ask: (row) => ({ time: timeOf(row), positions: positionsOf(row.masked) }),
    decide(row, seen, key) {
      const { positions } = seen.ask;
      const tokens = new Int32Array(positions.length);
      const scores = new Float64Array(positions.length);
      beginDraws(drawsOf(key, 0));
      for (let i = 0; i < positions.length; i++) {
        const from = seen.from(i);
        const stats = tokenStats(seen, from);
        tokens[i] = temperature === 0 ? stats.best : drawToken(seen, from, temperature);
        scores[i] = Math.exp((seen.logits[from + (tokens[i] as number)] as number) - stats.logSum);
      }
      const sure = Int32Array.from(positions.keys()).filter((i) => (scores[i] as number) >= least);
      const chosen = sure.length > 0 ? sure : highest(scores, 1);
      return { positions: chosen.map((i) => positions[i] as number), tokens: chosen.map((i) => tokens[i] as number), time: timeOf(row, chosen.length) };
    },
  };
}
