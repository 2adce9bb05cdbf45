// A tagger of texts as one of lists too: the words are joined, and take the kinds of what is found in them.
import { inStage } from '../../core/errors.js';
import type { Recipe } from '../../core/recipe.js';
import { joined, kindsOfWords } from '../../operators/views/kindsOfWords.js';
import { locateWords } from '../../operators/views/locateWords.js';
import type { Tagged, Tagger } from '../../operators/views/tagger.js';

/** Words as a library cut them, in order and without a gap between them but white space, and the bits of each. */
export interface CutWords {
  readonly words: readonly string[];
  readonly bits: ArrayLike<number>;
}

/** Spans of the words that have a kind; the others stay out, so that answers are short. */
export function taggedSpans(text: string, { words, bits }: CutWords): Tagged {
  const spans = locateWords(words, text);
  const kept = words.map((_, i) => i).filter((i) => bits[i] !== 0 && (spans[2 * i] as number) < (spans[2 * i + 1] as number));
  return {
    bits: Uint8Array.from(kept, (i) => bits[i] as number),
    spans: Int32Array.from(kept.flatMap((i) => [spans[2 * i] as number, spans[2 * i + 1] as number])),
  };
}

/** A tagger over `tag`, which tags one text; lists of words are joined by spaces for it. */
export function textTagger(stage: string, recipe: Recipe, fingerprint: string, tag: (text: string) => Tagged): Tagger {
  const tagged = (text: string): Tagged => {
    try {
      return tag(text);
    } catch (error) {
      throw inStage(stage, error);
    }
  };
  return {
    recipe,
    fingerprint,
    tag: async (texts) =>
      texts.map((given) => {
        if (typeof given === 'string') return tagged(given);
        const { text, spans } = joined(given);
        return { bits: kindsOfWords(text, tagged(text), spans) };
      }),
  };
}
