// Images of one size side by side: a contact sheet. Pure; enlarged by whole factors with nearest neighbour, so that the
// pixels of small images stay crisp and countable.
import { MaskflowError } from '../core/errors.js';
import type { Pixels } from './png.js';

export interface TileOptions {
  /** Images a line. */
  readonly columns: number;
  /** Whole factor of enlargement; default 1. */
  readonly scale?: number;
  /** Pixels between images, and around them; defaults 4 and 8. */
  readonly gutter?: number;
  readonly margin?: number;
  /** After each `group` columns the gutter is `groupGutter` pixels; default: no groups. */
  readonly group?: number;
  readonly groupGutter?: number;
  /** Level of gutter, margin and empty places; default 255. */
  readonly background?: number;
}

/**
 * One image of many of equal size and channels, line by line.
 *
 * @example
 * tile(digits, { columns: 8, scale: 4 });
 */
export function tile(images: readonly Pixels[], options: TileOptions): Pixels {
  const { columns, scale = 1, gutter = 4, margin = 8, group = columns, groupGutter = gutter, background = 255 } = options;
  const first = images[0];
  if (first === undefined) throw new MaskflowError({ stage: 'tile', rule: 'needs at least one image', value: 0 });
  const { width, height, channels } = first;
  for (const [index, image] of images.entries()) {
    if (image.width === width && image.height === height && image.channels === channels && image.data.length === width * height * channels) continue;
    throw new MaskflowError({
      stage: 'tile',
      rule: `images must all have ${width} × ${height} pixels and ${channels} channels`,
      where: `image ${index}`,
      value: [image.width, image.height, image.channels, image.data.length],
    });
  }
  const left = (column: number): number => margin + column * (width * scale + gutter) + Math.floor(column / group) * (groupGutter - gutter);
  const top = (line: number): number => margin + line * (height * scale + gutter);
  const used = Math.min(columns, images.length);
  const sheet = {
    width: left(used - 1) + width * scale + margin,
    height: top(Math.ceil(images.length / columns) - 1) + height * scale + margin,
  };
  const data = new Uint8Array(sheet.width * sheet.height * channels).fill(background);
  for (const [index, image] of images.entries()) {
    const x = left(index % columns);
    const y = top(Math.floor(index / columns));
    for (let row = 0; row < height * scale; row++) {
      for (let column = 0; column < width * scale; column++) {
        const from = (Math.floor(row / scale) * width + Math.floor(column / scale)) * channels;
        const to = ((y + row) * sheet.width + x + column) * channels;
        for (let c = 0; c < channels; c++) data[to + c] = image.data[from + c] as number;
      }
    }
  }
  return { data, width: sheet.width, height: sheet.height, channels };
}
