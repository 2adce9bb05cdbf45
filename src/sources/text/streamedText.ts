// Text that is read from its beginning: standard input, pipes, gzip.
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Streamed } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import type { BadSamples } from '../arrow/badSamples.js';
import { located } from '../arrow/damaged.js';
import { recordsOf } from './records.js';
import { type TextFormat, fieldsOf, longest, noRows, stdin, tooLong } from './textFormat.js';

/** What a file is: text with random access, packed text, or a stream that comes once. */
export type Kind = 'text' | 'gzip' | 'stream';

/** These files, one after the other, in every pass. */
export function streamedText<F>(files: readonly string[], kinds: readonly Kind[], format: TextFormat<F>, bad: BadSamples): Streamed<F> {
  let open: Readable | undefined;
  async function* rows(epoch: number): AsyncGenerator<F | undefined, void> {
    if (epoch > 0 && kinds.includes('stream')) {
      throw new MaskflowError({
        rule: `${files[0] === stdin ? 'standard input' : files[0]} can be read only once, and a second epoch was asked for`,
        hint: 'Write it to a file first and name that file, or use epochs(1).',
      });
    }
    let id = 0;
    for (const [i, file] of files.entries()) {
      const name = file === stdin ? 'standard input' : file;
      const raw = file === stdin ? process.stdin : createReadStream(file);
      open = raw;
      const text = kinds[i] === 'gzip' ? raw.pipe(createGunzip()) : raw;
      // An error of the file must reach the reader, who listens to the unzipped stream.
      if (text !== raw) raw.once('error', (error: Error) => text.destroy(error));
      try {
        for await (const record of recordsOf(text as AsyncIterable<Uint8Array>, format.unit, longest, tooLong(name)))
          yield fieldsOf(record, id++, name, format, bad);
      } catch (error) {
        if (kinds[i] === 'gzip' && !(error instanceof MaskflowError)) {
          throw new MaskflowError({
            rule: `the gzip data is damaged or cut short: ${(error as Error).message}`,
            where: name,
            cause: error,
            hint: 'Copy it again; gzip -t tests it.',
          });
        }
        throw located(error, name);
      } finally {
        raw.destroy();
      }
    }
    if (id === 0) throw noRows(files);
  }
  return {
    rows,
    close: () => {
      bad.end();
      open?.destroy();
    },
  };
}
