// Warm-up in front of any curve, in the two ways that papers count it.
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { Moment, Schedule } from './schedule.js';

export interface WarmupOptions {
  /** Steps of a linear warm-up that multiplies the curve: (step + 1) / warmup until it is 1, so that no step has rate 0; default 0. */
  readonly warmup?: number;
  /** Epochs of a linear warm-up in front of the curve, which then runs over the rest (MAE's code, lr_sched.py); instead of `warmup`. */
  readonly warmupEpochs?: number;
}

function known(stage: string, moment: Moment, what: 'progress' | 'epochs'): number {
  const value = moment[what];
  if (value !== undefined) return value;
  throw new MaskflowError({
    stage,
    rule: what === 'progress' ? 'needs the length of the run, which is not known here' : 'warmupEpochs needs the number of epochs, which is not known here',
    hint:
      what === 'progress'
        ? 'Put epochs(n) behind a source with a length, limit the run by steps, or use constant({ peak }).'
        : 'Put epochs(n) behind the source, or use warmup: <steps>.',
  });
}

/**
 * The schedule `name`: `curve` maps the share of the run in [0, 1] to a factor of peak − floor; `null` is the constant curve,
 * which needs no length. With warmupEpochs: e = progress · epochs, rate = peak · e / warmupEpochs before, and the curve of
 * (e − warmupEpochs) / (epochs − warmupEpochs) from then on.
 */
export function warmedUp(
  name: string,
  options: WarmupOptions & { readonly peak: number; readonly floor?: number },
  names: readonly string[],
  curve: ((share: number) => number) | null,
): Schedule {
  checkOptions(name, options, names);
  const { peak, floor = 0, warmup = 0, warmupEpochs } = options;
  check(Number.isFinite(peak) && peak >= 0, name, 'peak', 'must be a finite number of at least 0', peak, `Try ${name}({ peak: 1e-3 }).`);
  check(Number.isFinite(floor) && floor >= 0 && (floor <= peak || curve === null), name, 'floor', `must lie in [0, ${peak}]`, floor);
  checkInteger(name, 'warmup', warmup, 0);
  if (warmupEpochs !== undefined) {
    check(Number.isFinite(warmupEpochs) && warmupEpochs >= 0, name, 'warmupEpochs', 'must be a finite number of at least 0', warmupEpochs);
    check(warmup === 0, name, 'warmupEpochs', 'cannot stand beside warmup', { warmup, warmupEpochs }, 'Count the warm-up in steps or in epochs, not in both.');
  }
  const level = (share: () => number): number => (curve === null ? peak : floor + (peak - floor) * curve(share()));
  return {
    recipe: recipe('maskflow/optimizers', name, {
      peak,
      ...(curve === null ? {} : { floor }),
      ...(warmupEpochs === undefined ? { warmup } : { warmupEpochs }),
    }),
    at(moment) {
      if (warmupEpochs === undefined) {
        const factor = warmup === 0 ? 1 : Math.min(1, (moment.step + 1) / warmup);
        return factor * level(() => known(name, moment, 'progress'));
      }
      const total = known(name, moment, 'epochs');
      const epoch = known(name, moment, 'progress') * total;
      if (epoch < warmupEpochs) return (peak * epoch) / warmupEpochs;
      return level(() => (total > warmupEpochs ? (epoch - warmupEpochs) / (total - warmupEpochs) : 0));
    },
  };
}
