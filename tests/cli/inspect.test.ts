import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Binary, Field, Int32, List, Uint8, vectorFromArray } from 'apache-arrow';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Column } from '../../src/core/batch.js';
import { drain } from '../../src/core/demand/index.js';
import type { Pixels } from '../../src/formats/png.js';
import { batch } from '../../src/operators/batch.js';
import { mask } from '../../src/operators/mask.js';
import { random } from '../../src/operators/masks/index.js';
import { drawnSize } from '../../src/run/inspectSource.js';
import { cellPicture, cellSheet, cellSize, maskedImage, pairSheet } from '../../src/run/maskPictures.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { memory } from '../../src/sources/memory.js';
import { ipc, temporaryFolder, write } from '../sources/arrowFiles.js';
import { command, refusal } from './commands.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

const pixel = ({ data, width, channels }: Pixels, x: number, y: number): number[] => [
  ...data.subarray((y * width + x) * channels, (y * width + x + 1) * channels),
];

/** The pixels of a PNG file. */
async function png(name: string): Promise<Pixels> {
  const { data, info } = await sharp(readFileSync(at(name)))
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels as 1 | 3 };
}

describe('the pure half', () => {
  it('paints hidden patches grey and leaves the others as they are', () => {
    const image: Pixels = { data: Uint8Array.from({ length: 4 * 6 * 3 }, (_, i) => i), width: 6, height: 4, channels: 3 };
    const masked = maskedImage(image, Uint8Array.of(0, 1, 0, 0, 0, 1), [2, 3]);
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 6; x++) {
        const hidden = (y < 2 && x >= 2 && x < 4) || (y >= 2 && x >= 4);
        expect(pixel(masked, x, y)).toEqual(hidden ? [128, 128, 128] : pixel(image, x, y));
      }
    }
    expect(image.data[0]).toBe(0);
  });

  it('draws cells dark where hidden, light where visible, white where there is no token', () => {
    const picture = cellPicture({ mask: Uint8Array.of(1, 0, 0, 1), grid: [4], length: 3 }, { width: 2, height: 3, line: 0 }, 5);
    expect([picture.width, picture.height]).toEqual([10, 3]);
    const colors = [0, 2, 4, 6, 8].map((x) => pixel(picture, x, 1));
    expect(colors).toEqual([
      [30, 64, 110],
      [226, 232, 240],
      [226, 232, 240],
      [255, 255, 255],
      [255, 255, 255],
    ]);
  });

  it('draws the slices of a box side by side', () => {
    const bytes = new Uint8Array(2 * 2 * 3);
    bytes[6 + 3] = 1; // slice 1, row 1, column 0
    const picture = cellPicture({ mask: bytes, grid: [2, 2, 3] }, { width: 4, height: 4, line: 0 });
    expect([picture.width, picture.height]).toEqual([3 * 4 * 2 + 4, 8]);
    expect(pixel(picture, 16, 4)).toEqual([30, 64, 110]);
    expect(pixel(picture, 0, 4)).toEqual([226, 232, 240]);
    expect(pixel(picture, 13, 4)).toEqual([255, 255, 255]);
  });

  it('finds a size of cells for every layout, strips of thousands of tokens included', () => {
    for (const grid of [[1], [49], [5000], [14, 14], [200, 200], [4, 7, 7], [16, 14, 14]]) {
      const { width, height, line } = cellSize(grid);
      expect(Math.min(width, height)).toBeGreaterThan(line);
    }
    expect(
      cellSheet([
        { mask: new Uint8Array(0), grid: [0] },
        { mask: Uint8Array.of(1), grid: [1] },
      ]).width,
    ).toBeGreaterThan(0);
  });

  it('sets pairs side by side', () => {
    const image: Pixels = { data: new Uint8Array(112 * 112), width: 112, height: 112, channels: 1 };
    const sheet = pairSheet(Array.from({ length: 6 }, () => [image, image] as const));
    expect(sheet.width).toBeGreaterThan(sheet.height);
  });

  it('fits files to patches and takes raw pixels as they are', () => {
    const raw = { height: 28, width: 28, channels: 1, raw: true };
    expect(drawnSize(raw)).toEqual({ height: 28, width: 28, grid: [7, 7] });
    expect(drawnSize(raw, 7)).toEqual({ height: 28, width: 28, grid: [4, 4] });
    expect(drawnSize(raw, undefined, [14, 14])).toEqual({ height: 28, width: 28, grid: [14, 14] });
    expect(() => drawnSize(raw, 5)).toThrow('patchify.size: 5 × 5 pixels a patch do not divide an image of 28 × 28. These sizes do: 1, 2, 4, 7, 14, 28.');
    expect(() => drawnSize(raw, undefined, [5, 5])).toThrow('maskflow.grid: must divide images of 28 × 28 pixels; got [5,5].');
    expect(() => drawnSize(raw, undefined, [49])).toThrow('maskflow.grid: must have two sides over images: patches down and across; got [49].');
    const file = { height: 375, width: 500, channels: 3, raw: false };
    expect(drawnSize(file)).toEqual({ height: 168 + 8, width: 224, grid: [11, 14] });
    expect(drawnSize(file, [12, 10])).toEqual({ height: 168, width: 220, grid: [14, 22] });
    expect(drawnSize({ ...file, height: 3, width: 2 })).toMatchObject({ height: 3, width: 2 });
  });
});

describe('maskflow inspect', () => {
  const digit = (id: number): Column<Uint8Array> => ({ data: Uint8Array.from({ length: 64 }, (_, i) => (i * 3 + id * 40) % 120), shape: [8, 8, 1] });
  beforeAll(async () => {
    await drain(memory(Array.from({ length: 20 }, (_, id) => ({ image: digit(id), id }))).pipe(batch(3), arrowFile(at('digits.arrow'))));
  });

  it('draws the masks that a chain draws over the images of the data', async () => {
    const { stdout } = await command([
      'inspect',
      at('digits.arrow'),
      '--mask',
      'random',
      '--patch',
      '2',
      '--rows',
      '4',
      '--seed',
      '5',
      '--out',
      at('digits.png'),
    ]);
    expect(Buffer.from(stdout).toString()).toBe(`4 samples, grid 4 × 4, 75.0 % hidden by random → ${at('digits.png')}\n`);
    const sheet = await png('digits.png');
    const masks: number[][] = [];
    const samples = Array.from({ length: 4 }, () => ({ tokens: { data: new Float32Array(16), shape: [16, 1] } }));
    await drain(memory(samples).pipe(batch(4), mask(random())), { seed: 5 }, ({ columns }) => {
      for (let row = 0; row < 4; row++) masks.push([...columns.mask.data.subarray(row * 16, row * 16 + 16)]);
    });
    // Images of 8 pixels are enlarged 14 times; two pairs a line: left edges 8, 124 and 252, 368; top edges 8 and 124.
    const lefts = [8, 8 + 112 + 4, 8 + 2 * 112 + 4 + 16, 8 + 3 * 112 + 8 + 16];
    for (let row = 0; row < 4; row++) {
      const [x, y] = [(row % 2) * 2, 8 + Math.floor(row / 2) * 116];
      for (let i = 0; i < 64; i++) {
        const [px, py] = [(i % 8) * 14 + 7, y + Math.floor(i / 8) * 14 + 7];
        const own = digit(row).data[i]!;
        expect(pixel(sheet, lefts[x]! + px, py)[0]).toBe(own);
        const cell = Math.floor(i / 16) * 4 + Math.floor((i % 8) / 2);
        expect(pixel(sheet, lefts[x + 1]! + px, py)[0]).toBe(masks[row]![cell] ? 128 : own);
      }
    }
    expect(existsSync(at('digits.png.partial'))).toBe(false);
  });

  it('decodes files in the data, brings them to one size and draws in colour where one has colour', async () => {
    const encode = (width: number, height: number, channels: 1 | 3): Promise<Buffer> =>
      sharp({ create: { width, height, channels: 3, background: { r: 200, g: 40, b: 90 } } })
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .png()
        .toBuffer();
    const files = [await encode(32, 32, 1), await encode(64, 40, 3)];
    const source = write(folder, 'files.arrow', ipc({ photo: vectorFromArray(files, new Binary()) }));
    const { stdout } = await command(['inspect', source, '--mask', 'block', '--column', 'photo', '--out', at('files.png'), '--json']);
    expect(JSON.parse(Buffer.from(stdout).toString())).toEqual({ rows: 2, ratio: 26 / 64, grid: [8, 8], mask: 'block', seed: 0, out: at('files.png') });
    expect((await png('files.png')).channels).toBe(3);
  });

  it('draws the cells alone where there are no images, from a pipe too', async () => {
    const strips = ipc({ n: vectorFromArray([3, 9], new Int32()) }, 'stream');
    const { stdout } = await command(['inspect', '-', '--mask', 'random', '--set', 'ratio=1', '--length', 'n', '--out', at('strips.png')], { stdin: strips });
    expect(Buffer.from(stdout).toString()).toContain('2 samples, rows of their own lengths, 100.0 % hidden by random');
    const sheet = await png('strips.png');
    expect([sheet.width, sheet.height]).toEqual([12 + 9 * 16 + 12, 12 + 16 + 6 + 16 + 12]);
    expect([pixel(sheet, 14, 14), pixel(sheet, 12 + 3 * 16 + 2, 14), pixel(sheet, 12 + 8 * 16 + 2, 36)]).toEqual([
      [30, 64, 110],
      [255, 255, 255],
      [30, 64, 110],
    ]);
    for (const grid of ['49', '14x14', '4x7x7']) {
      await command(['inspect', '-', '--mask', 'colorNoise', '--set', 'patterns=4', '--grid', grid, '--out', at('cells.png')], { stdin: strips });
      expect((await png('cells.png')).width).toBeGreaterThan(100);
    }
  });

  it('draws over data that has a mask already', async () => {
    const masked = ipc({ mask: vectorFromArray([[1]], new List(new Field('item', new Uint8(), false))) }, 'stream');
    await command(['inspect', '-', '--mask', 'random', '--grid', '3x3', '--out', at('again.png')], { stdin: masked });
    expect(existsSync(at('again.png'))).toBe(true);
  });

  it('refuses what cannot be drawn, and writes nothing then', async () => {
    const of = async (...args: string[]): Promise<string> =>
      (await refusal(['inspect', at('digits.arrow'), '--mask', 'random', '--out', at('none.png'), ...args])).message;
    expect(await of('--column', 'imag')).toBe('maskflow.column: there is no such column; got "imag". Did you mean image? Columns: image, id.');
    expect(await of('--patch', '3')).toContain('These sizes do: 1, 2, 4, 8.');
    expect(await of('--patch', '2', '--grid', '4x4')).toContain('maskflow.patch: must be left out where a grid is given; got 2.');
    expect(await of('--patch', '2x')).toContain('Expected the side of a patch in pixels, as in 7, or height and width, as in 4x8.');
    expect(await of('--rows', '0')).toContain('Expected a whole number of at least 1.');
    expect(await of('--mask', 'blok')).toContain('Did you mean block?');
    expect(await of('--out', 'picture.jpg')).toBe('maskflow.out: must end in .png; got "picture.jpg".');
    expect(await of('--column', 'id')).toContain('raw pixels [height, width, channels]; got 0 (column id, sample 0, epoch 0)');
    expect((await refusal(['inspect', 'none.arrow', '--mask', 'random', '--out', at('none.png')])).message).toContain(
      'there is no such file; got "none.arrow"',
    );
    expect((await refusal(['inspect', at('digits.arrow'), '--out', at('none.png')])).message).toContain("required option '--mask <KIND>' not specified");
    const strips = ipc({ n: vectorFromArray([3], new Int32()) }, 'stream');
    expect((await refusal(['inspect', '-', '--mask', 'random', '--patch', '4', '--out', at('none.png')], { stdin: strips })).message).toContain(
      'maskflow.patch: there are no images to cut into patches; got 4.',
    );
    expect((await refusal(['inspect', '-', '--mask', 'random', '--out', at('none.png')], { stdin: strips })).message).toContain(
      'nothing tells how many tokens a row has',
    );
    expect(existsSync(at('none.png'))).toBe(false);
  });
});
