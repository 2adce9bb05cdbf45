// Parts of speech of English text by wink-nlp (an optional peer) and its small English model.
import { recipe } from '../../core/recipe.js';
import { kindOf, tagSchemes } from '../../operators/views/tagScheme.js';
import type { Tagger } from '../../operators/views/tagger.js';
import { peers, versionOf } from './peer.js';
import { taggedSpans, textTagger } from './textTagger.js';

interface Tokens {
  out(feature?: unknown): string[];
}
type Wink = (
  model: unknown,
  pipe: readonly string[],
) => {
  readonly its: { readonly value: unknown; readonly pos: unknown };
  readDoc(text: string): { tokens(): Tokens };
};

/** Entries of the cache of words in wink-nlp are never given up: a bound on how long one instance lives, in texts. */
const lifetime = 2 ** 17;

/**
 * Verbs and nouns of English, proper nouns as entities too (for names that are people, places or organisations take
 * `compromiseTagger`). Text is cut by wink-nlp; lists of words are joined by spaces and read as text. Tags are universal
 * (`tagSchemes.universal`: auxiliaries are no verbs).
 *
 * @throws MaskflowError (through the promise) where wink-nlp or its model is not installed
 * @example
 * tag(await winkTagger(), { tokenizer: words });
 */
export async function winkTagger(): Promise<Tagger> {
  const [nlp, model] = peers('winkTagger', { 'wink-nlp': '2.4.0', 'wink-eng-lite-web-model': '1.8.1' }) as [Wink, unknown];
  const open = (): ReturnType<Wink> => nlp(model, ['sbd', 'pos']);
  const kind = kindOf(tagSchemes.universal);
  const fingerprint = `wink-nlp@${versionOf('wink-nlp')} wink-eng-lite-web-model@${versionOf('wink-eng-lite-web-model')}`;
  let [wink, texts] = [open(), 0];
  return textTagger('winkTagger', recipe('maskflow/sources', 'winkTagger', {}), fingerprint, (text) => {
    if (++texts % lifetime === 0) wink = open();
    const tokens = wink.readDoc(text).tokens();
    return taggedSpans(text, { words: tokens.out(wink.its.value), bits: tokens.out(wink.its.pos).map(kind) });
  });
}
