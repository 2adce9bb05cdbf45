// How many tokens of each text stay where a row is too short. The rules are those of Hugging Face's tokenizers, so that
// rows are equal to theirs.

/** Which text loses tokens at its end: the longer one first (both, once they are equal), the first, or the second. `false`: too long is an error. */
export type Truncate = 'longestFirst' | 'onlyFirst' | 'onlySecond' | false;

/** Tokens kept of two texts of `first` and `second` tokens, `most` in all; undefined where the rule cannot do it. */
export function keptOf(first: number, second: number, most: number, rule: Truncate): readonly [number, number] | undefined {
  if (first + second <= most) return [first, second];
  if (rule === false || most < 0) return undefined;
  if (rule === 'onlyFirst') return second > most ? undefined : [most - second, second];
  if (rule === 'onlySecond') return first > most ? undefined : [first, most - first];
  const short = Math.min(first, second);
  // The shorter one stays whole where the longer one then stays the longer one; else both get half, the longer one the odd token.
  const half = Math.floor(most / 2);
  const rest = Math.max(short, most - short);
  const [a, b] = short <= most && short + rest <= most ? [short, rest] : [half, most - half];
  return first > second ? [b, a] : [a, b];
}
