// Sentences of two or three clauses, determiner, noun and verb, that agree in number: 200 content words (60 nouns and 40 verbs, each
// singular and plural), 4 determiners a number, 8 adverbs that may stand before a verb, 4 conjunctions; 8 to 14 tokens, words by Zipf's
// law within their class.
import { Draws, fold, rootKey } from 'maskflow';

const [determiners, nouns, verbs, adverbs, conjunctions] = [4, 60, 40, 8, 4];
const firstWord = 4;
const at = {
  determiner: firstWord,
  noun: firstWord + 2 * determiners,
  verb: firstWord + 2 * (determiners + nouns),
  adverb: firstWord + 2 * (determiners + nouns + verbs),
  conjunction: firstWord + 2 * (determiners + nouns + verbs) + adverbs,
};

/** Ids: 0 pads, 1 and 2 begin and end, 3 is the mask; then the words. */
export const grammar = {
  bos: 1,
  eos: 2,
  maskId: 3,
  firstWord,
  words: at.conjunction + conjunctions - firstWord,
  vocabulary: at.conjunction + conjunctions,
} as const;

export const isSpecial = (id: number): boolean => id < firstWord;

export interface Agreeing {
  /** Ids of the words. */
  readonly words: readonly number[];
  /** Index of the first verb, and the number of its noun: 0 singular, 1 plural. */
  readonly verb: number;
  readonly number: number;
}

/** Whether an id is a verb of that number. */
export function isVerbOf(id: number, number: number): boolean {
  return id >= at.verb + number * verbs && id < at.verb + (number + 1) * verbs;
}

function zipf(draws: Draws, n: number): number {
  let sum = 0;
  for (let i = 1; i <= n; i++) sum += 1 / i;
  let left = draws.uniform() * sum;
  for (let i = 1; i < n; i++) {
    left -= 1 / i;
    if (left < 0) return i - 1;
  }
  return n - 1;
}

/** Sentences of a seed: each clause has a number of its own. */
export function agreeingSentences(count: number, seed: number): Agreeing[] {
  const draws = new Draws(fold(rootKey(seed), 'agreementGrammar'));
  const adverb = (): number => at.adverb + zipf(draws, adverbs);
  return Array.from({ length: count }, () => {
    const words: number[] = [];
    let [verb, number] = [0, 0];
    const clauses = 2 + draws.integer(2);
    for (let clause = 0; clause < clauses; clause++) {
      if (clause > 0) words.push(at.conjunction + zipf(draws, conjunctions));
      const own = draws.integer(2);
      words.push(at.determiner + own * determiners + zipf(draws, determiners), at.noun + own * nouns + zipf(draws, nouns));
      if (draws.integer(2) === 1) words.push(adverb());
      if (clause === 0) [verb, number] = [words.length, own];
      words.push(at.verb + own * verbs + zipf(draws, verbs));
    }
    while (words.length < 8) words.push(adverb());
    return { words, verb, number };
  });
}
