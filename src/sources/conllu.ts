// Sentences with gold words and tags, from CoNLL-U files.
import type { Observable } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { source } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { type Sentence, parseSentence } from './text/conlluSentence.js';
import { openText } from './text/openText.js';
import { type TextFileOptions, checkTextFiles, shownFiles } from './text/textFormat.js';

export interface ConlluOptions<Name extends keyof Sentence> extends TextFileOptions {
  /** Fields to take of a sentence. Default: all. */
  readonly columns?: readonly Name[];
}

const known: readonly (keyof Sentence)[] = [
  ...(['id', 'text', 'forms', 'lemmas', 'upos', 'xpos', 'feats', 'heads', 'relations', 'deps', 'misc'] as const),
  ...(['multiword', 'empty', 'metadata'] as const),
];

/**
 * One sample a sentence of CoNLL-U: `id`, `text`, and lists with one entry a word: `forms`, `lemmas`, `upos`, `xpos`,
 * `feats`, `heads` (0 = root, −1 = open), `relations`, `deps`, `misc`, as the file has them (`_` = open). Words are syntactic
 * words; tokens that stand for several are in `multiword`, nodes without a word in `empty`, comments in `metadata`. Take
 * `forms` for word-level work: tokenize(words, { column: 'forms' }) then counts words as `upos` does. `path` is as of
 * `textLines`.
 *
 * @throws MaskflowError (through the stream) as `textLines` does; sentences that cannot be used (columns, numbering, ranges,
 * heads), naming file and line.
 *
 * @example
 * conllu('en_ewt-ud-*.conllu', { columns: ['text', 'forms', 'upos'] }).pipe(epochs(3), shuffle(), batch(32), tokenize(words, { column: 'forms' }));
 */
export function conllu<Name extends keyof Sentence = keyof Sentence>(
  path: string | readonly string[],
  options: ConlluOptions<Name> = {},
): Observable<Sample<Pick<Sentence, Name>>> {
  checkOptions('conllu', options, ['columns', 'cacheBytes', 'onBadSample', 'maxBad', 'onSkip']);
  const paths = checkTextFiles('conllu', path, options);
  const { columns } = options;
  check(columns === undefined || columns.length > 0, 'conllu', 'columns', 'must name at least one field', columns);
  const wrong = columns?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    const near = nearest(wrong, known);
    throw new MaskflowError({
      stage: 'conllu',
      option: 'columns',
      rule: 'a sentence has no such field',
      value: wrong,
      hint: `${near ? `Did you mean ${near}? ` : ''}Fields: ${known.join(', ')}.`,
    });
  }
  const parse = (block: string, line: number): Pick<Sentence, Name> => {
    const sentence = parseSentence(block, line);
    return columns === undefined ? sentence : (Object.fromEntries(columns.map((name) => [name, sentence[name]])) as Pick<Sentence, Name>);
  };
  const made = recipe('maskflow/sources', 'conllu', { ...(columns && { columns }), ...shownFiles(paths, options) });
  return source(made, () => openText(paths, { stage: 'conllu', unit: 'blocks', parse }, options));
}
