// Low-confidence remasking with second thoughts: tokens that were fixed keep the confidence that they had and compete again with new
// ones, so a doubtful token of an early step returns to the mask when better ones are found. (LLaDA's sampler of this name gives
// fixed tokens an infinite confidence: that is `confidence`.) Costs at most one network call a step, as there.
import { recipe } from '../../core/recipe.js';
import { beginDraws } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { highest } from './highest.js';
import { type RankedOptions, checkRanked, countNow, timeOf } from './ranked.js';
import { type Sampler, countOf, drawsOf, positionsOf } from './sampler.js';
import { tokenStats } from './tokenStats.js';

export type RemaskingOptions = Omit<RankedOptions, 'noise'>;

/**
 * After each step the tokens of highest confidence are visible, as many as the plan says by then; others are hidden again. The
 * confidence of a token is its probability when it was written, at temperature 1. Prompts never change.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, remasking({ steps: 64 }), { start, maskId, vocabulary });
 */
export function remasking(options: RemaskingOptions = {}): Sampler {
  checkRanked('remasking', options, ['steps', 'counts', 'temperature']);
  const { steps, counts = 'even', temperature = 0 } = options;
  return {
    recipe: recipe('maskflow/operators', 'remasking', { ...(steps === undefined ? {} : { steps }), counts, temperature }),
    ask: (row) => ({ time: timeOf(row), positions: countNow(row, steps, counts) === 0 ? new Int32Array(0) : positionsOf(row.masked) }),
    decide(row, seen, key) {
      const { positions } = seen.ask;
      const count = positions.length === 0 ? 0 : countNow(row, steps, counts);
      if (count === 0) return { positions: new Int32Array(0), tokens: new Int32Array(0), time: timeOf(row), memory: row.memory };
      // 1. Confidence of every token: as remembered where it is visible (a row continued from elsewhere: certain), new where hidden.
      const before = row.memory as Float64Array | undefined;
      const confidences = Float64Array.from(row.ids, (_, i) => (row.free[i] === 1 ? (before?.[i] ?? 1) : 0));
      const tokens = row.ids.slice();
      beginDraws(drawsOf(key, 0));
      for (let i = 0; i < positions.length; i++) {
        const [at, from] = [positions[i] as number, seen.from(i)];
        const stats = tokenStats(seen, from);
        const token = temperature === 0 ? stats.best : drawToken(seen, from, temperature);
        tokens[at] = token;
        confidences[at] = Math.exp((seen.logits[from + token] as number) - stats.logSum);
      }
      // 2. The best of all that are generated, as many as are due by now.
      const generated = positionsOf(row.free);
      const due = generated.length - countOf(row.masked) + count;
      const kept = new Set(
        highest(
          Float64Array.from(generated, (i) => confidences[i] as number),
          due,
        ),
      );
      const shown = generated.filter((i, k) => kept.has(k) && row.masked[i] === 1);
      const remask = generated.filter((i, k) => !kept.has(k) && row.masked[i] === 0);
      return { positions: shown, tokens: shown.map((i) => tokens[i] as number), remask, time: timeOf(row, count), memory: confidences };
    },
  };
}
