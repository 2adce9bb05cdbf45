// Masks to look at. Over images: the original and, beside it, what a model would see, hidden patches grey as in
// `pictures`. Without images: the cells themselves, light where visible and dark where hidden. Pure: pixels in, pixels out.
import { sizeOf } from '../core/batch.js';
import type { Pixels } from '../formats/png.js';
import { tile } from '../formats/tile.js';

type Rgb = readonly [number, number, number];

const hiddenGrey = 128;
const paper: Rgb = [255, 255, 255];
const visible: Rgb = [226, 232, 240];
const hidden: Rgb = [30, 64, 110];

/** The image with hidden patches grey. `mask`: one byte a cell of `grid` [down, across], which must divide the image. */
export function maskedImage({ data, width, height, channels }: Pixels, mask: Uint8Array, [down, across]: readonly [number, number]): Pixels {
  const masked = Uint8Array.from(data);
  for (let y = 0; y < height; y++) {
    const line = Math.floor((y * down) / height) * across;
    for (let x = 0; x < width; x++) {
      if (mask[line + Math.floor((x * across) / width)] !== 1) continue;
      const at = (y * width + x) * channels;
      masked.fill(hiddenGrey, at, at + channels);
    }
  }
  return { data: masked, width, height, channels };
}

/** Pairs of original and masked, several pairs a line, so that the sheet comes out about half as wide again as it is high. */
export function pairSheet(pairs: readonly (readonly [Pixels, Pixels])[]): Pixels {
  const { width, height } = (pairs[0] as readonly [Pixels, Pixels])[0];
  const across = Math.min(pairs.length, Math.max(1, Math.round(Math.sqrt((1.5 * pairs.length * height) / (2 * width)))));
  return tile(pairs.flat(), { columns: 2 * across, group: 2, groupGutter: 16, scale: Math.max(1, Math.round(112 / Math.max(width, height))) });
}

/** One sample's mask on its grid; `cells.length` tokens exist. */
export interface Cells {
  readonly mask: Uint8Array;
  readonly grid: readonly number[];
  /** Tokens that exist in raster order; default all. */
  readonly length?: number;
}

/**
 * Masks as cells, one picture a sample. A sequence is a strip; a grid of three axes shows its slices side by side.
 * `size`: sides of the picture in cells, default those of the sample.
 */
export function cellPicture({ mask, grid, length = mask.length }: Cells, cell: CellSize, columns = grid.at(-1) as number): Pixels {
  const [down, across] = [grid.length < 2 ? 1 : (grid.at(-2) as number), grid.at(-1) as number];
  const slices = sizeOf(grid.slice(0, -2));
  const gap = slices > 1 ? Math.max(4, cell.width >> 1) : 0;
  const width = slices * columns * cell.width + (slices - 1) * gap;
  const height = down * cell.height;
  const data = new Uint8Array(width * height * 3).fill(paper[0]);
  for (let index = 0; index < Math.min(length, mask.length); index++) {
    const slice = Math.floor(index / (down * across));
    const left = slice * (columns * cell.width + gap) + (index % across) * cell.width;
    const top = (Math.floor(index / across) % down) * cell.height;
    const color = mask[index] === 1 ? hidden : visible;
    for (let y = top; y < top + cell.height - cell.line; y++) {
      for (let x = left; x < left + cell.width - cell.line; x++) data.set(color, (y * width + x) * 3);
    }
  }
  return { data, width, height, channels: 3 };
}

export interface CellSize {
  readonly width: number;
  readonly height: number;
  /** Pixels between cells. */
  readonly line: number;
}

/** Cells of a size at which a picture is about as large as an image on a sheet; those of a strip are tall, so that they can be seen. */
export function cellSize(grid: readonly number[]): CellSize {
  const strip = grid.length < 2;
  const slices = sizeOf(grid.slice(0, -2));
  const room = strip ? 960 : slices > 1 ? Math.min(168, 560 / slices) : 168;
  const side = Math.min(strip ? 16 : 24, Math.max(strip ? 1 : 4, Math.floor(room / Math.max(1, ...grid.slice(-2)))));
  return { width: side, height: strip ? 16 : side, line: side >= 4 ? 1 : 0 };
}

/** A sheet of masks alone; rows of different lengths become strips of different lengths. */
export function cellSheet(samples: readonly Cells[]): Pixels {
  const first = samples[0] as Cells;
  const longest = Math.max(1, ...samples.map(({ grid }) => grid.at(-1) as number));
  const cell = cellSize([...first.grid.slice(0, -1), longest]);
  const pictures = samples.map((sample) => cellPicture(sample, cell, longest));
  const { width, height } = pictures[0] as Pixels;
  const square = first.grid.length === 2;
  const across = square ? Math.min(pictures.length, Math.max(1, Math.round(Math.sqrt((1.5 * pictures.length * height) / width)))) : 1;
  return tile(pictures, { columns: across, gutter: first.grid.length < 2 ? 6 : 16, margin: 12 });
}
