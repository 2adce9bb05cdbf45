// Hidden tokens of numbers (frames, patches) as one value: the corruption of masked speech and image modelling where no mask
// token is learnt. The model sees where something is missing only by the column `mask`, or by the value.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Bytes, Floats, Stage } from '../stages.js';
import { columnOf, hiddenOf, refuseColumns, told } from './hiddenIds.js';

export interface ReplaceWithValueOptions<From extends string = string, To extends string = string> {
  /** The number that every component of a hidden token becomes. Default 0, the mean of standardised data. */
  readonly value?: number;
  /** Column of numbers. Default `tokens`. */
  readonly column?: From;
  /** Name of the new column. Default `inputs`. */
  readonly as?: To;
  /** Stage name; default `replaceWithValue`. */
  readonly name?: string;
}

/**
 * Adds `inputs`: float32 of the shape of `tokens`, [rows, tokens, width] or [rows, tokens], with `value` in place of every
 * number of a hidden token. Reads `tokens` (float32) and `mask`.
 *
 * @throws MaskflowError for a value that is no finite number, a missing or ill-typed column, and where there are inputs already
 *
 * @example
 * frames.pipe(mask(spans({ ratio: 0.4 })), replaceWithValue({ value: 0 }));
 */
export function replaceWithValue<From extends string = 'tokens', To extends string = 'inputs'>(
  options: ReplaceWithValueOptions<From, To> = {},
): Stage<{ readonly [K in From]: Floats } & { readonly mask: Bytes }, { readonly [K in To]: Floats }> {
  checkOptions('replaceWithValue', options, ['value', 'column', 'as', 'name']);
  const { value = 0, column = 'tokens', as = 'inputs', name = 'replaceWithValue' } = options;
  check(Number.isFinite(value), 'replaceWithValue', 'value', 'must be a finite number', value);
  const made = recipe('maskflow/operators', 'replaceWithValue', { value, column, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    refuseColumns(batch, as);
    const { mask, cells } = hiddenOf(batch);
    const tokens = columnOf(batch, column, 'Put a view such as patchify(4) in front.');
    const width = 'data' in tokens ? tokens.data.length / mask.length : 0;
    if (!('data' in tokens && tokens.data instanceof Float32Array && (mask.length === 0 ? tokens.data.length === 0 : Number.isInteger(width)))) {
      throw new MaskflowError({
        option: column,
        rule: `the column ${column} must be float32 [${batch.rows}, ${cells}, …]`,
        value: told(tokens),
        hint: 'For ids take replaceWithMask.',
      });
    }
    const data = tokens.data.slice();
    for (let token = 0; token < mask.length; token++) if (mask[token] === 1) data.fill(value, token * width, (token + 1) * width);
    return withColumns(batch, { [as]: { data, shape: tokens.shape } });
  });
  return operator as unknown as Stage<{ readonly [K in From]: Floats } & { readonly mask: Bytes }, { readonly [K in To]: Floats }>;
}
