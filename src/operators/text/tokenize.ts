// Batches of text become ids on a 1-D grid. It stands behind `batch`, because tokenizers are fastest on whole batches
// (2.7 times, measured) and rows are padded to the longest of their batch; several batches are worked on ahead of the
// training step, as many as the run's `prefetch` lets in. Several documents a row: see `pack`.
import type { Observable } from 'rxjs';
import { type Batch, type Carried, type Column, carriedAt, isColumn, withColumns } from '../../core/batch.js';
import { bounded } from '../../core/demand/index.js';
import { MaskflowError, inStage } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Program } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';
import { placesWithin } from '../../models/placesWithin.js';
import type { Integers } from '../stages.js';
import type { Encoded, TextOrWords, Tokenizer } from '../views/tokenizer.js';
import { type Document, documentOf } from './document.js';
import { checkFree, missingColumn, readText } from './readText.js';
import { type TokenColumns, TokenRows, paddedLength } from './tokenRows.js';
import type { Truncate } from './truncation.js';

export interface TokenizeOptions<Text extends string = 'text', Pair extends string = never, Places extends boolean = boolean> {
  /** Column of the text, or of the words (lists of strings); default `text`. */
  readonly column?: Text;
  /** Column of a second text for each row: a translation, an answer. Default: none. */
  readonly pair?: Pair;
  /** Most tokens a row, special ones included. Default: no bound. */
  readonly length?: number;
  /** How long rows are: as the `longest` of their batch, or `length` always. Default `longest`. */
  readonly pad?: 'longest' | 'length';
  /** With `longest`, lengths are rounded up to a multiple of this (never above `length`), so that batches have few shapes. Default 8. */
  readonly multiple?: number;
  /** What a row that is too long loses; default `longestFirst`. */
  readonly truncate?: Truncate;
  /** With `pair`, also adds `positions`: each token's place in its own text, for translation language modelling as in XLM. Default false. */
  readonly positions?: Places;
  /** Put the tokenizer's special tokens around texts; default true. */
  readonly special?: boolean;
  /** Batches worked on at once; default 2. */
  readonly concurrency?: number;
  /** Stage name; default `tokenize`. */
  readonly name?: string;
}

const rules = ['longestFirst', 'onlyFirst', 'onlySecond', false];

/** Throws unless a tokenizer and the options that `tokenize` and `pack` share are legal. */
export function checkText(
  stage: string,
  tokenizer: Tokenizer,
  options: { readonly length?: number; readonly truncate?: Truncate; readonly special?: boolean },
): void {
  check(
    typeof tokenizer?.encode === 'function',
    stage,
    'tokenizer',
    'must be a tokenizer',
    tokenizer,
    `Write const words = await tokenizer('tokenizer.json'); … ${stage}(words).`,
  );
  const { length, truncate = 'longestFirst', special = true } = options;
  if (length !== undefined) checkInteger(stage, 'length', length);
  check(rules.includes(truncate), stage, 'truncate', "must be 'longestFirst', 'onlyFirst', 'onlySecond' or false", truncate);
  check(typeof special === 'boolean', stage, 'special', 'must be true or false', special);
}

type Fields = Readonly<Record<string, Column | Carried>>;

function textsOf({ columns, origins, rows }: Batch<Fields>, name: string): TextOrWords[] {
  const column = columns[name];
  if (column === undefined) throw missingColumn(name, Object.keys(columns));
  if (isColumn(column))
    throw new MaskflowError({ option: 'column', rule: `column ${JSON.stringify(name)} must hold text, or lists of words`, value: 'numbers' });
  return Array.from({ length: rows }, (_, row) => readText(carriedAt(column, row), name, () => `sample ${origins[row]?.id}`));
}

/**
 * Adds to a batch of texts: `tokens` int32 [rows, L] (ids), `length` int32 [rows] (tokens that exist, special ones
 * included), `special` uint8 [rows, L] (1 on special tokens and padding), `words` int32 [rows, L] (index of the word in its
 * row, −1 on special tokens and padding; with `pair` the second text's words go on where the first one's end) and, with
 * `pair`, `segments` int32 [rows, L] (as the tokenizer's template numbers them); with `positions` too, `positions` int32 [rows, L],
 * counted from 0 again where the segment changes. Grid [L]. The text stays. Rows with the
 * same text are the same whatever else is in their batch, but for padding.
 *
 * A column of lists of words (gold tokens) is taken word by word: `words` then counts the list.
 *
 * Errors: no such column, other things than text in it, a row that is too long where nothing may be cut.
 *
 * @example
 * const words = await tokenizer('tokenizer.json');
 * textLines('corpus/*.txt').pipe(epochs(3), shuffle(), batch(32), tokenize(words, { length: 128 }));
 */
export function tokenize<Name extends string = 'text', Pair extends string = never, Places extends boolean = false>(
  tokenizer: Tokenizer,
  options: TokenizeOptions<Name, Pair, Places> = {},
): <C extends { readonly [K in Name | Pair]: Carried }, P extends Program | undefined>(
  source: Observable<Batch<C, P>>,
) => Observable<
  Batch<
    C &
      TokenColumns &
      ([Pair] extends [never] ? unknown : { readonly segments: Integers }) &
      (Places extends true ? { readonly positions: Integers } : unknown),
    P
  >
> {
  checkOptions('tokenize', options, ['column', 'pair', 'length', 'pad', 'multiple', 'truncate', 'special', 'positions', 'concurrency', 'name']);
  checkText('tokenize', tokenizer, options);
  const {
    column = 'text',
    pair,
    length,
    pad = 'longest',
    multiple = 8,
    truncate = 'longestFirst',
    special = true,
    positions = false,
    concurrency = 2,
    name = 'tokenize',
  } = options;
  check(pad === 'longest' || pad === 'length', 'tokenize', 'pad', "must be 'longest' or 'length'", pad);
  check(pad === 'longest' || length !== undefined, 'tokenize', 'length', "must be given with pad: 'length'", length, 'Try { length: 128, pad: … }.');
  checkInteger('tokenize', 'multiple', multiple);
  check(typeof positions === 'boolean', 'tokenize', 'positions', 'must be true or false', positions);
  check(!positions || pair !== undefined, 'tokenize', 'positions', 'are those in each text of a pair', positions, 'Name the second text: { pair: … }.');
  checkInteger('tokenize', 'concurrency', concurrency);
  const most = length ?? Number.POSITIVE_INFINITY;
  const added = ['tokens', 'length', 'special', 'words', ...(pair === undefined ? [] : ['segments']), ...(positions ? ['positions'] : [])];
  const shown = {
    tokenizer: tokenizer.recipe,
    column,
    ...(pair && { pair }),
    ...(length && { length }),
    pad,
    multiple,
    truncate,
    special,
    ...(positions ? { positions } : {}),
  };

  const work = async (batch: Batch<Fields>): Promise<Batch<Fields>> => {
    checkFree(added, Object.keys(batch.columns));
    const firsts = textsOf(batch, column);
    const seconds = pair === undefined ? [] : textsOf(batch, pair);
    const encoded = await tokenizer.encode([...firsts, ...seconds]);
    const documents = firsts.map((_, row): Document => {
      const texts = [encoded[row], encoded[batch.rows + row]].filter((text): text is Encoded => text !== undefined);
      try {
        return documentOf(texts, special ? tokenizer.template : undefined, most, truncate);
      } catch (error) {
        throw inStage(name, error, `sample ${batch.origins[row]?.id}`);
      }
    });
    const longest = documents.reduce((most, document) => Math.max(most, document.length), 0);
    const side = pad === 'length' ? most : paddedLength(longest, multiple, most);
    const rows = new TokenRows(batch.rows, side, tokenizer);
    for (const [row, document] of documents.entries()) rows.add(row, document);
    const { segments, documents: _, ...columns } = rows.columns();
    const places = positions ? { positions: placesWithin(segments) } : {};
    return withColumns(batch, pair === undefined ? columns : { ...columns, segments, ...places }, [side]);
  };
  return bounded(recipe('maskflow/operators', 'tokenize', shown), { name, per: 'batch', concurrency }, () => ({ work })) as never;
}
