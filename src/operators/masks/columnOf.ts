import type { Data } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import type { Tokens } from './select.js';

const dtypes = { int32: Int32Array, uint8: Uint8Array, float32: Float32Array } as const;
type DTypes = { readonly int32: Int32Array; readonly uint8: Uint8Array; readonly float32: Float32Array };

/**
 * A column that a rule reads, one number a token; undefined where the sample has none.
 *
 * @throws MaskflowError for another type, or too few numbers
 *
 * @example
 * const words = columnOf(tokens, 'words', 'int32');
 */
export function columnOf<D extends keyof DTypes>({ columns, length }: Tokens, name: string, dtype: D): DTypes[D] | undefined {
  const data: Data | undefined = columns?.[name];
  if (data === undefined) return undefined;
  if (data instanceof dtypes[dtype] && data.length >= length) return data as DTypes[D];
  throw new MaskflowError({
    option: name,
    rule: `the column ${name} must be ${dtype} with one number for each of the ${length} tokens`,
    value: `${data.constructor.name} of ${data.length}`,
  });
}

/** `columnOf`, and an error where the sample has none. */
export function neededColumn<D extends keyof DTypes>(tokens: Tokens, name: string, dtype: D): DTypes[D] {
  const data = columnOf(tokens, name, dtype);
  if (data === undefined) throw new MaskflowError({ option: name, rule: `there is no column ${name}, which the mask reads` });
  return data;
}
