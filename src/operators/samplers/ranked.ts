// The common part of samplers that fix the best positions of each step, by a plan of counts. One file a score: confidence.ts,
// margin.ts, entropy.ts.
import { fold } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { beginDraws, drawWord } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { highest } from './highest.js';
import { type Sampler, type UnmaskRow, countOf, drawsOf, positionsOf } from './sampler.js';
import { type CountPlan, checkPlan, stepCounts } from './stepCounts.js';
import { type TokenStats, tokenStats } from './tokenStats.js';

export interface RankedOptions {
  /** Steps in which a row is unmasked; a step that fixes nothing calls no network. Default: one a hidden token. */
  readonly steps?: number;
  /** How many tokens each step fixes; default `even`. */
  readonly counts?: CountPlan;
  /** Temperature of tokens; 0 takes the most probable. Default 0. */
  readonly temperature?: number;
  /** τ₀ of Gumbel noise on ln score, which falls linearly to 0 over the steps (MaskGIT's random top-k). Default 0. */
  readonly noise?: number;
}

/** Throws unless the options of a sampler are legal. */
export function checkRanked(stage: string, options: RankedOptions, known: readonly string[] = ['steps', 'counts', 'temperature', 'noise']): void {
  checkOptions(stage, options, known);
  const { steps, counts = 'even', temperature = 0, noise = 0 } = options;
  if (steps !== undefined) checkInteger(stage, 'steps', steps);
  checkPlan(stage, counts);
  checkTemperature(stage, temperature);
  check(Number.isFinite(noise) && noise >= 0, stage, 'noise', 'must be a finite number of at least 0', noise);
}

/** Throws unless `temperature` is a finite number of at least 0. */
export function checkTemperature(stage: string, temperature: unknown): void {
  const legal = typeof temperature === 'number' && Number.isFinite(temperature) && temperature >= 0;
  check(
    legal,
    stage,
    'temperature',
    'must be a finite number of at least 0',
    temperature,
    '0 takes the most probable token, 1 draws from the network as it is.',
  );
}

/** Tokens that a row fixes in the step at hand; at the last step, and behind it, all that are left. */
export function countNow({ free, masked, step }: UnmaskRow, steps: number | undefined, plan: CountPlan = 'even'): number {
  const all = countOf(free);
  const left = countOf(masked);
  const of = steps ?? Math.max(1, all);
  return step >= of - 1 ? left : Math.min(left, stepCounts(all, of, plan)[step] as number);
}

/** Share of a row's generated tokens that is still hidden: the diffusion time of a linear schedule. */
export const timeOf = ({ free, masked }: Pick<UnmaskRow, 'free' | 'masked'>, fewer = 0): number => (countOf(masked) - fewer) / Math.max(1, countOf(free));

/**
 * A sampler that fixes the positions of the highest score. `score` sees the position's distribution and the token that it would
 * get; a probability, or (`noise` then adds to it as it is) any number: `isLog` says which.
 */
export function ranked(name: string, options: RankedOptions, score: (stats: TokenStats, probability: () => number) => number, isLog = false): Sampler {
  checkRanked(name, options);
  const { steps, counts = 'even', temperature = 0, noise = 0 } = options;
  const made = { ...(steps === undefined ? {} : { steps }), counts, temperature, noise };
  return {
    recipe: recipe('maskflow/operators', name, made),
    ask: (row) => ({ time: timeOf(row), positions: countNow(row, steps, counts) === 0 ? new Int32Array(0) : positionsOf(row.masked) }),
    decide(row, seen, key) {
      const { positions } = seen.ask;
      const count = positions.length === 0 ? 0 : countNow(row, steps, counts);
      const tokens = new Int32Array(positions.length);
      const scores = new Float64Array(positions.length);
      beginDraws(drawsOf(key, 0));
      for (let i = 0; i < positions.length; i++) {
        const from = seen.from(i);
        const stats = tokenStats(seen, from);
        const token = temperature === 0 ? stats.best : drawToken(seen, from, temperature);
        tokens[i] = token;
        scores[i] = score(stats, () => Math.exp((seen.logits[from + token] as number) - stats.logSum));
      }
      const of = steps ?? Math.max(1, countOf(row.free));
      const tau = noise * Math.max(0, 1 - (row.step + 1) / of);
      if (tau > 0) addGumbel(scores, tau, isLog, () => beginDraws(fold(key, 'noise')));
      const chosen = highest(scores, count);
      return { positions: chosen.map((i) => positions[i] as number), tokens: chosen.map((i) => tokens[i] as number), time: timeOf(row, count) };
    },
  };
}

function addGumbel(scores: Float64Array, tau: number, isLog: boolean, begin: () => void): void {
  begin();
  for (let i = 0; i < scores.length; i++) {
    const u = ((drawWord() >>> 6) * 67108864 + (drawWord() >>> 6) + 0.5) / 4503599627370496;
    scores[i] = (isLog ? (scores[i] as number) : Math.log(scores[i] as number)) - tau * Math.log(-Math.log(u));
  }
}
