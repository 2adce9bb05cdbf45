// Several documents a row, so that little of a batch is padding. It stands where `batch` would: samples in, batches out.
// Documents are never split over rows (what is longer than a row is cut), each has its own special tokens, and
// `documents` says which token belongs to which. A row has the origin of its first document; the other documents hang on
// it, so that all of them are settled when the step that used the row has finished (core/cursor.ts).
import type { OperatorFunction } from 'rxjs';
import { type Batch, type Carried, type Column, type Origin, type Sample, isColumn, withColumns } from '../../core/batch.js';
import { bounded, collecting } from '../../core/demand/index.js';
import { nextTurn } from '../../core/demand/nextTurn.js';
import { MaskflowError, inStage } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { placesWithin } from '../../models/placesWithin.js';
import { type BatchOptions, collate } from '../batch.js';
import type { Floats, Integers } from '../stages.js';
import type { Encoded, TextOrWords, Tokenizer } from '../views/tokenizer.js';
import { type Document, documentOf } from './document.js';
import { firstFit } from './firstFit.js';
import { checkFree, missingColumn, readText } from './readText.js';
import { type TokenColumns, TokenRows } from './tokenRows.js';
import { checkText } from './tokenize.js';
import type { Truncate } from './truncation.js';

export interface PackOptions<Name extends string = 'text', Pair extends string = never> extends BatchOptions {
  /** Rows a batch. */
  readonly rows: number;
  /** Tokens a row: every batch is [rows, length]. */
  readonly length: number;
  /** Field of the text, or of the words (lists of strings); default `text`. */
  readonly column?: Name;
  /** Field of a second text for each document. Default: none. */
  readonly pair?: Pair;
  /** What a document that is longer than a row loses; default `longestFirst`. */
  readonly truncate?: Truncate;
  /** Put the tokenizer's special tokens around every document; default true. */
  readonly special?: boolean;
  /** Also adds `positions`, each token's place in its document; default false. */
  readonly positions?: boolean;
  /** Documents tokenized together, ahead of packing; default 64. */
  readonly concurrency?: number;
}

/** Columns of packed rows: every field becomes the list of its documents' values. */
export type Packed<F> = { readonly [K in keyof F]: Carried } & TokenColumns & { readonly segments: Integers; readonly documents: Integers };

const added = ['tokens', 'length', 'special', 'words', 'segments', 'documents'];

/** A sample with its document, between the two halves. */
interface Prepared<F> {
  readonly sample: Sample<F>;
  readonly origin: Origin;
  readonly document: Document;
}

/** Texts that are asked for one by one and encoded together, a turn of the event loop later. */
function gathering(tokenizer: Tokenizer): (texts: readonly TextOrWords[]) => Promise<readonly Encoded[]> {
  let waiting: { texts: readonly TextOrWords[]; resolve(encoded: readonly Encoded[]): void; reject(error: unknown): void }[] = [];
  const flush = async (): Promise<void> => {
    const asked = waiting;
    waiting = [];
    try {
      const encoded = await tokenizer.encode(asked.flatMap(({ texts }) => texts));
      let at = 0;
      for (const { texts, resolve } of asked) {
        resolve(encoded.slice(at, at + texts.length));
        at += texts.length;
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  };
  return (texts) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ texts, resolve, reject }) === 1) nextTurn(() => void flush());
    });
}

/**
 * Gathers documents into batches of `rows` rows of `length` tokens, several documents a row: `tokens`, `length`, `special`,
 * `words` as of `tokenize` (words are counted over the whole row), `segments` int32 [rows, length], and `documents` int32
 * [rows, length]: index of the document in its row, −1 on padding. A model that respects boundaries lets tokens attend
 * within one document. With `positions: true` also `positions` int32 [rows, length]: each token's place in its document, from 0 in
 * every one, 0 on padding. Every other field is carried as the list of its documents' values. Grid [length].
 *
 * Rows are a pure function of the order of the documents: they do not depend on what is read ahead, and a resumed run packs
 * the same rows. `last` and `crossEpochs` are those of `batch`.
 *
 * Errors: as `tokenize`.
 *
 * @example
 * textLines('corpus/*.txt').pipe(epochs(3), shuffle(), pack(words, { rows: 32, length: 128 }));
 */
export function pack<
  F extends { readonly [K in Name | Pair]: TextOrWords },
  Name extends string = 'text',
  Pair extends string = never,
  Last extends PackOptions['last'] = undefined,
  Places extends boolean | undefined = undefined,
>(
  tokenizer: Tokenizer,
  options: PackOptions<Name, Pair> & { readonly last?: Last; readonly positions?: Places },
): OperatorFunction<
  Sample<F>,
  Batch<Packed<F> & (Last extends 'pad' ? { readonly weight: Floats } : unknown) & (Places extends true ? { readonly positions: Integers } : unknown)>
>;
export function pack<F extends object>(tokenizer: Tokenizer, options: PackOptions<string, string>): OperatorFunction<Sample<F>, Batch<Packed<F>>> {
  checkOptions('pack', options, ['rows', 'length', 'column', 'pair', 'truncate', 'special', 'positions', 'concurrency', 'last', 'crossEpochs', 'name']);
  checkText('pack', tokenizer, options);
  const { rows, length, column = 'text', pair, truncate = 'longestFirst', special = true, concurrency = 64 } = options;
  const { positions = false, last = 'keep', crossEpochs = false, name = 'pack' } = options;
  checkInteger('pack', 'rows', rows);
  checkInteger('pack', 'length', length);
  checkInteger('pack', 'concurrency', concurrency);
  check(typeof positions === 'boolean', 'pack', 'positions', 'must be true or false', positions);
  check(typeof crossEpochs === 'boolean', 'pack', 'crossEpochs', 'must be true or false', crossEpochs);
  check(['keep', 'drop', 'pad'].includes(last), 'pack', 'last', "must be 'keep', 'drop' or 'pad'", last);
  const shown = { tokenizer: tokenizer.recipe, column, ...(pair && { pair }), length, truncate, special };

  // 1. Documents, encoded many at a time, in order.
  const encoded = bounded<Sample<F>, Prepared<F>>(recipe('maskflow/operators', 'encode', shown), { name: `${name}.encode`, per: 'sample', concurrency }, () => {
    const encode = gathering(tokenizer);
    const work = async (sample: Sample<F>): Promise<Prepared<F>> => {
      const fields = sample.fields as Readonly<Record<string, unknown>>;
      checkFree(positions ? [...added, 'positions'] : added, Object.keys(fields));
      const texts = (pair === undefined ? [column] : [column, pair]).map((field) => {
        if (!(field in fields)) throw missingColumn(field, Object.keys(fields));
        return readText(fields[field], field, () => `sample ${sample.origin.id}`);
      });
      const document = documentOf(await encode(texts), special ? tokenizer.template : undefined, length, truncate);
      return { sample, origin: sample.origin, document };
    };
    return {
      work: (sample) =>
        work(sample).catch((error: unknown) => {
          throw inStage(name, error, `sample ${sample.origin.id}, epoch ${sample.origin.epoch}`);
        }),
    };
  });

  // 2. Documents into rows, rows into batches.
  const packing = recipe('maskflow/operators', 'pack', { rows, last, crossEpochs, ...(positions ? { positions } : {}), ...shown });
  const gathered = rows * Math.ceil(length / 2);
  const packed = collecting<Prepared<F>, Batch<Packed<F>>>(packing, { name, per: 'batch', samples: gathered }, ({ gate }, emit) => {
    let open: Prepared<F>[][] = [];
    let used: number[] = [];
    let latest = -1;
    let dropped: Origin[] = [];
    const send = (): void => {
      const filled = open;
      open = [];
      used = [];
      const [first] = filled;
      if (first === undefined) return;
      if (filled.length < rows && last === 'drop') {
        dropped.push(...filled.flat().map(({ origin }) => origin));
        return;
      }
      // Every document of a row is settled with it, and with the first row what was dropped before it.
      for (const [head, ...others] of filled)
        gate.cursor.attach(
          (head as Prepared<F>).origin,
          others.map(({ origin }) => origin),
        );
      gate.cursor.attach((first[0] as Prepared<F>).origin, dropped);
      dropped = [];
      const made = laidOut(filled, last === 'pad' ? rows : filled.length, length, last === 'pad', tokenizer);
      emit((positions ? withColumns(made, { positions: placesWithin(made.columns.documents as Integers) }) : made) as unknown as Batch<Packed<F>>);
    };
    return {
      next(prepared) {
        const epoch = open[0]?.[0]?.origin.epoch;
        if (!crossEpochs && epoch !== undefined && epoch !== prepared.origin.epoch) send();
        const need = prepared.document.length;
        let row = firstFit(used, rows, length, need);
        if (row < 0) {
          send();
          row = firstFit(used, rows, length, need);
        }
        if (row === open.length) open.push([]);
        open[row]?.push(prepared);
        used[row] = (used[row] ?? 0) + need;
        latest = prepared.origin.position;
      },
      complete: send,
      position: () => latest,
    };
  });
  return (source) => source.pipe(encoded, packed);
}

/** The batch of these rows. */
function laidOut<F extends object>(
  filled: readonly (readonly Prepared<F>[])[],
  rows: number,
  length: number,
  weighted: boolean,
  tokenizer: Tokenizer,
): Batch<Record<string, Column | Carried>> {
  const names = Object.keys(filled[0]?.[0]?.sample.fields ?? {});
  const samples = filled.map((row): Sample<Record<string, unknown>> => {
    const fields: Record<string, unknown> = {};
    for (const name of names) fields[name] = row.map(({ sample }) => fieldOf(sample, name, names));
    return { fields, origin: (row[0] as Prepared<F>).origin };
  });
  const batch = collate(samples, rows, weighted);
  const token = new TokenRows(rows, length, tokenizer);
  for (let row = 0; row < rows; row++) for (const { document } of filled[Math.min(row, filled.length - 1)] ?? []) token.add(row, document);
  return { ...batch, columns: { ...batch.columns, ...token.columns() }, grid: [length] };
}

/** A field's value in one document; a column of one number as that number. */
function fieldOf({ fields, origin }: Sample<object>, name: string, names: readonly string[]): unknown {
  if (!(name in fields) || Object.keys(fields).length !== names.length) {
    throw new MaskflowError({ rule: `every sample must have the fields ${names.join(', ')}`, value: Object.keys(fields), where: `sample ${origin.id}` });
  }
  const value = (fields as Record<string, unknown>)[name];
  return isColumn(value) ? value.data : value;
}
