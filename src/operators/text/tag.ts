// Kinds of words for LEM: which tokens belong to entities, verbs and nouns. It stands behind `tokenize` (or `pack`), because kinds
// belong to the tokenizer's words as they are in the row: what was cut off has none, and nobody masks it.
import type { Observable } from 'rxjs';
import { type Batch, type Carried, type Column, carriedAt, isColumn, withColumns } from '../../core/batch.js';
import { bounded } from '../../core/demand/index.js';
import { MaskflowError, inStage } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Program } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';
import type { Bytes } from '../stages.js';
import { checkTagged, kindsOfWords, withoutNumber } from '../views/kindsOfWords.js';
import type { Tagged, Tagger } from '../views/tagger.js';
import { tokenSpans } from '../views/tokenSpans.js';
import type { Encoded, TextOrWords, Tokenizer } from '../views/tokenizer.js';
import { checkFree, missingColumn, readText } from './readText.js';
import type { TokenColumns } from './tokenRows.js';

export interface TagOptions<Text extends string = 'text', Pair extends string = never> {
  /** The tokenizer of the rows; needed where they were made of text and not of lists of words. */
  readonly tokenizer?: Tokenizer;
  /** Column of the text, or of the words, that `tokenize` or `pack` took; default `text`. */
  readonly column?: Text;
  /** Column of the second text, as there. Default: none. */
  readonly pair?: Pair;
  /** Batches worked on at once; default 2. */
  readonly concurrency?: number;
  /** Stage name; default `tag`. */
  readonly name?: string;
}

type Fields = Readonly<Record<string, Column | Carried>>;

/** One text of a row: whose it is, and what the tagger's columns say of it. */
interface Asked {
  readonly row: number;
  readonly text: TextOrWords;
  readonly columns: readonly unknown[];
}

/** The texts of a batch in the order of their words: row by row, document by document, the first text before the second. */
function textsOf(batch: Batch<Fields>, names: readonly string[], { reads = [] }: Tagger): Asked[] {
  const { columns, rows, origins } = batch;
  const { documents } = columns;
  const packed = documents !== undefined && isColumn(documents);
  const carried = (name: string): Carried => {
    const column = columns[name];
    if (column === undefined) throw missingColumn(name, Object.keys(columns));
    if (isColumn(column)) throw new MaskflowError({ option: 'column', rule: `column ${JSON.stringify(name)} must hold text or lists`, value: 'numbers' });
    return column;
  };
  const sides = names.map((name, side) => ({
    text: carried(name),
    name,
    tagger: reads.map(({ column, pair }) => {
      const own = side === 0 ? column : pair;
      if (own !== undefined) return carried(own);
      throw new MaskflowError({
        option: 'pair',
        rule: `the tagger reads column ${JSON.stringify(column)} for the first text, and no column for the second`,
        value: name,
        hint: 'Name it: goldTags({ column: …, pair: … }).',
      });
    }),
  }));
  const asked: Asked[] = [];
  for (let row = 0; row < rows; row++) {
    // In packed rows every field is the list of its documents' values.
    const values = (column: Carried): readonly unknown[] => (packed ? (carriedAt(column, row) as readonly unknown[]) : [carriedAt(column, row)]);
    const own = sides.map(({ text, name, tagger }) => ({ name, texts: values(text), tagger: tagger.map(values) }));
    for (let document = 0; document < (own[0]?.texts.length ?? 0); document++) {
      for (const { name, texts, tagger } of own) {
        const text = readText(texts[document], name, () => `sample ${origins[row]?.id}`);
        asked.push({ row, text, columns: tagger.map((column) => column[document]) });
      }
    }
  }
  return asked;
}

/** Kinds of one text's words, as the tokenizer cuts them, or of the list's words. */
function wordKinds(text: TextOrWords, tagged: Tagged, encoded: Encoded | undefined, spansOf: (text: string, encoded: Encoded) => Int32Array): Uint8Array {
  checkTagged(tagged, text);
  if (typeof text !== 'string') return tagged.bits.map((bits, i) => withoutNumber(bits, text[i] as string));
  return kindsOfWords(text, tagged, spansOf(text, encoded as Encoded));
}

/**
 * Adds `tags`, uint8 [rows, L]: on each token the kinds of its word, 1 = entity, 2 = verb, 4 = noun, added up; 0 on special tokens and
 * padding. That is what `linguisticEntity` reads.
 *
 * Rows of words (`tokenize(words, { column: 'forms' })`) take the tagger's answer word by word. Rows of text are aligned by
 * characters: a tokenizer's word is of the kinds of the tagger's words with which it shares a letter or digit. Either way
 * words are those in the row, so truncation does no harm; pairs and packed rows (documents) are counted through as `words` is.
 * Entities that begin like a number (3rd) do not count (LEM's reference); a name of two words is two entities.
 *
 * Errors, never a silent 0: no such column, a sentence that the tagger has no answer for, a text that the tokenizer's or the
 * tagger's words do not follow, rows that were made of other text or by another tokenizer.
 *
 * @example
 * sentences.pipe(batch(32), tokenize(words, { length: 128 }), tag(await winkTagger(), { tokenizer: words }), mask(linguisticEntity()));
 */
export function tag<Name extends string = 'text', Pair extends string = never>(
  tagger: Tagger,
  options: TagOptions<Name, Pair> = {},
): <C extends { readonly [K in Name | Pair]: Carried } & Pick<TokenColumns, 'tokens' | 'words'>, P extends Program | undefined>(
  source: Observable<Batch<C, P>>,
) => Observable<Batch<C & { readonly tags: Bytes }, P>> {
  checkOptions('tag', options, ['tokenizer', 'column', 'pair', 'concurrency', 'name']);
  const { tokenizer, column = 'text', pair, concurrency = 2, name = 'tag' } = options;
  check(typeof tagger?.tag === 'function', 'tag', 'tagger', 'must be a tagger', tagger, 'winkTagger, compromiseTagger, onnxTagger, goldTags make one.');
  check(tokenizer === undefined || typeof tokenizer.encode === 'function', 'tag', 'tokenizer', 'must be a tokenizer', tokenizer);
  checkInteger('tag', 'concurrency', concurrency);
  const names = pair === undefined ? [column] : [column, pair];
  const spansOf = tokenizer && tokenSpans(tokenizer);
  const shown = { tagger: tagger.recipe, column, ...(pair && { pair }), ...(tokenizer && { tokenizer: tokenizer.recipe }) };

  const work = async (batch: Batch<Fields>): Promise<Batch<Fields>> => {
    checkFree(['tags'], Object.keys(batch.columns));
    const { tokens, words } = batch.columns;
    if (!isColumn(tokens) || !isColumn(words) || words.shape.length !== 2) {
      throw new MaskflowError({
        option: 'words',
        rule: 'there is no column of word indices',
        value: Object.keys(batch.columns),
        hint: 'Put tokenize(…) in front.',
      });
    }
    const asked = textsOf(batch, names, tagger);
    const texts = asked.map(({ text }) => text);
    const whole = texts.filter((text) => typeof text === 'string');
    if (whole.length > 0 && tokenizer === undefined) {
      throw new MaskflowError({
        option: 'tokenizer',
        rule: `must be given, for column ${JSON.stringify(column)} holds text`,
        hint: 'tag(tagger, { tokenizer: words }).',
      });
    }
    const answers = await tagger.tag(
      texts,
      (tagger.reads ?? []).map((_, i) => asked.map(({ columns }) => columns[i])),
    );
    if (answers.length !== texts.length) throw new MaskflowError({ option: 'tagger', rule: `must answer every text: ${texts.length}`, value: answers.length });
    const encodings = whole.length === 0 ? [] : await (tokenizer as Tokenizer).encode(whole);

    const side = words.shape[1] as number;
    const tags = new Uint8Array(batch.rows * side);
    let [base, at, nextEncoding] = [0, 0, 0];
    for (const [n, { row, text }] of asked.entries()) {
      const where = `sample ${batch.origins[row]?.id}`;
      const encoded = typeof text === 'string' ? encodings[nextEncoding++] : undefined;
      let kinds: Uint8Array;
      try {
        kinds = wordKinds(text, answers[n] as Tagged, encoded, spansOf as NonNullable<typeof spansOf>);
      } catch (error) {
        throw inStage(name, error, where);
      }
      if (row !== asked[n - 1]?.row) [base, at] = [0, row * side];
      const end = (row + 1) * side;
      // The tokens of this text: words from `base` to `base` + its count.
      let place = 0;
      for (; at < end && (words.data[at] as number) < base + kinds.length; at++) {
        const word = (words.data[at] as number) - base;
        if ((words.data[at] as number) < 0) continue;
        const begins = words.data[at - 1] !== words.data[at] || at % side === 0;
        if (word < 0) throw strange(where);
        if (encoded !== undefined && begins) {
          while (place < encoded.ids.length && (encoded.words[place] as number) < word) place++;
          if (encoded.ids[place] !== tokens.data[at]) throw strange(where);
        }
        tags[at] = kinds[word] as number;
      }
      base += kinds.length;
      if (row !== asked[n + 1]?.row && at < end) throw strange(where);
    }
    return withColumns(batch, { tags: { data: tags, shape: [batch.rows, side] } });
  };
  return bounded(recipe('maskflow/operators', 'tag', shown), { name, per: 'batch', concurrency }, () => ({ work, stop: () => tagger.flush?.() })) as never;
}

function strange(where: string): MaskflowError {
  return new MaskflowError({
    option: 'column',
    rule: 'the row’s tokens are not those of this text',
    where,
    hint: 'Give tag the tokenizer, column and pair that tokenize (or pack) was given.',
  });
}
