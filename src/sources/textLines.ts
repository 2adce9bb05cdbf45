// Samples from plain text: one a line. Parallel text in one file is lines with a tab between the sides.
import type { Observable } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { source } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { openText } from './text/openText.js';
import { type TextFileOptions, checkTextFiles, shownFiles } from './text/textFormat.js';

export interface TextLinesOptions<Name extends string = 'text'> extends TextFileOptions {
  /** Field of the line; several names: fields between tabs, which every line must then have as many of. Default `text`. */
  readonly columns?: Name | readonly Name[];
  /** Lines that are empty or blank: `skip` them (they have no id), or `keep` them as samples. Default `skip`. */
  readonly emptyLines?: 'skip' | 'keep';
}

/**
 * One sample a line of UTF-8 text. `path` is a file, a pattern (`*`, `?`, `**`), a list of both, or `-` for standard input.
 * Line ends may be LF or CR LF; a byte-order mark is left out. Files on disk are indexed by one pass over their bytes
 * (length, random access, exact resume); gzip and what cannot be sought are read from the beginning.
 *
 * @throws MaskflowError (through the stream) for a file that is missing, UTF-16, or has no lines; samples that cannot be
 * used (no valid UTF-8, another number of tabs), naming file and line.
 *
 * @example
 * textLines('corpus/*.txt').pipe(epochs(3), shuffle(), batch(32), tokenize(words));
 * textLines('pairs.tsv', { columns: ['en', 'de'] }).pipe(batch(32), tokenize(words, { column: 'en', pair: 'de' }));
 */
export function textLines<Name extends string = 'text'>(
  path: string | readonly string[],
  options: TextLinesOptions<Name> = {},
): Observable<Sample<{ readonly [K in Name]: string }>> {
  checkOptions('textLines', options, ['columns', 'emptyLines', 'cacheBytes', 'onBadSample', 'maxBad', 'onSkip']);
  const paths = checkTextFiles('textLines', path, options);
  const { columns = 'text' as Name, emptyLines = 'skip' } = options;
  check(emptyLines === 'skip' || emptyLines === 'keep', 'textLines', 'emptyLines', "must be 'skip' or 'keep'", emptyLines);
  const names = typeof columns === 'string' ? [columns] : columns;
  const legal =
    Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string' && name !== '') && new Set(names).size === names.length;
  check(legal, 'textLines', 'columns', 'must be one name or several different ones', columns);
  const parse = (text: string): Record<string, string> => {
    const [name] = names;
    if (names.length === 1) return { [name as string]: text };
    const cells = text.split('\t');
    if (cells.length !== names.length) {
      throw new MaskflowError({ rule: `a sample cannot be used: a line must have ${names.length} fields with tabs between them`, value: cells.length });
    }
    return Object.fromEntries(names.map((field, i) => [field, cells[i] as string]));
  };
  const made = recipe('maskflow/sources', 'textLines', { columns, emptyLines, ...shownFiles(paths, options) });
  return source(made, () => openText(paths, { stage: 'textLines', unit: emptyLines === 'keep' ? 'lines' : 'filled', parse }, options)) as Observable<
    Sample<{ readonly [K in Name]: string }>
  >;
}
