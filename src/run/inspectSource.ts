// Masks over the first samples of Arrow data, as one picture: what `maskflow inspect` draws. The masks are those that
// `maskflow mask` writes for these rows; images are decoded by the stage `image`, so the picture shows what training sees.
import type { RecordBatch } from 'apache-arrow';
import sharp from 'sharp';
import { type Column, sizeOf } from '../core/batch.js';
import { drain } from '../core/demand/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Pixels } from '../formats/png.js';
import { batch } from '../operators/batch.js';
import type { Mask } from '../operators/masks/index.js';
import { type PatchSize, patchGrid, patchSides } from '../operators/views/patchify.js';
import { reader } from '../sources/arrow/columns.js';
import { image } from '../sources/image.js';
import { formatOf } from '../sources/imageBytes.js';
import { readField } from '../sources/imagePixels.js';
import { memory } from '../sources/memory.js';
import { type Cells, cellSheet, maskedImage, pairSheet } from './maskPictures.js';
import type { OpenArrow } from './openArrow.js';
import { type MaskerOptions, type Masks, recordBatchMasker } from './recordBatchMasker.js';

export interface InspectOptions extends MaskerOptions {
  /** Column of images. Default `image` where there is one; without images the masks alone are drawn. */
  readonly column?: string;
  /** Side of a patch, or [height, width], in pixels. Default: about eight patches a side, of at most about 16 pixels. */
  readonly patch?: PatchSize;
  /** Samples drawn: the first ones. Default 8. */
  readonly rows?: number;
}

export interface Inspection {
  readonly picture: Pixels;
  /** Samples drawn, and the share of their tokens that is hidden. */
  readonly rows: number;
  readonly ratio: number;
  /** Layout of the tokens; undefined where each row has its own length. */
  readonly grid?: readonly number[];
}

const stage = 'maskflow';
/** The longest side at which files are drawn, in pixels; smaller ones and raw pixels keep their size. */
const longest = 224;

/**
 * Draws masks over the first `rows` samples: original beside masked where there are images, cells where there are none.
 * Reads no more record batches than it needs.
 *
 * @throws MaskflowError for data without rows, a missing column, images that cannot be read or that the patches do not divide
 *
 * @example
 * const { picture } = await inspectSource(await openArrow('digits.arrow', process.stdin), colorNoise(), { patch: 4 });
 */
export async function inspectSource(input: OpenArrow, rule: Mask, options: InspectOptions = {}): Promise<Inspection> {
  checkOptions('inspectSource', options, ['column', 'patch', 'rows', 'grid', 'length', 'score', 'seed']);
  const { column, patch, rows: wanted = 8, ...layout } = options;
  try {
    checkInteger(stage, 'rows', wanted);
    const name = imageColumn(input, column);
    if (name === undefined && patch !== undefined) {
      throw new MaskflowError({
        stage,
        option: 'patch',
        rule: 'there are no images to cut into patches',
        value: patch,
        hint: 'Name their column: --column NAME; or give the layout of the tokens: --grid 14x14.',
      });
    }
    const recordBatches: RecordBatch[] = [];
    let rows = 0;
    for await (const recordBatch of input.batches) {
      if (recordBatch.numRows === 0) continue;
      recordBatches.push(recordBatch);
      rows += recordBatch.numRows;
      if (rows >= wanted) break;
    }
    rows = Math.min(rows, wanted);
    if (rows === 0) throw new MaskflowError({ stage: 'inspect', rule: 'the data has no rows, so there is nothing to draw', where: input.name });
    const images = name === undefined ? undefined : await imagesOf(values(recordBatches, input, name, rows), name, patch, layout.grid);
    const grid = images?.grid ?? layout.grid;
    const cells = cellsOf(recordBatches, input, rule, { ...layout, ...(grid === undefined ? {} : { grid }) }, rows);
    const picture =
      images === undefined
        ? cellSheet(cells)
        : pairSheet(images.pixels.map((original, row) => [original, maskedImage(original, (cells[row] as Cells).mask, images.grid)] as const));
    return { picture, rows, ...shares(cells), ...(grid === undefined ? {} : { grid }) };
  } catch (error) {
    throw inStage('inspect', error);
  } finally {
    await input.close();
  }
}

function imageColumn({ schema }: OpenArrow, column: string | undefined): string | undefined {
  const names = schema.fields.map(({ name }) => name);
  if (column === undefined) return names.includes('image') ? 'image' : undefined;
  if (names.includes(column)) return column;
  const near = nearest(column, names);
  throw new MaskflowError({
    stage,
    option: 'column',
    rule: 'there is no such column',
    value: column,
    hint: `${near ? `Did you mean ${near}? ` : ''}Columns: ${names.join(', ')}.`,
  });
}

/** The first `rows` values of a column. */
function values(recordBatches: readonly RecordBatch[], { schema, name: source }: OpenArrow, name: string, rows: number): unknown[] {
  const index = schema.fields.findIndex((field) => field.name === name);
  const result: unknown[] = [];
  for (const { schema: own, data, numRows } of recordBatches) {
    const read = reader(own.fields[index] as (typeof own.fields)[number], data.children[index] as (typeof data.children)[number]);
    for (let row = 0; row < numRows && result.length < rows; row++) {
      try {
        result.push(read(row));
      } catch (error) {
        throw inStage('inspect', error, `${source}, row ${result.length}, column ${name}`);
      }
    }
  }
  return result;
}

/** The masks of the first `rows` rows. */
function cellsOf(recordBatches: readonly RecordBatch[], { schema }: OpenArrow, rule: Mask, options: MaskerOptions, rows: number): Cells[] {
  const masker = recordBatchMasker(schema, rule, options);
  try {
    return recordBatches.flatMap((recordBatch) => each(masker.masks(recordBatch), masker.layout.grid)).slice(0, rows);
  } finally {
    masker.close();
  }
}

function each({ mask, rows, lengths }: Masks, grid: readonly number[] | undefined): Cells[] {
  if (!('data' in mask)) return mask.map((bytes) => ({ mask: bytes, grid: [bytes.length] }));
  const sides = grid as readonly number[];
  const cells = sizeOf(sides);
  return Array.from({ length: rows }, (_, row) => ({
    mask: mask.data.subarray(row * cells, (row + 1) * cells),
    grid: sides,
    length: lengths?.[row] ?? cells,
  }));
}

function shares(cells: readonly Cells[]): { ratio: number } {
  const tokens = cells.reduce((sum, { mask, length = mask.length }) => sum + length, 0);
  const hidden = cells.reduce((sum, { mask }) => sum + mask.reduce((count, byte) => count + byte, 0), 0);
  return { ratio: tokens === 0 ? 0 : hidden / tokens };
}

interface Drawn {
  readonly pixels: readonly Pixels[];
  /** Patches [down, across]. */
  readonly grid: readonly [number, number];
}

/** The images at one size that the patches divide, as bytes. */
async function imagesOf(fields: readonly unknown[], column: string, patch: PatchSize | undefined, grid: readonly number[] | undefined): Promise<Drawn> {
  // 1. One size and number of channels for all: the size of the first image, colour where one has colour.
  const sizes = await Promise.all(fields.map(sizeOfImage));
  const channels = sizes.some((size) => size.channels >= 3) ? 3 : 1;
  const { height, width, grid: patches } = drawnSize(sizes[0] as ImageSize, patch, grid);
  // 2. The pixels, by the stage that training uses.
  let decoded: Column | undefined;
  const records = fields.map((field) => ({ [column]: field }));
  await drain(memory(records).pipe(image({ column, size: [height, width], channels, resize: 'cover' }), batch(fields.length)), {}, ({ columns }) => {
    decoded = columns[column] as Column;
  });
  const { data } = decoded as Column;
  const length = height * width * channels;
  const level = (value: number): number => Math.round(255 * value);
  const pixels = fields.map((_, row) => ({ data: Uint8Array.from(data.subarray(row * length, (row + 1) * length), level), height, width, channels }) as const);
  return { pixels, grid: patches };
}

/**
 * The size at which images are drawn, and the patches down and across. Raw pixels are drawn as they are, so the patches
 * must divide them; files are shrunk to `longest` pixels and then fitted to whole patches.
 */
export function drawnSize(
  { height, width, raw }: ImageSize,
  patch?: PatchSize,
  grid?: readonly number[],
): { height: number; width: number; grid: readonly [number, number] } {
  const shrink = raw ? 1 : Math.min(1, longest / Math.max(height, width));
  const fitted = (side: number, step: number): number => (raw ? side : Math.max(1, Math.round((side * shrink) / step)) * step);
  if (grid !== undefined) {
    check(grid.length === 2, stage, 'grid', 'must have two sides over images: patches down and across', grid);
    check(patch === undefined, stage, 'patch', 'must be left out where a grid is given', patch);
    const [down, across] = grid as readonly [number, number];
    const sides = { height: fitted(height, down), width: fitted(width, across) };
    check(sides.height % down === 0 && sides.width % across === 0, stage, 'grid', `must divide images of ${height} × ${width} pixels`, grid);
    return { ...sides, grid: [down, across] };
  }
  const size = patchSides('patchify', patch ?? usualPatch(height * shrink, width * shrink, raw));
  const sides = { height: fitted(height, size[0]), width: fitted(width, size[1]) };
  return { ...sides, grid: patchGrid([sides.height, sides.width, 1], size) };
}

/** The side of a square patch that gives about eight along the longer side, and is near 16 pixels in large images. */
function usualPatch(height: number, width: number, raw: boolean): number {
  const most = Math.max(height, width);
  const wanted = Math.min(most / 8, 16);
  if (!raw) return Math.max(1, Math.round(wanted));
  let best = 1;
  for (let side = 1; side <= Math.min(height, width); side++) {
    if (height % side === 0 && width % side === 0 && Math.abs(Math.log(side / wanted)) < Math.abs(Math.log(best / wanted))) best = side;
  }
  return best;
}

/** What is known of an image before it is decoded. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly raw: boolean;
}

async function sizeOfImage(field: unknown): Promise<ImageSize> {
  const unknown = { height: 64, width: 64, channels: 1, raw: false };
  // What is wrong with a field is told by the stage that decodes it, which knows the sample.
  let read: ReturnType<typeof readField>;
  try {
    read = readField(field);
  } catch {
    return unknown;
  }
  if (!(read instanceof Uint8Array)) return { height: read.height, width: read.width, channels: read.channels, raw: true };
  if (!['jpeg', 'png', 'webp'].includes(formatOf(read) ?? '')) return unknown;
  return sharp(read)
    .metadata()
    .then(({ autoOrient, channels, space }) => ({ ...autoOrient, channels: space === 'b-w' ? 1 : channels, raw: false }))
    .catch(() => unknown);
}
