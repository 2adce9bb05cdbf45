import { stat } from 'node:fs/promises';
import { MaskflowError } from '../core/errors.js';
import { fileTarget } from './arrow/target.js';
import { type ArrowSink, type ArrowSinkOptions, writing } from './arrow/writing.js';

export type ArrowFileOptions = ArrowSinkOptions;

/**
 * Writes every batch into an Arrow IPC file (random access; `arrow(path)` reads it, pyarrow reads its tensors as
 * `fixed_shape_tensor`) and passes it on. The file is `path` + '.partial' until the stream completes and then takes its
 * name in one step; on an error or when it is unsubscribed early, the half-written one is removed and `path` stays
 * untouched. Batch by batch: memory does not grow with the data.
 *
 * @param options `origins`: keep origins in a struct column `origin`; `lists`: tensor columns to write as
 * variable-length lists, cut to the column `length` (batches padded to different lengths need it)
 * @throws MaskflowError (through the stream) where the path cannot be written, a later batch has another schema than the
 * first, a column has no Arrow type, or no batch arrived.
 *
 * @example
 * batches.pipe(mask(random({ ratio: 0.75 })), arrowFile('masked.arrow', { origins: true }));
 */
export function arrowFile(path: string, options: ArrowFileOptions = {}): ArrowSink {
  return writing('arrowFile', path, 'file', options, async () => {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) throw new MaskflowError({ rule: 'this is a folder, not a file', where: path });
    return fileTarget(path);
  });
}
