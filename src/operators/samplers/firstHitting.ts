// The first-hitting sampler (Zheng et al. 2024, "Masked diffusion models are secretly time-agnostic masked models and exploit
// inaccurate categorical sampling", section 4): the time at which the next token leaves the mask has a closed form and its
// position is uniform, so time jumps from event to event. Token by token it is what ancestral sampling tends to with ever finer steps,
// at one network call and one categorical draw a token. With fewer `steps` the tokens of a step share one call; the two
// second-order variants then reduce the error. The paper's pseudo-code of these was not available to us: linear extrapolation in
// time of probabilities, clipped at 0 and renormalised, and equal weights in the corrector are our reading of its text.
import type { Key } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { linearNoise } from '../diffusion/linearNoise.js';
import { type NoiseSchedule, checkSchedule } from '../diffusion/noiseSchedule.js';
import { beginDraws, beginOrder, drawWord, inOrder } from '../masks/draws.js';
import { drawToken } from './drawToken.js';
import { drawWeighted } from './drawWeighted.js';
import { extrapolated, mixed } from './secondOrder.js';
import { hittingTime } from './hittingTime.js';
import { probabilities } from './probabilities.js';
import { checkTemperature, countNow } from './ranked.js';
import { type Decision, type Sampler, type Seen, type UnmaskRow, drawsOf, positionsOf } from './sampler.js';

const variants = ['plain', 'extrapolation', 'predictorCorrector'] as const;

export interface FirstHittingOptions {
  /** Network calls a row, at most one a token: tokens are shared out evenly. Default: one a token. */
  readonly steps?: number;
  /** How the visible share depends on time; matters only to networks that read the time. Default `linearNoise()`. */
  readonly schedule?: NoiseSchedule;
  /**
   * `extrapolation`: distributions at the time of each event are extrapolated from the last two calls (the authors use it for few
   * steps); `predictorCorrector`: tokens of the step before are drawn again from the mean of both steps' distributions (for
   * many). Both keep distributions from one step to the next: V numbers for every hidden, or every new, token. Default `plain`.
   */
  readonly variant?: (typeof variants)[number];
  /** Temperature of tokens; 1 for the second-order variants. Default 1. */
  readonly temperature?: number;
}

/**
 * Unmasks tokens in uniformly random order at the times of the diffusion process.
 *
 * @throws MaskflowError for unknown or illegal options
 *
 * @example
 * unmask(network, firstHitting(), { start, maskId, vocabulary });
 */
export function firstHitting(options: FirstHittingOptions = {}): Sampler {
  checkOptions('firstHitting', options, ['steps', 'schedule', 'variant', 'temperature']);
  const { steps, schedule = linearNoise(), variant = 'plain', temperature = 1 } = options;
  if (steps !== undefined) checkInteger('firstHitting', 'steps', steps);
  checkSchedule('firstHitting', schedule);
  check(variants.includes(variant), 'firstHitting', 'variant', 'must be the name of a variant', variant, `Known: ${variants.join(', ')}.`);
  checkTemperature('firstHitting', temperature);
  check(variant === 'plain' || temperature === 1, 'firstHitting', 'temperature', `must be 1 for the variant ${variant}`, temperature);
  const decide = { plain, extrapolation, predictorCorrector }[variant];
  const made = { ...(steps === undefined ? {} : { steps }), schedule: schedule.recipe, variant, temperature };
  return {
    recipe: recipe('maskflow/operators', 'firstHitting', made),
    ask(row, key) {
      const { positions, times } = eventsOf(row, key, steps, schedule);
      // A step of no events calls no network and takes no time.
      if (positions.length === 0) return { time: row.time, positions };
      const wanted = { plain: () => positions.slice().sort(), extrapolation: () => positionsOf(row.masked), predictorCorrector: () => merged(row, positions) };
      return { time: times[0] as number, positions: wanted[variant]() };
    },
    decide(row, seen, key) {
      const events = eventsOf(row, key, steps, schedule);
      if (events.positions.length === 0) return { positions: events.positions, tokens: new Int32Array(0), time: row.time, memory: row.memory };
      beginDraws(drawsOf(key, 0));
      return { time: events.times.at(-1) as number, ...decide(row, seen, events, temperature) };
    },
  };
}

interface Events {
  /** In the order in which they happen, not ascending. */
  readonly positions: Int32Array;
  readonly times: Float64Array;
}

/** The events of the step at hand. */
function eventsOf(row: UnmaskRow, key: Key, steps: number | undefined, schedule: NoiseSchedule): Events {
  const hidden = positionsOf(row.masked);
  const count = steps === undefined ? 1 : countNow(row, steps);
  const times = new Float64Array(count);
  const positions = new Int32Array(count);
  beginDraws(drawsOf(key, 1));
  let time = row.time;
  for (let i = 0; i < count; i++) {
    // (n + ½) / 2^52 is neither 0 nor 1: time stays above 0 and moves.
    const u = ((drawWord() >>> 6) * 67108864 + (drawWord() >>> 6) + 0.5) / 4503599627370496;
    time = hittingTime(schedule, time, hidden.length - i, u);
    times[i] = time;
  }
  beginOrder(hidden.length);
  for (let i = 0; i < count; i++) positions[i] = hidden[inOrder(i)] as number;
  return { positions, times };
}

type Step = (row: UnmaskRow, seen: Seen, events: Events, temperature: number) => Omit<Decision, 'time'>;

const plain: Step = (_, seen, __, temperature) => {
  const { positions } = seen.ask;
  return { positions, tokens: positions.map((___, i) => drawToken(seen, seen.from(i), temperature)) };
};

/** What the extrapolation remembers: logits of the positions that are still hidden, and the time of the call. */
interface Before {
  readonly time: number;
  readonly positions: Int32Array;
  readonly logits: Float32Array;
}

const extrapolation: Step = (row, seen, { positions, times }) => {
  const { vocabulary, never, ask } = seen;
  const before = row.memory as Before | undefined;
  const tokens = new Int32Array(positions.length);
  for (let i = 0; i < positions.length; i++) {
    const position = positions[i] as number;
    const from = seen.from(ask.positions.indexOf(position));
    const old = before === undefined ? -1 : before.positions.indexOf(position);
    if (before === undefined || old < 0) tokens[i] = drawToken(seen, from, 1);
    else {
      const now = probabilities(seen, from);
      const then = probabilities({ logits: before.logits, vocabulary, never }, old * vocabulary);
      tokens[i] = drawWeighted(extrapolated(now, then, ask.time, before.time, times[i] as number));
    }
  }
  const left = ask.positions.filter((position) => !positions.includes(position));
  const logits = new Float32Array(left.length * vocabulary);
  left.forEach((position, i) => {
    const from = seen.from(ask.positions.indexOf(position));
    logits.set(seen.logits.subarray(from, from + vocabulary), i * vocabulary);
  });
  return { positions, tokens, memory: { time: ask.time, positions: left, logits } satisfies Before };
};

/** What the corrector remembers: the tokens of the last step and the distributions that they were drawn from. */
interface Last {
  readonly positions: Int32Array;
  readonly probabilities: Float64Array;
}

function merged(row: UnmaskRow, positions: Int32Array): Int32Array {
  return Int32Array.from(new Set([...positions, ...((row.memory as Last | undefined)?.positions ?? [])])).sort();
}

const predictorCorrector: Step = (row, seen, { positions }) => {
  const { vocabulary, ask } = seen;
  const last = row.memory as Last | undefined;
  const again = last?.positions ?? new Int32Array(0);
  const redrawn = again.map((position, i) => {
    const now = probabilities(seen, seen.from(ask.positions.indexOf(position)));
    return drawWeighted(mixed(now, (last as Last).probabilities, i * vocabulary));
  });
  const of = new Float64Array(positions.length * vocabulary);
  const tokens = positions.map((position, i) => {
    probabilities(seen, seen.from(ask.positions.indexOf(position)), of, i * vocabulary);
    return drawWeighted(of, i * vocabulary, vocabulary);
  });
  return {
    positions: Int32Array.of(...positions, ...again),
    tokens: Int32Array.of(...tokens, ...redrawn),
    remask: again,
    memory: { positions, probabilities: of } satisfies Last,
  };
};
