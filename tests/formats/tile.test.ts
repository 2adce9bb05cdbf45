import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type Pixels, encodePng } from '../../src/formats/png.js';
import { tile } from '../../src/formats/tile.js';

const grey = (...data: number[]): Pixels => ({ data: Uint8Array.from(data), width: 2, height: 1, channels: 1 });

describe('tile', () => {
  it('puts images side by side, enlarged by nearest neighbour', () => {
    const sheet = tile([grey(1, 2), grey(3, 4), grey(5, 6)], { columns: 2, scale: 2, gutter: 1, margin: 1, background: 0 });
    expect([sheet.width, sheet.height]).toEqual([11, 7]);
    const lines = Array.from({ length: 7 }, (_, y) => [...sheet.data.subarray(y * 11, (y + 1) * 11)].join(''));
    expect(lines).toEqual(['00000000000', '01122033440', '01122033440', '00000000000', '05566000000', '05566000000', '00000000000']);
  });

  it('widens the gutter between groups', () => {
    const sheet = tile([grey(1, 1), grey(2, 2), grey(3, 3), grey(4, 4)], { columns: 4, gutter: 1, margin: 0, group: 2, groupGutter: 3, background: 0 });
    expect([...sheet.data].join('')).toBe('1102200033044');
  });

  it('keeps colours', () => {
    const pixel = (r: number, g: number, b: number): Pixels => ({ data: Uint8Array.from([r, g, b]), width: 1, height: 1, channels: 3 });
    expect([...tile([pixel(1, 2, 3), pixel(4, 5, 6)], { columns: 2, gutter: 0, margin: 0 }).data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('refuses images of unequal size, and none at all', () => {
    expect(() => tile([], { columns: 1 })).toThrow('tile: needs at least one image; got 0.');
    expect(() => tile([grey(1, 2), { ...grey(1, 2), width: 1, height: 2 }], { columns: 1 })).toThrow(
      'images must all have 2 × 1 pixels and 1 channels; got [1,2,1,2] (image 1)',
    );
  });
});

describe('encodePng', () => {
  it.each([1, 3, 4] as const)('is lossless with %i channels', async (channels) => {
    const data = Uint8Array.from({ length: 6 * channels }, (_, i) => (i * 41) % 256);
    const png = await encodePng({ data, width: 3, height: 2, channels });
    // The file says itself how many channels it has (PNG colour types 0, 2, 6); sharp would decode grey to RGB.
    expect(png[25]).toBe({ 1: 0, 3: 2, 4: 6 }[channels]);
    const image = channels === 1 ? sharp(png).toColourspace('b-w') : sharp(png);
    const { data: back, info } = await image.raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([3, 2, channels]);
    expect(new Uint8Array(back)).toEqual(data);
  });

  it('gives equal bytes for equal pixels', async () => {
    const image = { data: new Uint8Array(64).fill(9), width: 8, height: 8, channels: 1 as const };
    expect(await encodePng(image)).toEqual(await encodePng(image));
  });

  it('refuses data that does not fill the image', async () => {
    await expect(encodePng({ data: new Uint8Array(5), width: 2, height: 3, channels: 1 })).rejects.toThrow(
      'png: an image of 2 × 3 pixels and 1 channels has 6 values, at least one; got 5.',
    );
  });
});
