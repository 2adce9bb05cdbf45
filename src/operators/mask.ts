// The stage that hides tokens. It decides nothing itself: it gives the rule each sample's grid, length, special tokens, key, and
// its part of the columns that the rule reads.
import { type AnyBatch, type Column, sizeOf, withColumns } from '../core/batch.js';
import { stage } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { sampleKey } from '../core/key.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import { checkCopies, copyOf } from './masks/copyOf.js';
import { eligibleCount } from './masks/eligibleCount.js';
import { rowTokens } from './masks/rowTokens.js';
import type { Mask, Tokens } from './masks/select.js';
import type { Bytes, Floats, Stage } from './stages.js';

export interface MaskOptions {
  /** Stage name, the key of its draws: two stages of different names draw different masks. Default `mask`. */
  readonly name?: string;
  /** A float32 column of one number a token for rules that look at one; without it no such number reaches the rule. */
  readonly score?: string;
  /** Masks of a sample repeat after so many epochs: static masking (BERT: 10). Default: never. */
  readonly copies?: number;
  /** Also adds the column `maskedShare`, what became of the ratio in each row. Default false. */
  readonly share?: boolean;
}

/**
 * Adds the column `mask`: uint8 [rows, …grid], 1 = hidden. Each row's mask is a function of the run's seed, the stage's name
 * and the sample (source, id, epoch), with its grid, length and special tokens, and of nothing else: not of the batch it is
 * in, and of the data only in the column `score` and those that the rule reads. The layout is the batch's `grid`, or
 * [tokens.shape[1]] where it has none; a column `length` (float32 or int32, one integer a row) says how many tokens exist, a
 * column `special` (uint8, one a token) which of these are special: padding and special tokens are never hidden.
 *
 * With `share: true` it also adds `maskedShare`: float32 [rows], hidden tokens over those that the rule might hide, that
 * exist and are not special (0 where there are none): what the ratio of a rule of random or rounded counts came to.
 *
 * @throws MaskflowError, naming the sample, for a missing layout, score or column that the rule reads, a length that the grid
 * cannot hold, a rule that hides a special token, and a batch that has such a column already
 *
 * @example
 * images.pipe(patchify(4), mask(random({ ratio: 0.75 })));
 */
export function mask(
  rule: Mask,
  options: MaskOptions & { readonly share: true },
): Stage<{ readonly tokens: Column }, { readonly mask: Bytes; readonly maskedShare: Floats }>;
export function mask(rule: Mask, options?: MaskOptions): Stage<{ readonly tokens: Column }, { readonly mask: Bytes }>;
export function mask(rule: Mask, options: MaskOptions = {}): Stage<{ readonly tokens: Column }, { readonly mask: Bytes }> {
  checkOptions('mask', options, ['name', 'score', 'copies', 'share']);
  const { name = 'mask', score, copies = Number.POSITIVE_INFINITY, share = false } = options;
  check(typeof rule?.hide === 'function', 'mask', 'rule', 'must be a mask', rule, 'Try mask(random({ ratio: 0.75 })).');
  checkCopies('mask', copies);
  check(typeof share === 'boolean', 'mask', 'share', 'must be true or false', share);
  const chosen = { ...(score === undefined ? {} : { score }), ...(copies === Number.POSITIVE_INFINITY ? {} : { copies }), ...(share ? { share } : {}) };
  const made = recipe('maskflow/operators', 'mask', { rule: rule.recipe, ...chosen });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => (batch) => {
    for (const own of share ? ['mask', 'maskedShare'] : ['mask']) refuseColumn(batch, own);
    const grid = gridOf(batch);
    const cells = sizeOf(grid);
    const tokensOf = rowTokens(batch, rule, grid, cells, score);
    const data = new Uint8Array(batch.rows * cells);
    const shares = new Float32Array(share ? batch.rows : 0);
    for (let row = 0; row < batch.rows; row++) {
      const origin = batch.origins[row] as (typeof batch.origins)[number];
      try {
        const tokens = tokensOf(row);
        const hidden = rule.hide(tokens, sampleKey(key, copyOf(origin, copies)));
        if (hidden.length !== cells) {
          throw new MaskflowError({ option: 'rule', rule: `${rule.recipe.name} must give one byte for each of the ${cells} cells`, value: hidden.length });
        }
        if (tokens.special !== undefined && rule.hidesSpecial !== true) refuseHiddenSpecial(hidden, tokens.special, rule);
        if (share) shares[row] = shareOf(hidden, tokens, rule);
        data.set(hidden, row * cells);
      } catch (error) {
        throw inStage(name, error, `sample ${origin.id}, epoch ${origin.epoch}`);
      }
    }
    const column = { data, shape: [batch.rows, ...grid] };
    return withColumns(batch, share ? { mask: column, maskedShare: { data: shares, shape: [batch.rows] } } : { mask: column });
  });
  return operator as unknown as Stage<{ readonly tokens: Column }, { readonly mask: Bytes }>;
}

function refuseColumn({ columns }: AnyBatch, name: string): void {
  if (columns[name] === undefined) return;
  throw new MaskflowError({
    option: name,
    rule: `the batch has a column ${name} already, and a stage never replaces what it does not own`,
    hint: 'Mask it once, or drop the column in front with map.',
  });
}

function refuseHiddenSpecial(hidden: Uint8Array, special: Uint8Array, rule: Mask): void {
  for (let i = 0; i < hidden.length; i++) {
    if (hidden[i] !== 0 && special[i] !== 0) {
      throw new MaskflowError({
        option: 'rule',
        rule: `${rule.recipe.name} hides token ${i}, which is special`,
        hint: 'Pass over tokens whose tokens.special is 1, as every mask made by select(score) does, or set hidesSpecial: true if it is meant.',
      });
    }
  }
}

function shareOf(hidden: Uint8Array, tokens: Tokens, { hidesSpecial = false }: Mask): number {
  const count = hidesSpecial ? tokens.length : eligibleCount(tokens);
  let sum = 0;
  for (let i = 0; i < hidden.length; i++) sum += hidden[i] as number;
  return count === 0 ? 0 : sum / count;
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
