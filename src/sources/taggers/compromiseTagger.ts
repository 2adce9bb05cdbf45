// Named entities of English text by compromise (an optional peer): people, places and organisations.
import { recipe } from '../../core/recipe.js';
import type { Tagger } from '../../operators/views/tagger.js';
import { peers } from './peer.js';
import { taggedSpans, textTagger } from './textTagger.js';

interface Term {
  readonly pre: string;
  readonly text: string;
  readonly post: string;
  readonly tags?: ReadonlySet<string>;
}
interface Compromise {
  (text: string): { readonly document: readonly (readonly Term[])[] };
  readonly version: string;
}

const entities = ['Person', 'Place', 'Organization'];
/** Titles (Mr, Dr) count as parts of people there; they are no names. */
const excepted = ['Honorific', 'Pronoun'];

/** A term without what is no name: `Smith's` is Smith, `U.N.),` is U.N. (its punctuation stands before and behind already). */
const possessive = /['’‘]s?$/u;

/**
 * Entities: the words that compromise takes for a part of a person's, a place's or an organisation's name; no verbs, no nouns.
 * Its answers' punctuation and possessive endings are left out. Lists of words are joined by spaces and read as text.
 *
 * @throws MaskflowError (through the promise) where compromise is not installed
 * @example
 * tag(taggers({ pos: await winkTagger(), entities: await compromiseTagger() }), { tokenizer: words });
 */
export async function compromiseTagger(): Promise<Tagger> {
  const [nlp] = peers('compromiseTagger', { compromise: '14.17.0' }) as [Compromise];
  return textTagger('compromiseTagger', recipe('maskflow/sources', 'compromiseTagger', {}), `compromise@${nlp.version}`, (text) => {
    const words: string[] = [];
    const bits: number[] = [];
    const put = (word: string, bit: number): void => {
      if (word !== '') bits[words.push(word) - 1] = bit;
    };
    for (const { pre, text: word, post, tags } of nlp(text).document.flat()) {
      const isEntity = entities.some((name) => tags?.has(name)) && !excepted.some((name) => tags?.has(name));
      const ending = (isEntity && possessive.exec(word)?.[0]) || '';
      put(pre, 0);
      put(word.slice(0, word.length - ending.length), isEntity ? 1 : 0);
      put(ending + post, 0);
    }
    return taggedSpans(text, { words, bits });
  });
}
