// NAME of a sampler on the command line, and the options that it takes there.
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import {
  type ConfidenceOptions,
  type NoiseSchedule,
  type Sampler,
  ancestral,
  blocks,
  confidence,
  cosineNoise,
  entropy,
  entropyBounded,
  firstHitting,
  linearNoise,
  margin,
  md4Noise,
  randomOrder,
  remasking,
  threshold,
} from '../operators/index.js';

type Options = Readonly<Record<string, unknown>>;

const schedules: Readonly<Record<string, () => NoiseSchedule>> = { linear: linearNoise, cosine: cosineNoise, md4: md4Noise };

/** Every sampler that has a name; one line here is all that a new one needs. The factories check the options. */
const named: Readonly<Record<string, { readonly make: (options: Options) => Sampler; readonly about: string }>> = {
  firstHitting: { make: firstHitting, about: 'one token a pass, at random places, drawn as it was trained (steps, temperature, variant, schedule)' },
  ancestral: { make: ancestral, about: 'all places in parallel, time in equal steps (steps, temperature, schedule, cache)' },
  randomOrder: { make: randomOrder, about: 'places in random order (steps, temperature, counts)' },
  confidence: { make: confidence, about: 'the most probable tokens first (steps, temperature, counts, noise)' },
  margin: { make: margin, about: 'the widest gap between the two best first (steps, temperature, counts, noise)' },
  entropy: { make: entropy, about: 'the lowest entropy first (steps, temperature, counts, noise)' },
  entropyBounded: { make: entropyBounded, about: 'as many as a bound on their joint error allows (bound, temperature)' },
  threshold: { make: threshold, about: 'all that are sure enough (least, temperature)' },
  remasking: { make: remasking, about: 'doubtful tokens are hidden again (steps, temperature, counts)' },
  blocks: { make: confidenceBlocks, about: 'confidence in blocks from left to right (size, and those of confidence)' },
};

/** For help texts: a line for each name. */
export const samplersHelp: string = Object.entries(named)
  .map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`)
  .join('\n');

/** LLaDA's sampler: semi-autoregressive blocks of 32 tokens, in each the most confident first. */
function confidenceBlocks({ size = 32, ...inner }: Options): Sampler {
  return blocks(confidence(inner as ConfidenceOptions), { size: size as number });
}

/**
 * The sampler that NAME and its options mean; `size` lets it work on one block of so many tokens after the other. Wrong options are
 * usage errors that say which sampler has refused them.
 */
export function samplerOf(name: string, options: Options, size?: number): Sampler {
  const entry = Object.hasOwn(named, name) ? named[name] : undefined;
  if (entry === undefined) {
    const near = nearest(name, Object.keys(named));
    const hint = `${near ? `Did you mean ${near}? ` : ''}Samplers: ${Object.keys(named).join(', ')}.`;
    throw new MaskflowError({ stage: 'maskflow', option: 'sampler', rule: 'there is no such sampler', value: name, hint });
  }
  try {
    const whole = name === 'blocks' && size !== undefined ? { size, ...options } : options;
    const made = entry.make(withSchedule(whole));
    return size === undefined || name === 'blocks' ? made : blocks(made, { size });
  } catch (error) {
    if (!(error instanceof MaskflowError)) throw error;
    throw new MaskflowError({ ...error.problem, stage: 'maskflow', option: error.problem.option ?? 'sampler', where: `sampler ${name}`, cause: error });
  }
}

/** A schedule by its name. */
function withSchedule(options: Options): Options {
  const { schedule } = options;
  if (typeof schedule !== 'string') return options;
  const make = Object.hasOwn(schedules, schedule) ? schedules[schedule] : undefined;
  if (make !== undefined) return { ...options, schedule: make() };
  const hint = `Known: ${Object.keys(schedules).join(', ')}.`;
  throw new MaskflowError({ stage: 'maskflow', option: 'schedule', rule: 'must be the name of a schedule', value: schedule, hint });
}
