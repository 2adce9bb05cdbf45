// A pipeline: typed options with defaults, and a function that builds the chain from them.
import type { Observable } from 'rxjs';
import { MaskflowError } from './errors.js';
import { nearest } from './nearest.js';

export type OptionValue = number | string | boolean;

/** Literal types of defaults widened: { color: 'green' } takes any string. */
export type Widen<P> = { readonly [K in keyof P]: P[K] extends number ? number : P[K] extends string ? string : P[K] extends boolean ? boolean : P[K] };

/** What a pipeline's function gets beside its options. */
export interface Paths {
  /** Path of a data file that `make` writes on first use: once, atomically, shared by all runs. */
  prepared(name: string, make: (file: string) => Promise<void>): string;
  /** The same, made at once: for a file that the function itself reads, such as a tokenizer that it trains. */
  prepare(name: string, make: (file: string) => Promise<void>): Promise<string>;
  /** Path in the run's folder. */
  out(name: string): string;
}

export interface Pipeline<P extends Readonly<Record<string, OptionValue>> = Readonly<Record<string, OptionValue>>> {
  readonly kind: 'maskflow.pipeline';
  readonly defaults: P;
  readonly build: (options: P & Paths) => Observable<unknown> | Promise<Observable<unknown>>;
}

/**
 * A recipe for `maskflow run`. Infinity as a default means "no bound". The function may be asynchronous.
 *
 * @example
 * export default pipeline({ epochs: 20, batchSize: 256 }, ({ epochs: n, batchSize, out }) => source.pipe(epochs(n), …));
 */
export function pipeline<P extends Readonly<Record<string, OptionValue>>>(
  defaults: P,
  build: (options: Widen<P> & Paths) => Observable<unknown> | Promise<Observable<unknown>>,
): Pipeline<Widen<P>> {
  for (const [name, value] of Object.entries(defaults)) {
    if (!['number', 'string', 'boolean'].includes(typeof value)) {
      throw new MaskflowError({ stage: 'pipeline', option: name, rule: 'a default must be a number, a string or a boolean', value });
    }
  }
  return { kind: 'maskflow.pipeline', defaults: defaults as unknown as Widen<P>, build };
}

/** `given` checked against the defaults: unknown names and wrong types are errors; text is read as the default's type. */
export function resolveOptions<P extends Readonly<Record<string, OptionValue>>>(defaults: P, given: Readonly<Record<string, unknown>>): P {
  const result: Record<string, OptionValue> = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    const standard = Object.hasOwn(defaults, name) ? defaults[name] : undefined;
    if (standard === undefined) {
      const near = nearest(name, Object.keys(defaults));
      throw new MaskflowError({
        stage: 'pipeline',
        option: name,
        rule: 'there is no such option',
        hint: `${near ? `Did you mean ${near}? ` : ''}Options: ${Object.entries(defaults)
          .map(([key, v]) => `${key}=${v === Number.POSITIVE_INFINITY ? 'none' : v}`)
          .join(', ')}.`,
      });
    }
    result[name] = read(name, value, standard);
  }
  return result as P;
}

function read(name: string, value: unknown, standard: OptionValue): OptionValue {
  if (typeof value === typeof standard && !(typeof value === 'number' && Number.isNaN(value))) return value as OptionValue;
  if (typeof value === 'string') {
    const text = value.trim();
    if (standard === Number.POSITIVE_INFINITY && text === 'none') return standard;
    if (typeof standard === 'number' && text !== '' && !Number.isNaN(Number(text))) return Number(text);
    if (typeof standard === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  }
  throw new MaskflowError({ stage: 'pipeline', option: name, rule: `must be a ${typeof standard}`, value, hint: `Its default is ${standard}.` });
}
