// Where words stand in their text, found by consuming its characters: tokenizers and taggers say what the words are, and not
// all say where. Case, accents, compatibility forms and white space do not count, since tokenizers change them.
import { MaskflowError } from '../../core/errors.js';

/** Text as units that compare: lower case, decomposed, without white space; with the place of each in the text. */
interface Folded {
  readonly units: readonly string[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Accents, controls and the like: left out by some tokenizers, so either side may lack them. */
const faint = /[\p{M}\p{C}\ufffd]/u;
/** Sentence pieces write ▁ for a space, and take it for one. */
const blank = /^[\s\p{Z}▁]$/u;

/** One character, folded; kept, for there are few. */
const folds = new Map<string, readonly string[]>();

function foldOf(character: string): readonly string[] {
  const known = folds.get(character);
  if (known !== undefined) return known;
  const units = [...character.normalize('NFKD').toLowerCase().normalize('NFKD')].filter((unit) => !blank.test(unit)).map((unit) => (unit === 'ς' ? 'σ' : unit));
  if (folds.size >= 2 ** 14) folds.clear();
  folds.set(character, units);
  return units;
}

function fold(text: string): Folded {
  const [units, starts, ends]: [string[], number[], number[]] = [[], [], []];
  let at = 0;
  for (const character of text) {
    for (const unit of foldOf(character)) {
      units.push(unit);
      starts.push(at);
      ends.push(at + character.length);
    }
    at += character.length;
  }
  return { units, starts, ends };
}

/** Where words end, and the first of them that does not fit. */
interface Placed {
  readonly at: number;
  readonly odd?: number;
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** Where `word` ends that begins at unit `from`, and its first own unit; undefined where other characters stand there. */
function match(word: readonly string[], { units }: Folded, from: number): { readonly first: number; readonly end: number } | undefined {
  let [at, first] = [from, -1];
  for (let i = 0; i < word.length; ) {
    const unit = word[i] as string;
    const there = units[at];
    if (unit === there) {
      if (first < 0) first = at;
      at++;
      i++;
    } else if (there !== undefined && faint.test(there)) at++;
    else if (faint.test(unit)) i++;
    else return undefined;
  }
  return { first: first < 0 ? at : first, end: at };
}

/** Units from `from` to `to` for `count` words of unknown characters: by white space, else by runs of letters; else all of it for each. */
function shared(text: string, { starts, ends }: Folded, from: number, to: number, count: number): readonly (readonly [number, number])[] {
  if (from >= to) return Array.from({ length: count }, () => [starts[from] ?? text.length, starts[from] ?? text.length] as const);
  const [begin, end] = [starts[from] as number, ends[to - 1] as number];
  const gap = text.slice(begin, end);
  for (const piece of [/\S+/gu, /[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu]) {
    const found = [...gap.matchAll(piece)];
    if (found.length === count) return found.map(({ index, 0: part }) => [begin + index, begin + index + part.length] as const);
  }
  return Array.from({ length: count }, () => [begin, end] as const);
}

/**
 * Spans [2 · words] of words that stand in `text` one behind the other, with white space alone between them; UTF-16 units.
 * Undefined is a word of unknown characters (a tokenizer's unknown token): it takes what stands before the first place
 * from which the words behind it go on, up to the next unknown one; several side by side share it by white space, else by runs of
 * letters, else each has all of it. A word that leaves no trace (controls alone) has an empty span.
 *
 * @throws MaskflowError where the text goes on differently, or has more in it than the words
 */
export function locateWords(words: readonly (string | undefined)[], text: string): Int32Array {
  const folded = fold(text);
  const own = words.map((word) => (word === undefined ? undefined : fold(word).units));
  const spans = new Int32Array(2 * words.length);
  const put = (word: number, start: number, end: number): void => void spans.set([start, end], 2 * word);
  const isEnd = (at: number): boolean => folded.units.slice(at).every((unit) => faint.test(unit));
  /** Places words `from` to `to` from unit `at`; answers where they end, or the word that does not fit. */
  const place = (from: number, to: number, at: number): Placed => {
    for (let word = from; word < to; word++) {
      const found = match(own[word] as readonly string[], folded, at);
      if (found === undefined) return { at, odd: word };
      const { first, end } = found;
      put(word, folded.starts[first] ?? text.length, end > first ? (folded.ends[end - 1] as number) : (folded.starts[first] ?? text.length));
      at = end;
    }
    return { at };
  };
  const differs = (at: number, word: number | undefined): MaskflowError => {
    const place = folded.starts[at] ?? text.length;
    const wanted = word === undefined ? 'its end' : JSON.stringify(words[word]);
    return new MaskflowError({
      option: 'words',
      rule: `must follow the text; at character ${place} it goes on with ${JSON.stringify(text.slice(place, place + 20))}, not with ${wanted}`,
      value: text,
    });
  };
  let at = 0;
  for (let word = 0; word < words.length; ) {
    let unknown = 0;
    while (word + unknown < words.length && own[word + unknown] === undefined) unknown++;
    const next = word + unknown;
    let until = next;
    while (until < words.length && own[until] !== undefined) until++;
    const last = until === words.length;
    // The first place from which all goes on; the last words must end where the text ends. Unknown words take a unit each, or less.
    let begin = at;
    let found = place(next, until, at + unknown);
    if (unknown > 0) {
      const most = folded.units.length;
      const begins = [...range(at + unknown, most + 1), ...range(at, Math.min(at + unknown, most + 1)).reverse()];
      begin =
        begins.find((from) => {
          found = place(next, until, from);
          return found.odd === undefined && (!last || isEnd(found.at));
        }) ?? at;
    }
    if (found.odd !== undefined) throw differs(found.at, found.odd);
    if (unknown > 0) for (const [i, [start, end]] of shared(text, folded, at, begin, unknown).entries()) put(word + i, start, end);
    at = found.at;
    word = until;
  }
  if (!isEnd(at)) throw differs(at, undefined);
  return spans;
}
