import fc from 'fast-check';
import { lastValueFrom, of } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Batch, Column } from '../../../src/core/batch.js';
import type { Floats } from '../../../src/operators/stages.js';
import { patches, patchify, unpatches, unpatchify } from '../../../src/operators/views/index.js';

const batchOf = <C>(columns: C, rows: number): Batch<C> => ({
  rows,
  columns,
  origins: Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id })),
  program: undefined,
});
const images = (rows: number, h: number, w: number, c: number): Floats => ({
  data: Float32Array.from({ length: rows * h * w * c }, (_, i) => i),
  shape: [rows, h, w, c],
});

describe('patches', () => {
  it("gives the MAE card's vectors: C = 2, 4 × 4, p = 2", () => {
    const pixels = Float32Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? i / 2 : 100 + (i - 1) / 2));
    const out = patches(pixels, [4, 4, 2], 2);
    expect([...out.subarray(0, 8)]).toEqual([0, 100, 1, 101, 4, 104, 5, 105]);
    expect([...out.subarray(24, 32)]).toEqual([10, 110, 11, 111, 14, 114, 15, 115]);
  });

  it('follows the definition at every index, and unpatches undoes it bit for bit, for any shape', () => {
    const side = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        side,
        side,
        side,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 3 }),
        (rows, gh, gw, ph, pw, c) => {
          const shape = [rows, gh * ph, gw * pw, c];
          // Bit patterns of all kinds, NaN payloads and signed zeros included.
          const bits = Uint32Array.from({ length: rows * gh * ph * gw * pw * c }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
          const data = new Float32Array(bits.buffer);
          const tokens = patches(data, shape, [ph, pw]);
          const seen = new Uint32Array(tokens.buffer);
          let at = 0;
          for (let n = 0; n < rows; n++)
            for (let gy = 0; gy < gh; gy++)
              for (let gx = 0; gx < gw; gx++)
                for (let y = 0; y < ph; y++)
                  for (let x = 0; x < pw; x++)
                    for (let k = 0; k < c; k++) {
                      const index = ((n * gh * ph + gy * ph + y) * gw * pw + gx * pw + x) * c + k;
                      if (seen[at] !== bits[index]) throw new Error(`patch number ${at}`);
                      at++;
                    }
          const again = new Uint32Array(unpatches(tokens, shape, [ph, pw]).buffer);
          expect(again).toEqual(bits);
        },
      ),
      { numRuns: 200, seed: 4 },
    );
  });

  it('takes images without a batch axis and with several', () => {
    const data = Float32Array.from({ length: 2 * 3 * 16 }, (_, i) => i);
    expect([...patches(data, [2, 3, 4, 4, 1], 2).subarray(0, 4)]).toEqual([0, 1, 4, 5]);
    expect([...patches(data.subarray(0, 16), [4, 4, 1], 2).subarray(4, 8)]).toEqual([2, 3, 6, 7]);
  });

  it('refuses a shape that is not that of the data', () => {
    expect(() => patches(new Float32Array(15), [4, 4, 1], 2)).toThrow(
      'patchify.shape: must be […, height, width, channels] with 15 numbers in all; got [4,4,1].',
    );
    expect(() => unpatches(new Float32Array(16), [16, 1], 2)).toThrow(
      'unpatchify.shape: must be […, height, width, channels] with 16 numbers in all; got [16,1].',
    );
  });
});

describe('patchify', () => {
  it('adds tokens and the grid, keeps all else, and its types say so', async () => {
    const image = images(3, 6, 8, 2);
    const label: Column<Int32Array> = { data: Int32Array.of(1, 2, 3), shape: [3] };
    const source = of(batchOf({ image, label }, 3));
    const out = await lastValueFrom(source.pipe(patchify([3, 2])));
    expectTypeOf(out.columns.tokens).toEqualTypeOf<Floats>();
    expectTypeOf(out.columns.label).toEqualTypeOf<Column<Int32Array>>();
    expect(out.grid).toEqual([2, 4]);
    expect(out.columns.tokens.shape).toEqual([3, 8, 12]);
    expect(out.columns.image).toBe(image);
    expect(out.columns.label).toBe(label);
    // @ts-expect-error there is no such column
    source.pipe(patchify(2, { column: 'picture' }));
    const named = await lastValueFrom(of(batchOf({ left: image }, 3)).pipe(patchify(2, { column: 'left', as: 'leftTokens' })));
    expectTypeOf(named.columns.leftTokens).toEqualTypeOf<Floats>();
    expect(named.columns.leftTokens.shape).toEqual([3, 12, 8]);
  });

  it('is undone by unpatchify', async () => {
    const image = images(2, 6, 8, 3);
    const out = await lastValueFrom(of(batchOf({ image }, 2)).pipe(patchify([3, 4]), unpatchify({ size: [3, 4], as: 'again' })));
    expectTypeOf(out.columns.again).toEqualTypeOf<Floats>();
    expect(out.columns.again).toEqual(image);
    expect(out.columns.image).toBe(image);
  });

  const fail = (columns: Record<string, unknown>, size: number | [number, number], options = {}): Promise<unknown> =>
    lastValueFrom(of(batchOf(columns as { image: Floats }, 2)).pipe(patchify(size, options)));

  it('says which sizes would do where one does not divide', async () => {
    await expect(fail({ image: images(2, 28, 28, 1) }, 5)).rejects.toThrow(
      'patchify.size: 5 × 5 pixels a patch do not divide an image of 28 × 28 (batch of samples 0, 1, epoch 0). These sizes do: 1, 2, 4, 7, 14, 28.',
    );
    await expect(fail({ image: images(2, 9, 4, 1) }, [3, 3])).rejects.toThrow(
      'Heights that do: 1, 3, 9; widths that do: 1, 2, 4. Or give the images another size: image({ size: [9, 3], … }).',
    );
  });

  it('says what is wrong with a column or an option', async () => {
    await expect(fail({ picture: images(2, 4, 4, 1) }, 2)).rejects.toThrow('patchify.image: there is no column image; got ["picture"]');
    await expect(fail({ imag: images(2, 4, 4, 1) }, 2)).rejects.toThrow("Did you mean { column: 'imag' }?");
    await expect(fail({ image: { data: new Uint8Array(32), shape: [2, 4, 4, 1] } }, 2)).rejects.toThrow(
      'patchify.image: must be a float32 column [rows, height, width, channels]; got "Uint8Array [2, 4, 4, 1]" (batch of samples 0, 1, epoch 0). Put image({ size, channels }) and batch(n) in front of patchify.',
    );
    await expect(fail({ image: { rows: 2, values: ['a', 'b'] } }, 2)).rejects.toThrow('got "a carried column (text, bytes or lists)"');
    expect(() => patchify(0)).toThrow('patchify.size: must be an integer of at least 1, or two of them: [height, width]; got 0.');
    expect(() => patchify([2, 1.5])).toThrow('got [2,1.5]');
    expect(() => patchify(2, { colum: 'x' } as never)).toThrow('patchify.colum: there is no such option. Did you mean column?');
  });
});

describe('unpatchify', () => {
  const fail = (tokens: Floats, grid: number[] | undefined, options: Parameters<typeof unpatchify>[0]): Promise<unknown> =>
    lastValueFrom(
      of({ ...batchOf({ tokens }, 2), ...(grid === undefined ? {} : { grid }) }).pipe(unpatchify(options) as ReturnType<typeof unpatchify<'tokens'>>),
    );
  const tokens: Floats = { data: new Float32Array(2 * 4 * 12), shape: [2, 4, 12] };

  it('says what does not fit', async () => {
    await expect(fail(tokens, undefined, { size: 2 })).rejects.toThrow(
      'unpatchify: the batch has no grid, so the patches have no places (batch of samples 0, 1, epoch 0). Put unpatchify behind patchify, which sets it.',
    );
    await expect(fail(tokens, [2, 3], { size: 2 })).rejects.toThrow('unpatchify.grid: must be [down, across] with 4 tokens in all; got [2,3]');
    await expect(fail(tokens, [2, 2], { size: 5 })).rejects.toThrow('unpatchify.size: tokens of 12 numbers are no patches of 5 × 5 pixels');
    await expect(fail(tokens, [2, 2], { size: 2, channels: 1 })).rejects.toThrow('patches of 2 × 2 pixels with 1 channels have 4 numbers, the tokens 12');
    expect(() => unpatchify({ size: 2, channels: 0 })).toThrow('unpatchify.channels: must be an integer of at least 1; got 0.');
  });
});
