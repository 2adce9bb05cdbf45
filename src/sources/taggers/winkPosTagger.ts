// Parts of speech of English words that are given (gold tokens) by wink-pos-tagger (an optional peer): a lexicon and rules.
import { MaskflowError } from '../../core/errors.js';
import { recipe } from '../../core/recipe.js';
import { kindOf, tagSchemes } from '../../operators/views/tagScheme.js';
import type { Tagger } from '../../operators/views/tagger.js';
import { peers, versionOf } from './peer.js';

interface WinkPos {
  tagRawTokens(words: readonly string[]): readonly { readonly value: string; readonly pos: string }[];
}

/**
 * Verbs and nouns of English, proper nouns as entities too, by Penn tags (`tagSchemes.penn`: be, have and do are verbs). It
 * tags lists of words as they are cut; for text take `winkTagger`.
 *
 * @throws MaskflowError (through the promise) where wink-pos-tagger is not installed
 * @example
 * sentences.pipe(tokenize(words, { column: 'forms' }), tag(await winkPosTagger(), { column: 'forms' }));
 */
export async function winkPosTagger(): Promise<Tagger> {
  const stage = 'winkPosTagger';
  const [make] = peers(stage, { 'wink-pos-tagger': '2.2.2' }) as [() => WinkPos];
  const wink = make();
  const kind = kindOf(tagSchemes.penn);
  return {
    recipe: recipe('maskflow/sources', stage, {}),
    fingerprint: `wink-pos-tagger@${versionOf('wink-pos-tagger')}`,
    tag: async (texts) =>
      texts.map((words) => {
        if (typeof words === 'string') {
          throw new MaskflowError({
            stage,
            rule: 'tags lists of words, not text',
            value: words,
            hint: "Take winkTagger() for text, or tokenize the words: tokenize(words, { column: 'forms' }), tag(…, { column: 'forms' }).",
          });
        }
        const found = words.length === 0 ? [] : wink.tagRawTokens(words);
        if (found.length !== words.length) throw new MaskflowError({ stage, rule: `must answer one tag a word: ${words.length} words`, value: found.length });
        return { bits: Uint8Array.from(found, ({ pos }) => kind(pos)) };
      }),
  };
}
