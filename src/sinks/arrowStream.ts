import { targetOf } from './arrow/target.js';
import { type ArrowSink, type ArrowSinkOptions, writing } from './arrow/writing.js';

export type ArrowStreamOptions = ArrowSinkOptions;

/**
 * Writes every batch into an Arrow IPC stream and passes it on: `-` is standard output (a slow reader slows the chain
 * down; one that goes away ends it with an error whose cause has the code EPIPE), a named pipe or device is written as
 * it comes, any other path as `arrowFile` writes it: under another name until it is complete.
 *
 * @param options as for `arrowFile`
 * @throws MaskflowError (through the stream) as `arrowFile` does.
 *
 * @example
 * batches.pipe(mask(random({ ratio: 0.75 })), arrowStream('-'));
 */
export function arrowStream(path: string, options: ArrowStreamOptions = {}): ArrowSink {
  return writing('arrowStream', path, 'stream', options, () => targetOf(path));
}
