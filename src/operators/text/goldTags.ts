// Tags that the data has: a list of tags beside the text, one a word (parts of speech, entity labels).
import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { locateWords } from '../views/locateWords.js';
import { type SchemeName, checkPatterns, kindOf, tagScheme } from '../views/tagScheme.js';
import type { Tagged, Tagger, TaggerColumn } from '../views/tagger.js';
import type { TextOrWords } from '../views/tokenizer.js';

export interface GoldTagsOptions {
  /** Column of the tags: lists, one tag a word. */
  readonly column: string;
  /** The same for the second text of a pair. */
  readonly pair?: string;
  /** Columns of the words that the tags belong to; needed where `tokenize` takes text and not these words. */
  readonly words?: string;
  readonly pairWords?: string;
  /** Which tags are entities, verbs and nouns: `universal` (UPOS), `penn`, `brown`, `bio` (labels of entities). */
  readonly scheme?: SchemeName;
  /** Tags of entities, or their beginnings with * behind: ['NNP*']. Default: the scheme's. */
  readonly entities?: readonly string[];
  readonly verbs?: readonly string[];
  readonly nouns?: readonly string[];
}

/** Tags that say that there is none. */
const open: readonly unknown[] = [null, undefined, '', '_'];

/** Kinds of one text's words by its tags, checked. The pure half. */
export function goldKinds(tags: unknown, words: readonly string[], kind: (tag: string) => number, column: string): Uint8Array {
  const list = Array.isArray(tags) ? (tags as readonly unknown[]) : undefined;
  if (list === undefined) throw new MaskflowError({ option: 'column', rule: `column ${JSON.stringify(column)} must hold lists of tags`, value: tags });
  if (list.length !== words.length) {
    throw new MaskflowError({
      option: 'column',
      rule: `column ${JSON.stringify(column)} must have one tag a word: ${words.length} words`,
      value: list.length,
      hint: 'Name the column of the words that the tags belong to in tokenize and tag: { column: … }.',
    });
  }
  return Uint8Array.from(list, (tag, i) => {
    if (typeof tag === 'string' && !open.includes(tag)) return kind(tag);
    const rule = open.includes(tag) ? `word ${i} (${JSON.stringify(words[i])}) has no tag` : `the tag of word ${i} must be text`;
    throw new MaskflowError({ option: 'column', rule, value: tag, hint: 'Leave such sentences out in front: keep(({ fields }) => …).' });
  });
}

/**
 * A tagger that reads the data's own tags: lists of text, one a word (dictionary-encoded or not), of the words that `tokenize` took;
 * or, where that took text, of the words in the column `words`, which are then found in the text.
 *
 * Give a `scheme`, or say which tags count; both: what is given replaces that part of the scheme. Tags that nothing lists are of
 * no kind. A missing tag (null, empty, `_`) is an error, as is a list of another length.
 *
 * @throws MaskflowError for unknown options, another scheme, no pattern at all
 * @example
 * conllu('train.conllu', { columns: ['forms', 'upos'] }).pipe(
 *   batch(32), tokenize(words, { column: 'forms' }), tag(goldTags({ column: 'upos', scheme: 'universal' }), { column: 'forms' }));
 */
export function goldTags(options: GoldTagsOptions): Tagger {
  const stage = 'goldTags';
  checkOptions(stage, options, ['column', 'pair', 'words', 'pairWords', 'scheme', 'entities', 'verbs', 'nouns']);
  const { column, pair, words, pairWords, scheme } = options;
  check(
    typeof column === 'string' && column !== '',
    stage,
    'column',
    'must name the column of the tags',
    column,
    "Try { column: 'upos', scheme: 'universal' }.",
  );
  const base = scheme === undefined ? { entities: [], verbs: [], nouns: [] } : tagScheme(stage, scheme);
  const { entities = base.entities, verbs = base.verbs, nouns = base.nouns } = options;
  for (const [option, patterns] of Object.entries({ entities, verbs, nouns })) checkPatterns(stage, option, patterns);
  check(
    entities.length + verbs.length + nouns.length > 0,
    stage,
    'scheme',
    'or patterns must be given: no tag would count',
    scheme,
    "Try scheme: 'universal', or { verbs: ['VB*'], nouns: ['NN*'] }.",
  );
  const kind = kindOf({ entities, verbs, nouns });
  const made = recipe('maskflow/operators', stage, {
    column,
    ...(pair && { pair }),
    ...(words && { words }),
    ...(pairWords && { pairWords }),
    entities,
    verbs,
    nouns,
  });
  const one = (text: TextOrWords, tags: unknown, own: unknown): Tagged => {
    if (typeof text !== 'string') return { bits: goldKinds(tags, text, kind, column) };
    if (words === undefined) {
      throw new MaskflowError({
        option: 'words',
        rule: 'must name the words that the tags belong to, for the tokenizer took text',
        value: text,
        hint: "Tokenize the words: tokenize(words, { column: 'forms' }), tag(…, { column: 'forms' }); or goldTags({ …, words: 'forms' }).",
      });
    }
    if (!(Array.isArray(own) && own.every((word) => typeof word === 'string'))) {
      throw new MaskflowError({ option: 'words', rule: `column ${JSON.stringify(words)} must hold lists of words`, value: own });
    }
    return { bits: goldKinds(tags, own as string[], kind, column), spans: locateWords(own as string[], text) };
  };
  const reads: TaggerColumn[] = [{ column, pair }, ...(words === undefined ? [] : [{ column: words, pair: pairWords }])];
  return {
    recipe: made,
    fingerprint: JSON.stringify(made.options),
    reads,
    tag: async (texts, columns) => texts.map((text, n) => one(text, columns[0]?.[n], columns[1]?.[n])),
  };
}
