// The driver's end of a contender: a process that was started once, is asked for bursts of steps and answers in JSON lines.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { residentOf } from './resident.js';

/** What to run under which name. */
export interface Contender {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A contender's first message. */
export interface Ready {
  /** Of the framework, or the device that computes. */
  readonly version: string;
  readonly losses: readonly number[];
  /** Milliseconds of the first steps, all that is done once within the first of them. */
  readonly ms: readonly number[];
  /** Resident set before the first weight, in bytes; 0 where the system does not tell. */
  readonly startRss: number;
  readonly sessions?: number;
  readonly sessionMilliseconds?: number;
}

export interface Burst {
  /** Milliseconds of each step. */
  readonly ms: readonly number[];
  /** Milliseconds of processor time, all threads. */
  readonly processor: number;
  /** Milliseconds within ONNX Runtime. */
  readonly inside?: number;
}

export interface Soak {
  /** [step, bytes of the resident set]. */
  readonly samples: readonly (readonly [number, number])[];
  readonly milliseconds: number;
  readonly tensorsBefore: number;
  readonly tensorsAfter: number;
  readonly loss: number;
}

export class ContenderProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** The end of what it wrote to stderr. */
  #errors = '';

  constructor({ name, command, args, env = {} }: Contender) {
    this.name = name;
    const child = spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env } });
    this.#child = child;
    child.on('error', (error) => {
      this.#errors = error.message;
    });
    child.stdin.on('error', () => {}); // a process that died is found out when its answer is read
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Its first message; a text where it cannot take part. */
  async ready(): Promise<Ready | string> {
    try {
      const message = (await this.#answer()) as Ready & { readonly skipped?: string };
      return message.skipped ?? message;
    } catch (error) {
      return (error as Error).message;
    }
  }

  burst(steps: number): Promise<Burst> {
    return this.#ask(String(steps)) as Promise<Burst>;
  }

  soak(steps: number): Promise<Soak> {
    return this.#ask(`soak ${steps}`) as Promise<Soak>;
  }

  /** The highest resident set of the process so far, in bytes. */
  peakRss(): number {
    return residentOf(this.#child.pid as number, 'highest');
  }

  close(): void {
    this.#child.stdin?.end();
    this.#child.kill();
  }

  #ask(line: string): Promise<unknown> {
    this.#child.stdin?.write(`${line}\n`);
    return this.#answer();
  }

  /** The next line that is a JSON object; frameworks may print others. */
  async #answer(): Promise<unknown> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.name} ended: ${this.#errors.trim().split('\n').slice(-3).join(' | ') || 'it said nothing'}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }
}
