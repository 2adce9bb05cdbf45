// Bad samples that are left out: counted, told once, bounded, and reported to the cursor with the next good sample, in the order of
// arrival whatever the order in which decoding ends. So a resumed run does not read them again, and the limit falls on
// the same sample for any concurrency.
import type { Origin } from '../core/batch.js';
import type { StageContext } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';

/** One sample on its way. */
interface Entry {
  readonly origin: Origin;
  state: 'open' | 'good' | MaskflowError;
}

export class Skips {
  readonly #context: StageContext;
  readonly #most: number;
  /** In order of arrival, from the first that is not finished. */
  readonly #entries: Entry[] = [];
  readonly #bad = new Set<string>();
  #dropped: Origin[] = [];

  constructor(context: StageContext, most: number) {
    this.#context = context;
    this.#most = most;
  }

  enter(origin: Origin): Entry {
    const entry: Entry = { origin, state: 'open' };
    this.#entries.push(entry);
    return entry;
  }

  /** The sample of `entry` is good, or bad for a reason. Throws where the limit is passed. */
  settle(entry: Entry, state: 'good' | MaskflowError): void {
    entry.state = state;
    for (let first = this.#entries[0]; first !== undefined && first.state !== 'open'; first = this.#entries[0]) {
      this.#entries.shift();
      if (first.state === 'good') {
        this.#context.gate.cursor.attach(first.origin, this.#dropped);
        this.#dropped = [];
      } else {
        this.#dropped.push(first.origin);
        this.#count(first.origin, first.state);
      }
    }
  }

  #count({ source, id }: Origin, reason: MaskflowError): void {
    const { gate, place } = this.#context;
    gate.arrived();
    // The same sample in another epoch is known.
    const sample = `${source}:${id}`;
    if (this.#bad.has(sample)) return;
    this.#bad.add(sample);
    const count = this.#bad.size;
    gate.run?.report({ skipped: { [place.name]: count } });
    const line = `${place.name}: a sample is left out. ${reason.message}`;
    if (count === 1 && gate.run !== undefined) gate.run.say(line);
    else if (count === 1) process.emitWarning(line, { type: 'MaskflowWarning', code: 'BAD_SAMPLE' });
    if (count <= this.#most) return;
    throw new MaskflowError({
      stage: place.name,
      option: 'maxBad',
      rule: `${count} different samples are bad, ${this.#most} may be; the last: ${reason.message.replace(/\.$/, '')}`,
      ...(reason.problem.where === undefined ? {} : { where: reason.problem.where }),
      hint: `Repair the data, or raise the limit: maxBad: ${10 * Math.max(1, this.#most)}.`,
    });
  }
}
