// Parallel text in several files: line n of each is the same sentence.
import type { Observable } from 'rxjs';
import type { Sample } from '../core/batch.js';
import { type Indexed, source } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { BadSamples } from './arrow/badSamples.js';
import { openText } from './text/openText.js';
import { type TextFileOptions, checkTextFiles, shownFiles } from './text/textFormat.js';

/**
 * One sample for line n of all files: `{ en: 'corpus.en', de: 'corpus.de' }` gives fields `en` and `de`. Each value is a
 * file, a pattern or a list, as of `textLines`; all sides must have as many lines. A pair with an empty side is a sample that
 * cannot be used: `onBadSample: 'skip'` leaves such pairs out.
 *
 * @throws MaskflowError (through the stream) as `textLines` does, and for sides of unequal length, gzip or standard input.
 *
 * @example
 * parallelLines({ en: 'corpus.en', de: 'corpus.de' }, { onBadSample: 'skip' }).pipe(batch(32), tokenize(words, { column: 'en', pair: 'de' }));
 */
export function parallelLines<Name extends string>(
  sides: { readonly [K in Name]: string | readonly string[] },
  options: TextFileOptions = {},
): Observable<Sample<{ readonly [K in Name]: string }>> {
  const stage = 'parallelLines';
  checkOptions(stage, options, ['cacheBytes', 'onBadSample', 'maxBad', 'onSkip']);
  const names = Object.keys(sides ?? {}) as Name[];
  check(names.length >= 2, stage, 'sides', 'must name two files or more', sides, "Write parallelLines({ en: 'corpus.en', de: 'corpus.de' }).");
  const paths = names.map((name) => checkTextFiles(stage, sides[name], options));
  const { path: _, ...shown } = shownFiles([], options) as { path: unknown };
  return source(recipe('maskflow/sources', stage, { sides, ...shown }), async () => {
    const bad = new BadSamples(options, stage);
    const opened: Indexed<{ text: string }>[] = [];
    const close = async (): Promise<void> => {
      for (const side of opened) await side.close();
    };
    try {
      for (const [i, name] of names.entries()) {
        const parse = (text: string): { text: string } => {
          if (text.trim() !== '') return { text };
          throw new MaskflowError({ rule: `a sample cannot be used: its side ${name} is empty` });
        };
        const side = await openText(paths[i] as readonly string[], { stage, unit: 'lines', parse }, options, bad);
        if (!('at' in side)) {
          await side.close();
          throw new MaskflowError({
            option: name,
            rule: 'must be a regular text file, so that sides can be read together',
            value: sides[name],
            hint: 'Unpack it, or write it to a file.',
          });
        }
        opened.push(side);
      }
      const lengths = opened.map(({ length }) => length);
      if (lengths.some((length) => length !== lengths[0])) {
        throw new MaskflowError({ rule: 'all sides must have as many lines', value: Object.fromEntries(names.map((name, i) => [name, lengths[i]])) });
      }
      return {
        length: lengths[0] as number,
        fingerprint: opened.map(({ fingerprint }) => fingerprint).join(' '),
        at: async (id: number) => {
          const found = await Promise.all(opened.map((side) => side.at(id)));
          if (found.includes(undefined)) return undefined;
          return Object.fromEntries(names.map((name, i) => [name, found[i]?.text])) as { [K in Name]: string };
        },
        close,
      };
    } catch (error) {
      await close();
      throw error;
    }
  });
}
