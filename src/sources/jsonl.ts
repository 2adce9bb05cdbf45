// Samples from JSON Lines: one object a line, its top-level members are the fields.
import type { Observable } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { source } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { openText } from './text/openText.js';
import { type TextFileOptions, checkTextFiles, shownFiles } from './text/textFormat.js';

/** What a member must be. `strings`, `numbers`: lists; `json`: anything, carried along. */
export interface JsonTypes {
  string: string;
  number: number;
  boolean: boolean;
  strings: readonly string[];
  numbers: readonly number[];
  json: unknown;
}
export type JsonType = keyof JsonTypes;

export interface JsonlOptions<T extends Readonly<Record<string, JsonType>>> extends TextFileOptions {
  /** Fields and their types. Members that are not named are left out; without this all are taken as they are. */
  readonly fields?: T;
}

const holds: Readonly<Record<JsonType, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  numbers: (value) => Array.isArray(value) && value.every((item) => typeof item === 'number'),
  json: () => true,
};

const unusable = (rule: string, value?: unknown, where?: string): MaskflowError =>
  new MaskflowError({ rule: `a sample cannot be used: ${rule}`, ...(value === undefined ? {} : { value }), ...(where === undefined ? {} : { where }) });

/**
 * One sample a line of JSON, UTF-8. `path` is as of `textLines`; blank lines are left out. Every sample has the members that
 * `fields` names, of these types; without `fields` a sample has the members of its line, and `batch` wants them equal.
 *
 * @throws MaskflowError (through the stream) as `textLines` does; samples that cannot be used (no JSON, no object, a member
 * that is missing, null or of another type), naming file and line.
 *
 * @example
 * jsonl('data/*.jsonl', { fields: { text: 'string', label: 'number' } }).pipe(epochs(3), shuffle(), batch(32), tokenize(words));
 */
export function jsonl<T extends Readonly<Record<string, JsonType>>>(
  path: string | readonly string[],
  options: JsonlOptions<T> & { readonly fields: T },
): Observable<Sample<{ readonly [K in keyof T]: JsonTypes[T[K]] }>>;
export function jsonl<F = Readonly<Record<string, unknown>>>(path: string | readonly string[], options?: TextFileOptions): Observable<Sample<F>>;
export function jsonl(
  path: string | readonly string[],
  options: JsonlOptions<Readonly<Record<string, JsonType>>> = {},
): Observable<Sample<Readonly<Record<string, unknown>>>> {
  checkOptions('jsonl', options, ['fields', 'cacheBytes', 'onBadSample', 'maxBad', 'onSkip']);
  const paths = checkTextFiles('jsonl', path, options);
  const { fields } = options;
  const wanted = fields === undefined ? undefined : Object.entries(fields);
  check(wanted === undefined || wanted.length > 0, 'jsonl', 'fields', 'must name at least one field', fields);
  for (const [name, type] of wanted ?? [])
    check(Object.hasOwn(holds, type), 'jsonl', `fields.${name}`, `must be one of ${Object.keys(holds).join(', ')}`, type);
  const parse = (text: string): Record<string, unknown> => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw unusable(`it is no JSON: ${(error as Error).message.replace(/\.$/u, '')}`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unusable('a line must be a JSON object', value);
    const members = value as Record<string, unknown>;
    if (wanted === undefined) return members;
    const result: Record<string, unknown> = {};
    for (const [name, type] of wanted) {
      if (!Object.hasOwn(members, name)) {
        const near = nearest(name, Object.keys(members));
        throw unusable(`it has no member ${JSON.stringify(name)}${near === undefined ? '' : ` (it has ${JSON.stringify(near)})`}`, Object.keys(members));
      }
      const member = members[name];
      if (!holds[type](member)) throw unusable(`its member ${JSON.stringify(name)} must be of type ${type}`, member);
      result[name] = member;
    }
    return result;
  };
  const made = recipe('maskflow/sources', 'jsonl', { ...(fields && { fields }), ...shownFiles(paths, options) });
  return source(made, () => openText(paths, { stage: 'jsonl', unit: 'filled', parse }, options));
}
