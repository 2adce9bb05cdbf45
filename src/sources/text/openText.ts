// Text files as a source's data: regular files by an index (length, random access, exact resume), what cannot be sought
// (standard input, pipes, gzip) from its beginning.
import { stat } from 'node:fs/promises';
import type { Indexed, Streamed } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { BadSamples } from '../arrow/badSamples.js';
import { filesOf } from '../arrow/glob.js';
import { Handles } from '../handles.js';
import { indexedText } from './indexedText.js';
import { type Kind, streamedText } from './streamedText.js';
import { type TextFileOptions, type TextFormat, stdin } from './textFormat.js';

/** Opens text files as a source's data. */
export async function openText<F>(
  paths: readonly string[],
  format: TextFormat<F>,
  options: TextFileOptions,
  bad = new BadSamples(options, format.stage),
): Promise<Indexed<F> | Streamed<F>> {
  const files = paths[0] === stdin ? [stdin] : await filesOf(paths);
  const kinds = await Promise.all(files.map(kindOf));
  const once = kinds.indexOf('stream');
  if (once >= 0 && files.length > 1) {
    throw new MaskflowError({
      rule: 'is a pipe or device, which can only be read alone',
      where: files[once] as string,
      hint: 'Write it to a file first, and name that.',
    });
  }
  return kinds.every((kind) => kind === 'text') ? indexedText(files, format, options, bad) : streamedText(files, kinds, format, bad);
}

async function kindOf(file: string): Promise<Kind> {
  if (file === stdin || !(await stat(file)).isFile()) return 'stream';
  const handles = new Handles();
  try {
    const [a, b] = await handles.reading(file)(0, 2);
    if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
      throw new MaskflowError({ rule: 'is UTF-16, and text must be UTF-8', where: file, hint: 'Convert it: iconv -f UTF-16 -t UTF-8 in.txt > out.txt' });
    }
    return a === 0x1f && b === 0x8b ? 'gzip' : 'text';
  } finally {
    await handles.close();
  }
}
