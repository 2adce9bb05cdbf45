// A tokenizer of the user's own text. The native library learns (its trainer takes no vocabulary size, but learns in order, so
// what it learnt is cut to the wanted size), the file is written by us: complete or not at all.
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Observable, tap } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { drain } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { type Learnt, trainNative } from './text/trainNative.js';
import { trainedTokenizer } from './text/trainedTokenizer.js';

export interface TrainTokenizerOptions {
  /** `bytePairs`: byte-level BPE, which knows every text (256 entries for bytes). `wordPiece`: BERT's, with an unknown token. */
  readonly kind: 'bytePairs' | 'wordPiece';
  /** Entries in all, special tokens included; exactly as many are made. bytePairs with 261 is a model of single bytes. */
  readonly vocabulary: number;
  /** Field of the text (or of lists of words) where the corpus is a source; default `text`. */
  readonly column?: string;
  /** Default: true for wordPiece (accents are stripped with it, as BERT does), false for bytePairs. */
  readonly lowercase?: boolean;
  /** bytePairs: a text's first word is written as one after a space, so that it is the same word everywhere. Default true. */
  readonly prefixSpace?: boolean;
  /** Names of the five special tokens, which get the ids 0 to 4 in this order; default [PAD], [UNK], [CLS], [SEP], [MASK]. */
  readonly special?: { readonly pad?: string; readonly unk?: string; readonly cls?: string; readonly sep?: string; readonly mask?: string };
  /** Further special tokens, behind those. */
  readonly more?: readonly string[];
}

/** Texts: strings, or a source of samples. */
export type Corpus = Iterable<string> | AsyncIterable<string> | Observable<Sample<object>>;

const usual = { pad: '[PAD]', unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' };

/**
 * Trains a tokenizer and writes it as a Hugging Face `tokenizer.json`, by rename. The same corpus and options give the same
 * bytes. Texts are learnt line by line, in one pass; order counts only where it changes nothing. The template is BERT's:
 * [CLS] A [SEP] and [CLS] A [SEP] B [SEP], segments 0 and 1. Needs the native library (npm `tokenizers`).
 *
 * @returns what a pipeline hands to `prepared`: a function that writes the file.
 * @throws MaskflowError (through the promise) for a vocabulary that is smaller than its alphabet, or larger than the corpus or
 * the native trainer (30,000 entries) yield; a corpus without text.
 *
 * @example
 * await trainTokenizer(textLines('corpus/*.txt'), { kind: 'bytePairs', vocabulary: 8000 })('tokenizer.json');
 * const words = await tokenizer('tokenizer.json');
 */
export function trainTokenizer(corpus: Corpus, options: TrainTokenizerOptions): (file: string) => Promise<void> {
  const stage = 'trainTokenizer';
  checkOptions(stage, options, ['kind', 'vocabulary', 'column', 'lowercase', 'prefixSpace', 'special', 'more']);
  const { kind, vocabulary, column = 'text', prefixSpace = true, more = [] } = options;
  check(kind === 'bytePairs' || kind === 'wordPiece', stage, 'kind', "must be 'bytePairs' or 'wordPiece'", kind);
  checkInteger(stage, 'vocabulary', vocabulary);
  const { lowercase = kind === 'wordPiece' } = options;
  checkOptions(stage, options.special ?? {}, Object.keys(usual));
  const special = { ...usual, ...options.special };
  const names = [...Object.values(special), ...more];
  check(
    names.every((name) => typeof name === 'string' && name !== '') && new Set(names).size === names.length,
    stage,
    'special',
    'must be different names',
    names,
  );
  return async (file) => {
    const folder = await mkdtemp(join(tmpdir(), 'maskflow-tokenizer-'));
    try {
      const texts = join(folder, 'corpus.txt');
      await writeCorpus(corpus, column, texts);
      await trainNative({ kind, lowercase, prefixSpace, corpus: texts, folder });
      const learnt = JSON.parse(await readFile(join(folder, 'learnt.json'), 'utf8')) as Learnt;
      await replace(file, JSON.stringify(trainedTokenizer(learnt, { kind, vocabulary, lowercase, prefixSpace, special, more })));
    } catch (error) {
      throw inStage(stage, error);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

/** Writes the texts, a MiB at once and synchronously: nothing piles up, however fast they come. */
async function writeCorpus(corpus: Corpus, column: string, file: string): Promise<void> {
  const out = openSync(file, 'w');
  let [written, buffer] = [0, ''];
  const flush = (): void => {
    writeFileSync(out, buffer);
    buffer = '';
  };
  const put = (text: unknown, where: string): void => {
    const line = Array.isArray(text) ? text.join(' ') : text;
    if (typeof line !== 'string') throw new MaskflowError({ option: 'column', rule: 'the corpus must be text, or lists of words', value: text, where });
    written += line.trim().length;
    buffer += line.endsWith('\n') ? line : `${line}\n`;
    if (buffer.length >= 2 ** 20) flush();
  };
  try {
    if (typeof (corpus as Observable<unknown>)?.subscribe === 'function') {
      const each = tap(({ fields, origin }: Sample<object>) => {
        if (!(column in fields)) throw new MaskflowError({ option: 'column', rule: `there is no field ${JSON.stringify(column)}`, value: Object.keys(fields) });
        put((fields as Record<string, unknown>)[column], `sample ${origin.id}`);
      });
      await drain((corpus as Observable<Sample<object>>).pipe(each));
    } else {
      let index = 0;
      for await (const text of corpus as AsyncIterable<string>) put(text, `text ${index++}`);
    }
    flush();
  } finally {
    closeSync(out);
  }
  if (written === 0) throw new MaskflowError({ option: 'corpus', rule: 'there is no text in it' });
}

/** Writes a whole file beside and renames it. */
async function replace(file: string, content: string): Promise<void> {
  const partial = `${file}.partial-${process.pid}`;
  try {
    const handle = await open(partial, 'w');
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
