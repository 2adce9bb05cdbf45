// Tokens back to images: the stage beside the pure `unpatches` of patchify.ts.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Floats, Stage } from '../stages.js';
import { type PatchSize, floatsOf, patchSides, unpatches } from './patchify.js';

export interface UnpatchifyOptions<From extends string = 'tokens', To extends string = 'image'> {
  /** Side of a patch, or [height, width], in pixels: what patchify was given. */
  readonly size: PatchSize;
  /** Channels of the images; default: what the width of the tokens leaves for them. */
  readonly channels?: number;
  /** Column of patches, float32 [rows, tokens, ph·pw·C]; default `tokens`. */
  readonly column?: From;
  /** Column of images to add; default `image`. */
  readonly as?: To;
  /** Stage name; default `unpatchify`. */
  readonly name?: string;
}

/** Shape [rows, H, W, C] of the images whose patches have `shape` [rows, tokens, width] on `grid` [gh, gw]. */
export function imageShape(shape: readonly number[], grid: readonly number[], size: PatchSize, channels?: number): readonly [number, number, number, number] {
  const [ph, pw] = patchSides('unpatchify', size);
  const [rows, count, width] = shape as [number, number, number];
  const c = channels ?? width / (ph * pw);
  if (!Number.isInteger(c) || c < 1 || c * ph * pw !== width) {
    const rule =
      channels === undefined
        ? `tokens of ${width} numbers are no patches of ${ph} × ${pw} pixels`
        : `patches of ${ph} × ${pw} pixels with ${channels} channels have ${ph * pw * channels} numbers, the tokens ${width}`;
    throw new MaskflowError({ stage: 'unpatchify', option: 'size', rule, hint: 'Give the size that patchify was given.' });
  }
  const [gh, gw] = grid as [number, number];
  check(
    grid.length === 2 && gh * gw === count,
    'unpatchify',
    'grid',
    `must be [down, across] with ${count} tokens in all`,
    grid,
    'Put unpatchify behind patchify, which sets it.',
  );
  return [rows, gh * ph, gw * pw, c];
}

/**
 * Puts patches together again: `tokens` float32 [rows, gh·gw, ph·pw·C] on the batch's grid [gh, gw] gives `image`
 * float32 [rows, H, W, C]. The exact inverse of `patchify`.
 *
 * @example
 * patched.pipe(unpatchify({ size: 4, as: 'again' })); // again equals image, bit for bit
 */
export function unpatchify<From extends string = 'tokens', To extends string = 'image'>(
  options: UnpatchifyOptions<From, To>,
): Stage<{ readonly [K in From]: Floats }, { readonly [K in To]: Floats }> {
  checkOptions('unpatchify', options, ['size', 'channels', 'column', 'as', 'name']);
  const { size, channels, column = 'tokens', as = 'image', name = 'unpatchify' } = options;
  const sides = patchSides('unpatchify', size);
  if (channels !== undefined) checkInteger('unpatchify', 'channels', channels);
  const made = recipe('maskflow/operators', 'unpatchify', { size: sides, ...(channels === undefined ? {} : { channels }), column, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    const tokens = floatsOf(batch, column, 'rows, tokens, width', 'Put patchify(size) in front of unpatchify.');
    if (batch.grid === undefined)
      throw new MaskflowError({ rule: 'the batch has no grid, so the patches have no places', hint: 'Put unpatchify behind patchify, which sets it.' });
    const shape = imageShape(tokens.shape, batch.grid, size, channels);
    return withColumns(batch, { [as]: { data: unpatches(tokens.data, shape, size), shape } });
  });
  return operator as unknown as Stage<{ readonly [K in From]: Floats }, { readonly [K in To]: Floats }>;
}
