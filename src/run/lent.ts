// What run() lends to the stages of its chain.
import type { Gate } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import type { Files } from '../core/files.js';
import type { Executor } from '../core/program.js';
import type { Run, StageState } from '../core/run.js';

/** The run as its stages see it. */
export class Lent implements Run {
  readonly seed: number;
  readonly executor: Executor;
  readonly folder: string;
  readonly files: Files;
  readonly resumed: Run['resumed'];
  readonly say: (line: string) => void;
  readonly figures: Record<string, unknown> = {};
  readonly fingerprints: Record<string, string> = {};
  gate: Gate | undefined;
  readonly #before: Readonly<Record<string, string>> | undefined;
  readonly #onData: (fingerprints: Readonly<Record<string, string>>) => void;
  readonly #stopping = new AbortController();
  readonly #states = new Map<string, () => StageState>();
  readonly #atStop: (() => Promise<void>)[] = [];

  constructor(
    seed: number,
    executor: Executor,
    folder: string,
    files: Files,
    resumed: Run['resumed'],
    say: (line: string) => void,
    before: Readonly<Record<string, string>> | undefined,
    onData: (fingerprints: Readonly<Record<string, string>>) => void,
  ) {
    this.seed = seed;
    this.executor = executor;
    this.folder = folder;
    this.files = files;
    this.resumed = resumed;
    this.say = say;
    this.#before = before;
    this.#onData = onData;
  }
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }
  abort(): void {
    this.#stopping.abort();
  }
  keep(stage: string, save: () => StageState): void {
    this.#states.set(stage, save);
  }
  state(): NonNullable<Run['resumed']> {
    const stages = Object.fromEntries([...this.#states].sort(([a], [b]) => (a < b ? -1 : 1)).map(([stage, save]) => [stage, save()]));
    return { step: this.executor.weights.step, seed: this.seed, cursor: (this.gate as Gate).cursor.toJSON(), stages };
  }
  atStop(save: () => Promise<void>): void {
    this.#atStop.push(save);
  }
  async saveAtStop(): Promise<void> {
    for (const save of this.#atStop) await save();
  }
  report(figures: Readonly<Record<string, unknown>>): void {
    merge(this.figures, figures);
  }
  data(source: string, fingerprint: string): void {
    const was = this.#before?.[source];
    if (was !== undefined && was !== fingerprint) {
      throw new MaskflowError({
        stage: source.replace(/^\d+\./, ''),
        rule: `the data is not what this run began with: its fingerprint was ${was}`,
        value: fingerprint,
        hint: 'Bring the old data back, or start a new run: --out DIR.',
      });
    }
    this.fingerprints[source] = fingerprint;
    this.#onData({ ...this.fingerprints });
  }
}

function merge(into: Record<string, unknown>, figures: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(figures)) {
    const old = into[name];
    if (isRecord(old) && isRecord(value)) merge(old, value);
    else into[name] = isRecord(value) ? structuredClone(value) : value;
  }
}
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
