// Reconstructions to look at, as in figure 2 of MAE (He et al. 2022): original, masked input, and the reconstruction in
// the hidden places. A model that is trained on normalised patches predicts no brightness and no contrast; the picture
// lends each patch the mean and deviation of its own target, as the paper's pictures do, so they flatter that model.
import { resolve } from 'node:path';
import { type AnyBatch, type Carried, type Column, isColumn } from '../core/batch.js';
import { bounded, nothing, runOf } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Program } from '../core/program.js';
import { type Recipe, recipe } from '../core/recipe.js';
import type { Stepped } from '../core/run.js';
import { type Pixels, encodePng } from '../formats/png.js';
import { tile } from '../formats/tile.js';
import type { StepSink } from '../operators/stages.js';
import { type PatchSize, floatsOf, unpatches } from '../operators/views/patchify.js';
import { imageShape } from '../operators/views/unpatchify.js';
import { reportOf } from './metrics.js';

export interface PicturesOptions {
  /** A picture every `every` steps, and one after the last; default 200. */
  readonly every?: number;
  /** Samples shown: the first of the batch; default 8. */
  readonly rows?: number;
  /** Patch side, or [height, width], in pixels: what patchify was given. Default: square patches of 1 or else 3 channels. */
  readonly patchSize?: PatchSize;
  /** `patch`: the model predicts pixels normalised per patch. Default: what `patchReconstruction` in front was told. */
  readonly normalize?: 'patch' | false;
  /** Undone before drawing, value · std + mean, a number or one a channel; default 0 and 1: pixels lie in [0, 1]. */
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
  /** Whole factor of enlargement; default: images of about 112 pixels. */
  readonly scale?: number;
  /** Stage name; default `pictures`. */
  readonly name?: string;
}

const known = ['every', 'rows', 'patchSize', 'normalize', 'mean', 'std', 'scale', 'name'];
const hiddenGrey = 128;

/** The size of square patches whose `width` numbers are grey or else RGB pixels. */
export function squarePatch(width: number): number {
  for (const channels of [1, 3]) {
    const side = Math.sqrt(width / channels);
    if (Number.isInteger(side)) return side;
  }
  throw new MaskflowError({
    option: 'patchSize',
    rule: `${width} numbers a token are no square patch of 1 or 3 channels`,
    hint: 'Give the size that patchify was given: pictures(folder, { patchSize: [4, 8] }).',
  });
}

/** Undoes per-patch normalisation in place: prediction · √(unbiased variance + eps) + mean of the target patch. Both [patches, width]. */
export function denormalizePatches(prediction: Float32Array, target: Float32Array, width: number, eps: number): Float32Array {
  for (let start = 0; start < target.length; start += width) {
    let mean = 0;
    for (let i = start; i < start + width; i++) mean += (target[i] as number) / width;
    let squares = 0;
    for (let i = start; i < start + width; i++) squares += ((target[i] as number) - mean) ** 2;
    const deviation = Math.sqrt(squares / Math.max(1, width - 1) + eps);
    for (let i = start; i < start + width; i++) prediction[i] = (prediction[i] as number) * deviation + mean;
  }
  return prediction;
}

/** The first `rows` rows of a batch: every column cut on its first axis, the model's own index columns made anew. */
export function firstRows<B extends AnyBatch>(batch: B, rows: number): B {
  const cut = (column: Column | Carried): Column | Carried => {
    if (!isColumn(column)) return 'values' in column ? { rows, values: column.values.slice(0, rows) } : { rows, arrow: column.arrow };
    const [, ...rest] = column.shape;
    return { data: column.data.slice(0, (column.data.length / batch.rows) * rows), shape: [rows, ...rest] };
  };
  const columns = Object.fromEntries(Object.entries(batch.columns).map(([name, column]) => [name, cut(column)]));
  const sliced = { ...batch, rows, columns, origins: batch.origins.slice(0, rows) };
  return { ...sliced, columns: { ...columns, ...batch.program?.prepare?.(sliced) } };
}

/** The eps of a `patchReconstruction` that normalises, somewhere in the recipe of a batch's program. */
export function normalizingEps(of: Recipe): number | undefined {
  if (of.name === 'patchReconstruction' && of.options.normalize === true) return (of.options.eps as number | undefined) ?? 1e-6;
  for (const value of Object.values(of.options)) {
    const inner = typeof value === 'object' && value !== null && 'options' in value ? normalizingEps(value as Recipe) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

export interface Reconstructions {
  /** float32 [rows, tokens, width], pixels in [0, 1] after `mean` and `std`. */
  readonly tokens: Column<Float32Array>;
  readonly prediction: Column<Float32Array>;
  /** uint8 [rows, …grid], 1 = hidden. */
  readonly mask: Column;
  readonly grid: readonly number[];
  readonly patchSize: PatchSize;
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
}

/** Three images a row: original, masked (hidden patches grey), reconstruction (visible patches from the original). */
export function reconstructionImages({ tokens, prediction, mask, grid, patchSize, mean = 0, std = 1 }: Reconstructions): Pixels[] {
  const shape = imageShape(tokens.shape, grid, patchSize);
  const [rows, height, width, channels] = shape;
  if (channels !== 1 && channels !== 3) throw new MaskflowError({ option: 'patchSize', rule: 'images must have 1 or 3 channels', value: channels });
  const size = height * width * channels;
  const patchWidth = tokens.shape[2] as number;
  const each = (option: string, given: number | readonly number[]): readonly number[] => {
    const list = typeof given === 'number' ? Array<number>(channels).fill(given) : given;
    check(list.length === channels, 'pictures', option, `must be a number, or one for each of ${channels} channels`, given);
    return list;
  };
  const means = each('mean', mean);
  const stds = each('std', std);
  const original = unpatches(tokens.data, shape, patchSize);
  const predicted = unpatches(prediction.data, shape, patchSize);
  const hidden = unpatches(
    Float32Array.from(tokens.data, (_, i) => mask.data[Math.floor(i / patchWidth)] as number),
    shape,
    patchSize,
  );
  const level = (value: number, channel: number): number => Math.round(255 * (value * (stds[channel] as number) + (means[channel] as number)));
  const image = (row: number, at: (i: number, channel: number) => number): Pixels => {
    // Values beyond the range are clamped, not wrapped.
    const data = Uint8Array.from(Uint8ClampedArray.from({ length: size }, (_, i) => at(row * size + i, i % channels)));
    return { data, width, height, channels };
  };
  return Array.from({ length: rows }, (_, row) => [
    image(row, (i, c) => level(original[i] as number, c)),
    image(row, (i, c) => (hidden[i] ? hiddenGrey : level(original[i] as number, c))),
    image(row, (i, c) => level((hidden[i] ? predicted : original)[i] as number, c)),
  ]).flat();
}

/** A sheet of triples, several side by side, so that it comes out about half as wide again as it is high. */
export function reconstructionSheet(images: readonly Pixels[], scale?: number): Pixels {
  const { width, height } = images[0] as Pixels;
  const triples = images.length / 3;
  const across = Math.min(triples, Math.max(1, Math.round(Math.sqrt((1.4 * triples * height) / (3 * width)))));
  return tile(images, { columns: 3 * across, group: 3, groupGutter: 16, scale: scale ?? Math.max(1, Math.round(112 / Math.max(width, height))) });
}

/**
 * Writes `step-00000200.png` into `folder` (relative paths: in the run's folder) every `every` steps and after the last:
 * for each of the first `rows` samples its original, what the model saw, and the reconstruction: visible patches from the
 * original, hidden ones from the model's `prediction`. Needs `tokens` float32 [rows, tokens, ph·pw·C] (patch order of
 * patchify: row, column, channel), `mask`, and a grid of two axes. Reads the weights of the step that it is named after.
 *
 * @example
 * trained.pipe(pictures(out('pictures'), { every: 200 }));
 */
export function pictures(folder: string, options: PicturesOptions = {}): StepSink {
  checkOptions('pictures', options, known);
  check(typeof folder === 'string' && folder !== '', 'pictures', 'folder', 'must be a path', folder, "Write pictures(out('…')).");
  const { every = 200, rows = 8, patchSize, normalize, mean, std, scale, name = 'pictures' } = options;
  checkInteger('pictures', 'every', every);
  checkInteger('pictures', 'rows', rows);
  if (scale !== undefined) checkInteger('pictures', 'scale', scale);
  check(normalize === undefined || normalize === 'patch' || normalize === false, 'pictures', 'normalize', "must be 'patch' or false", normalize);
  const { name: _, ...chosen } = options;
  const made = recipe('maskflow/sinks', 'pictures', { ...chosen, every, rows });
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(made, { name, per: 'batch', quiet: true }, (context) => {
    const run = runOf(context);
    const path = resolve(run.folder, folder);
    // The last batch stays in memory until the next: nobody knows which one is the last.
    let undrawn: Stepped<AnyBatch> | undefined;
    const draw = async (item: Stepped<AnyBatch>): Promise<void> => {
      const tokens = floatsOf(item, 'tokens', 'rows, tokens, width', 'Put patchify(size) in front of the model.');
      const { mask } = item.columns;
      const program = item.program as Program<'prediction'> | undefined;
      if (mask === undefined || !isColumn(mask) || program === undefined) {
        throw new MaskflowError({
          rule: 'needs a column mask and a model',
          value: Object.keys(item.columns),
          hint: 'Put mask(…), model(…), loss(…) and train(…) in front of it.',
        });
      }
      if (item.grid?.length !== 2) {
        throw new MaskflowError({
          rule: 'draws tokens on a grid of two axes',
          value: item.grid,
          hint: 'Put patchify(size) in front of the model, or leave pictures out.',
        });
      }
      // 1. The samples: the first ones; rows that only pad the batch repeat an origin and are not shown.
      const shown = firstRows(item, Math.min(rows, new Set(item.origins).size));
      // 2. The prediction of the weights as they are after this step.
      const { prediction } = await run.executor.evaluate(program, shown, ['prediction']);
      const { tokens: target, mask: hidden } = shown.columns as { tokens: Column<Float32Array>; mask: Column };
      if (prediction.data.length !== target.data.length) {
        throw new MaskflowError({ rule: `the model's prediction must have the tokens' shape [${target.shape.join(', ')}]`, value: prediction.shape });
      }
      const eps = normalize === false ? undefined : (normalizingEps(program.recipe) ?? (normalize === 'patch' ? 1e-6 : undefined));
      const pixels = eps === undefined ? prediction.data : denormalizePatches(prediction.data.slice(), target.data, target.shape[2] as number, eps);
      // 3. The picture, under its name only when it is complete.
      const images = reconstructionImages({
        ...{ tokens: target, prediction: { data: pixels, shape: target.shape }, mask: hidden, grid: item.grid },
        patchSize: patchSize ?? squarePatch(tokens.shape[2] as number),
        ...(mean === undefined ? {} : { mean }),
        ...(std === undefined ? {} : { std }),
      });
      const file = `${path}/step-${String(reportOf(item).step).padStart(8, '0')}.png`;
      const png = await encodePng(reconstructionSheet(images, scale));
      await run.files.makeFolder(path);
      await run.files.write(`${file}.partial`, png);
      await run.files.rename(`${file}.partial`, file);
    };
    return {
      work(item) {
        undrawn = item;
        if (reportOf(item).step % every !== 0) return item;
        undrawn = undefined;
        return draw(item).then(() => item);
      },
      async flush(): Promise<typeof nothing> {
        if (undrawn !== undefined) await draw(undrawn);
        return nothing;
      },
    };
  });
  return operator as unknown as StepSink;
}
