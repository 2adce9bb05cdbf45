// Images as tokens: cut into patches in raster order (MAE, He et al. 2022, arXiv 2111.06377, official `patchify`).
// Inside a patch the order is row, column, channel with the channel fastest, so a patch is a list of contiguous runs.
import { type AnyBatch, type Carried, type Column, sizeOf, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Floats, Stage } from '../stages.js';

export interface PatchifyOptions<From extends string = 'image', To extends string = 'tokens'> {
  /** Column of images, float32 [rows, height, width, channels]; default `image`. */
  readonly column?: From;
  /** Column of patches to add; default `tokens`. */
  readonly as?: To;
  /** Stage name; default `patchify`. */
  readonly name?: string;
}

/** Side of a square patch, or [height, width], in pixels. */
export type PatchSize = number | readonly [number, number];

/** `size` as [height, width]; throws unless both are integers of at least 1. */
export function patchSides(stageName: string, size: PatchSize): readonly [number, number] {
  const sides = typeof size === 'number' ? ([size, size] as const) : size;
  const legal = Array.isArray(sides) && sides.length === 2 && sides.every((side) => Number.isInteger(side) && side >= 1);
  check(legal, stageName, 'size', 'must be an integer of at least 1, or two of them: [height, width]', size);
  return sides;
}

/** Patches down and across an image of `shape` […, H, W, C]; throws unless the patch size divides it. */
export function patchGrid(shape: readonly number[], size: PatchSize): readonly [number, number] {
  const [ph, pw] = patchSides('patchify', size);
  const [height, width] = shape.slice(-3) as [number, number, number];
  if (height % ph !== 0 || width % pw !== 0) {
    const square = ph === pw ? common(height, width) : [];
    throw new MaskflowError({
      stage: 'patchify',
      option: 'size',
      rule: `${ph} × ${pw} pixels a patch do not divide an image of ${height} × ${width}`,
      hint:
        square.length > 1
          ? `These sizes do: ${square.join(', ')}.`
          : `Heights that do: ${common(height, height).join(', ')}; widths that do: ${common(width, width).join(', ')}. Or give the images another size: image({ size: [${near(height, ph)}, ${near(width, pw)}], … }).`,
    });
  }
  return [height / ph, width / pw];
}

function common(a: number, b: number): number[] {
  return Array.from({ length: Math.min(a, b) }, (_, i) => i + 1).filter((d) => a % d === 0 && b % d === 0);
}
const near = (side: number, patch: number): number => Math.max(1, Math.round(side / patch)) * patch;

/** Copies all runs between images and patches; `cut` says which way. Both directions are one walk, so they are exact inverses. */
function walk(images: Float32Array, tokens: Float32Array, shape: readonly number[], size: PatchSize, cut: boolean): void {
  const [ph, pw] = patchSides('patchify', size);
  const [, gw] = patchGrid(shape, size);
  const channels = shape.at(-1) as number;
  const run = pw * channels;
  const line = gw * run;
  const lines = images.length / line;
  // As integers, so that not even the payload of a NaN changes.
  const bits = (data: Float32Array): Int32Array => new Int32Array(data.buffer, data.byteOffset, data.length);
  const [from, to] = cut ? [bits(images), bits(tokens)] : [bits(tokens), bits(images)];
  let image = 0;
  for (let y = 0; y < lines; y++) {
    // Line y of all images lies in patch row floor(y / ph), at row y mod ph of each of its gw patches.
    let token = Math.floor(y / ph) * gw * ph * run + (y % ph) * run;
    for (let gx = 0; gx < gw; gx++) {
      // Below some 64 numbers a loop is faster than the view that `set` needs; and twice as fast where both places are plain.
      if (run >= 64) to.set(cut ? from.subarray(image, image + run) : from.subarray(token, token + run), cut ? token : image);
      else if (cut) for (let i = 0; i < run; i++) to[token + i] = from[image + i] as number;
      else for (let i = 0; i < run; i++) to[image + i] = from[token + i] as number;
      image += run;
      token += ph * run;
    }
  }
}

/**
 * Patches of images. `shape` is theirs: […, H, W, C], any number of leading axes. Returns float32
 * […, (H/ph)·(W/pw), ph·pw·C] in raster order, channel fastest. Bitwise undone by `unpatches` with the same arguments.
 *
 * @example
 * patches(pixels, [32, 28, 28, 1], 4); // 32 × 49 patches of 16 numbers
 */
export function patches(data: Float32Array, shape: readonly number[], size: PatchSize): Float32Array {
  checkLength('patchify', data, shape);
  const out = new Float32Array(data.length);
  walk(data, out, shape, size, true);
  return out;
}

/**
 * Images from their patches, the exact inverse of `patches`. `shape` is that of the images: […, H, W, C].
 *
 * @example
 * unpatches(patches(pixels, [28, 28, 1], 4), [28, 28, 1], 4); // equals pixels, bit for bit
 */
export function unpatches(data: Float32Array, shape: readonly number[], size: PatchSize): Float32Array {
  checkLength('unpatchify', data, shape);
  const out = new Float32Array(data.length);
  walk(out, data, shape, size, false);
  return out;
}

function checkLength(stageName: string, data: Float32Array, shape: readonly number[]): void {
  const legal = shape.length >= 3 && shape.every((side) => Number.isInteger(side) && side >= 0) && sizeOf(shape) === data.length;
  check(legal, stageName, 'shape', `must be […, height, width, channels] with ${data.length} numbers in all`, shape);
}

/** The float32 column of this name and number of axes; what else is there is an error that says so. */
export function floatsOf(batch: AnyBatch, name: string, axes: string, hint: string): Floats {
  const column: Column | Carried | undefined = batch.columns[name];
  if (column === undefined) {
    const names = Object.keys(batch.columns);
    const spelled = nearest(name, names);
    throw new MaskflowError({
      option: name,
      rule: `there is no column ${name}`,
      value: names,
      hint: spelled === undefined ? hint : `Did you mean { column: '${spelled}' }?`,
    });
  }
  const wanted = axes.split(',').length;
  if ('data' in column && column.data instanceof Float32Array && column.shape.length === wanted) return column as Floats;
  const came = 'data' in column ? `${column.data.constructor.name} [${column.shape.join(', ')}]` : 'a carried column (text, bytes or lists)';
  throw new MaskflowError({ option: name, rule: `must be a float32 column [${axes}]`, value: came, hint });
}

/**
 * Cuts images into patches: `image` float32 [rows, H, W, C] gives `tokens` float32 [rows, gh·gw, ph·pw·C] and the
 * batch's `grid` [gh, gw], gh = H/ph, gw = W/pw. Patches in raster order; inside, row, column, channel (channel fastest).
 * Images need not be square; a size that does not divide them is an error that lists those that do.
 *
 * @example
 * samples.pipe(image({ size: 28, channels: 1 }), batch(256), patchify(4)); // grid [7, 7], tokens [256, 49, 16]
 */
export function patchify<From extends string = 'image', To extends string = 'tokens'>(
  size: PatchSize,
  options: PatchifyOptions<From, To> = {},
): Stage<{ readonly [K in From]: Floats }, { readonly [K in To]: Floats }> {
  checkOptions('patchify', options, ['column', 'as', 'name']);
  const { column = 'image', as = 'tokens', name = 'patchify' } = options;
  const [ph, pw] = patchSides('patchify', size);
  const made = recipe('maskflow/operators', 'patchify', { size: [ph, pw], column, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    const images = floatsOf(batch, column, 'rows, height, width, channels', 'Put image({ size, channels }) and batch(n) in front of patchify.');
    const [gh, gw] = patchGrid(images.shape, size);
    const tokens = { data: patches(images.data, images.shape, size), shape: [batch.rows, gh * gw, ph * pw * (images.shape[3] as number)] };
    return withColumns(batch, { [as]: tokens }, [gh, gw]);
  });
  return operator as unknown as Stage<{ readonly [K in From]: Floats }, { readonly [K in To]: Floats }>;
}
