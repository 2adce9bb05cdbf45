// One row of a state as one line of text: what a live view draws.
import { check, checkOptions } from '../core/options.js';
import type { UnmaskRow } from './samplers/sampler.js';

export interface UnmaskLineOptions {
  /** Text of an id; white space and control characters are shown as spaces. */
  readonly textOf: (id: number) => string;
  /** What a hidden token looks like. Default ░. */
  readonly hidden?: string;
  /** Between tokens. Default nothing: the tokens of a tokenizer carry their spaces. */
  readonly between?: string;
}

/**
 * A row as text, hidden tokens shown.
 *
 * @example
 * unmaskLine({ ids: Int32Array.of(1, 0, 2), masked: Uint8Array.of(0, 1, 0) }, { textOf: (id) => ' ab'[id] }); // 'a░b'
 */
export function unmaskLine({ ids, masked }: Pick<UnmaskRow, 'ids' | 'masked'>, options: UnmaskLineOptions): string {
  checkOptions('unmaskLine', options, ['textOf', 'hidden', 'between']);
  const { textOf, hidden = '░', between = '' } = options;
  check(typeof textOf === 'function', 'unmaskLine', 'textOf', 'must be a function of an id', textOf);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would obey must not reach it.
  return Array.from(ids, (id, i) => (masked[i] === 1 ? hidden : textOf(id).replace(/[\s\u0000-\u001f\u007f-\u009f]/gu, ' '))).join(between);
}
