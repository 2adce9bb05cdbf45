// Ancestral sampling of absorbing diffusion (Sahoo et al. 2024, MDLM, section 3.2; Shi et al. 2024, MD4): time goes from 1 to 0 in
// equal steps, and each hidden token leaves the mask in a step with a probability that the network has no part in. Which tokens
// leave is therefore drawn first, and the network is called only in steps in which one does, for these positions alone: the same
// distribution as MDLM's cached sampler, for networks that read the time too. Where "stay hidden" is one class of a float32
// Gumbel-max, as in common code, rare tokens starve; here it is a 53-bit comparison, and tokens are drawn exactly.
import type { Key } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type NoiseSchedule, checkSchedule } from '../diffusion/noiseSchedule.js';
import { linearNoise } from '../diffusion/linearNoise.js';
import { beginDraws, drawUniform } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { checkTemperature } from './ranked.js';
import { type Sampler, type UnmaskRow, drawsOf, positionsOf } from './sampler.js';

export interface AncestralOptions {
  /** Steps from time 1 to 0. Default 128. */
  readonly steps?: number;
  /** How the visible share depends on time; default `linearNoise()`. */
  readonly schedule?: NoiseSchedule;
  /** Temperature of tokens. Default 1. */
  readonly temperature?: number;
  /** False asks the network in every step, as samplers without a cache do: for measurements; the samples are the same. Default true. */
  readonly cache?: boolean;
}

/**
 * Probability that a hidden token is still hidden when time goes from `from` to `to`: (1 − α(to)) / (1 − α(from)).
 *
 * @example
 * stayHidden(linearNoise(), 0.5, 0.25); // 0.5
 */
export function stayHidden({ masked }: NoiseSchedule, from: number, to: number): number {
  return masked(to) / masked(from);
}

/**
 * All positions in parallel; what leaves the mask in a step gets its token from one distribution each.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, ancestral({ steps: 256 }), { start, maskId, vocabulary });
 */
export function ancestral(options: AncestralOptions = {}): Sampler {
  checkOptions('ancestral', options, ['steps', 'schedule', 'temperature', 'cache']);
  const { steps = 128, schedule = linearNoise(), temperature = 1, cache = true } = options;
  checkInteger('ancestral', 'steps', steps);
  checkSchedule('ancestral', schedule);
  checkTemperature('ancestral', temperature);
  check(typeof cache === 'boolean', 'ancestral', 'cache', 'must be true or false', cache);
  const timeAt = (step: number): number => Math.max(0, 1 - step / steps);
  const leavingOf = ({ masked, step }: UnmaskRow, key: Key): Int32Array => {
    const to = timeAt(step + 1);
    // The last step leaves nothing hidden, also where α(0) is not quite 1.
    const stay = to === 0 ? 0 : stayHidden(schedule, timeAt(step), to);
    beginDraws(drawsOf(key, 1));
    const leaving: number[] = [];
    for (let i = 0; i < masked.length; i++) if (masked[i] === 1 && drawUniform() >= stay) leaving.push(i);
    return Int32Array.from(leaving);
  };
  return {
    recipe: recipe('maskflow/operators', 'ancestral', { steps, schedule: schedule.recipe, temperature, cache }),
    ask(row, key) {
      const leaving = leavingOf(row, key);
      return { time: timeAt(Math.min(row.step, steps - 1)), positions: cache || leaving.length > 0 ? leaving : positionsOf(row.masked) };
    },
    decide(row, seen, key) {
      // What was asked for is what leaves, but where the network was asked without need.
      const leaving = cache ? seen.ask.positions : leavingOf(row, key);
      beginDraws(drawsOf(key, 0));
      const tokens = leaving.map((_, i) => drawToken(seen, seen.from(i), temperature));
      return { positions: leaving, tokens, time: timeAt(row.step + 1) };
    },
  };
}
