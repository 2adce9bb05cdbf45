// What is wrong with an Arrow file: the reader's own exceptions as errors that say where and what to do.
import { MaskflowError } from '../../core/errors.js';

/** What is wrong with a message, as an error that says what to do. */
export function damaged(what: string, cause?: unknown): MaskflowError {
  const text = cause instanceof Error ? cause.message : '';
  if (/codec not found/u.test(text)) return compressed();
  if (/Unrecognized type/u.test(text)) {
    const type = /"?(\w+)"? ?\(?\d*\)?$/u.exec(text)?.[1] ?? 'unknown';
    return new MaskflowError({
      rule: `holds a column of a type that Arrow JS cannot read: ${text}`,
      cause,
      hint: `${/RunEnd|22/u.test(text) ? 'Run-end-encoded columns' : `Columns of type ${type}`} must be converted first, in Python: table.set_column(i, name, pyarrow.compute.run_end_decode(table[name])).`,
    });
  }
  return new MaskflowError({
    rule: `${what} is damaged${text ? `: ${text.replace(/\.$/u, '')}` : ''}`,
    ...(cause === undefined ? {} : { cause }),
    hint: 'Copy or write the file again; if it was downloaded, compare its checksum.',
  });
}

/** The same error with the place where it happened, if it has none yet. */
export function located(error: unknown, where: string): MaskflowError {
  const problem =
    error instanceof MaskflowError ? error.problem : { rule: error instanceof Error ? error.message.replace(/\.$/u, '') : String(error), cause: error };
  return new MaskflowError({ where, ...problem });
}

export function compressed(type?: number): MaskflowError {
  return new MaskflowError({
    rule: `its buffers are compressed${type === undefined ? '' : ` with ${type === 0 ? 'lz4' : 'zstd'}`}, and no codec for that is registered`,
    hint: "Write it without compression (pyarrow: ipc.IpcWriteOptions(compression=None)), or register a codec in apache-arrow's compressionRegistry.",
  });
}
