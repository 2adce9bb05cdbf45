// What to do with samples that cannot be used: stop, or leave them out, count them, and stop when there are too many.
import { MaskflowError } from '../../core/errors.js';

export interface BadSampleOptions {
  /** A sample that cannot be used (null, damaged text or offsets): `throw` an error, or `skip` it and count. Default `throw`. */
  readonly onBadSample?: 'throw' | 'skip';
  /** Samples to skip at most, each row counted once, before that is an error too. Default 100. */
  readonly maxBad?: number;
  /** Called for each skipped sample. Default: a warning of the process for the first one, and one with the count at the end. */
  readonly onSkip?: (problem: MaskflowError, count: number) => void;
}

export class BadSamples {
  readonly #options: Required<Pick<BadSampleOptions, 'onBadSample' | 'maxBad'>> & BadSampleOptions;
  readonly #stage: string;
  readonly #rows = new Set<number>();
  #ended = false;

  constructor({ onBadSample = 'throw', maxBad = 100, ...rest }: BadSampleOptions, stage = 'arrow') {
    this.#stage = stage;
    this.#options = { onBadSample, maxBad, ...rest };
  }

  /** Row `id` is bad: throws, or counts it. */
  report(id: number, problem: MaskflowError): void {
    const { onBadSample, maxBad, onSkip } = this.#options;
    if (onBadSample === 'throw') throw problem;
    const named = new MaskflowError({ stage: this.#stage, ...problem.problem });
    if (this.#rows.has(id)) return;
    this.#rows.add(id);
    if (this.#rows.size > maxBad) {
      const { hint: _, ...parts } = problem.problem;
      throw new MaskflowError({
        ...parts,
        option: 'maxBad',
        rule: `more than ${maxBad} samples cannot be used; the last one: ${parts.rule}`,
        hint: 'Look at the data set; if so many bad samples are right, raise maxBad.',
      });
    }
    if (onSkip !== undefined) onSkip(named, this.#rows.size);
    else if (this.#rows.size === 1) process.emitWarning(`a sample is left out. ${named.message}`, { type: 'MaskflowWarning', code: 'BAD_SAMPLE' });
  }

  /** At the end of a subscription: says how many there were. */
  end(): void {
    const count = this.#rows.size;
    const again = this.#ended;
    this.#ended = true;
    if (count > 1 && !again && this.#options.onSkip === undefined)
      process.emitWarning(`${this.#stage}: ${count} samples in all could not be used and were left out`, { type: 'MaskflowWarning', code: 'BAD_SAMPLES' });
  }
}
