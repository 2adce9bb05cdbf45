// The stage that hides tokens. It decides nothing itself: it gives the rule each sample's grid, length, score and key.
import { type AnyBatch, type Carried, type Column, sizeOf, withColumns } from '../core/batch.js';
import { stage } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { sampleKey } from '../core/key.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { Mask } from './masks/select.js';
import type { Bytes, Stage } from './stages.js';

export interface MaskOptions {
  /** Stage name, the key of its draws: two stages of different names draw different masks. Default `mask`. */
  readonly name?: string;
  /** A float32 column of one number a token for rules that look at one; without it no data reaches the rule. */
  readonly score?: string;
}

/**
 * Adds the column `mask`: uint8 [rows, …grid], 1 = hidden. Each row's mask is a function of the run's seed, the stage's name
 * and the sample (source, id, epoch), with its grid and length, and of nothing else: not of the batch it is in, and of the
 * data only where `score` names a column. The layout is the batch's `grid`, or [tokens.shape[1]] where it has none; a column
 * `length` (float32 or int32, one integer a row) says how many tokens exist, those behind are never hidden.
 *
 * @throws MaskflowError, naming the sample, for a missing layout or score column, a length that the grid cannot hold, and a
 * batch that has a mask already
 *
 * @example
 * images.pipe(patchify(4), mask(random({ ratio: 0.75 })));
 */
export function mask(rule: Mask, options: MaskOptions = {}): Stage<{ readonly tokens: Column }, { readonly mask: Bytes }> {
  checkOptions('mask', options, ['name', 'score']);
  const { name = 'mask', score } = options;
  check(typeof rule?.hide === 'function', 'mask', 'rule', 'must be a mask', rule, 'Try mask(random({ ratio: 0.75 })).');
  const made = recipe('maskflow/operators', 'mask', { rule: rule.recipe, ...(score === undefined ? {} : { score }) });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => (batch) => {
    if (batch.columns.mask !== undefined) {
      throw new MaskflowError({
        option: 'mask',
        rule: 'the batch has a column mask already, and a stage never replaces what it does not own',
        hint: 'Mask it once, or drop the column in front with map.',
      });
    }
    const grid = gridOf(batch);
    const cells = sizeOf(grid);
    const lengths = batch.columns.length === undefined ? undefined : lengthColumn(batch.columns.length, batch.rows);
    const scores = score === undefined ? undefined : scoreColumn(batch, score, cells);
    const data = new Uint8Array(batch.rows * cells);
    for (let row = 0; row < batch.rows; row++) {
      const origin = batch.origins[row] as (typeof batch.origins)[number];
      try {
        const length = lengths === undefined ? cells : (lengths[row] as number);
        if (!(Number.isInteger(length) && length >= 0 && length <= cells)) {
          throw new MaskflowError({
            option: 'length',
            rule: `must be an integer from 0 to ${cells}, the tokens of a grid of [${grid.join(', ')}]`,
            value: length,
          });
        }
        const own = scores?.subarray(row * cells, (row + 1) * cells);
        const hidden = rule.hide({ grid, length, ...(own === undefined ? {} : { score: own }) }, sampleKey(key, origin));
        if (hidden.length !== cells) {
          throw new MaskflowError({ option: 'rule', rule: `${rule.recipe.name} must give one byte for each of the ${cells} cells`, value: hidden.length });
        }
        data.set(hidden, row * cells);
      } catch (error) {
        throw inStage(name, error, `sample ${origin.id}, epoch ${origin.epoch}`);
      }
    }
    return withColumns(batch, { mask: { data, shape: [batch.rows, ...grid] } });
  });
  return operator as unknown as Stage<{ readonly tokens: Column }, { readonly mask: Bytes }>;
}

function gridOf(batch: AnyBatch): readonly number[] {
  if (batch.grid !== undefined) return batch.grid;
  const { tokens } = batch.columns;
  if (tokens !== undefined && 'data' in tokens && tokens.shape[1] !== undefined) return [tokens.shape[1]];
  throw new MaskflowError({
    option: 'grid',
    rule: 'the batch has neither a grid nor a tensor column tokens of shape [rows, length, …]',
    value: Object.keys(batch.columns),
    hint: 'Put a view such as patchify(4) in front of mask.',
  });
}

function lengthColumn(column: Column | Carried, rows: number): Float32Array | Int32Array {
  if ('data' in column && !(column.data instanceof Uint8Array) && column.data.length === rows) return column.data;
  throw new MaskflowError({
    option: 'length',
    rule: `the column length must hold one float32 or int32 number for each of the ${rows} rows`,
    value: 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column',
  });
}

function scoreColumn(batch: AnyBatch, name: string, cells: number): Float32Array {
  const column = batch.columns[name];
  if (column === undefined) {
    throw new MaskflowError({
      option: 'score',
      rule: `there is no column ${JSON.stringify(name)}`,
      hint: `Columns: ${Object.keys(batch.columns).join(', ')}.`,
    });
  }
  if ('data' in column && column.data instanceof Float32Array && column.data.length === batch.rows * cells) return column.data;
  throw new MaskflowError({
    option: 'score',
    rule: `the column ${name} must be float32 with one number for each of the ${cells} tokens`,
    value: 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column',
  });
}
