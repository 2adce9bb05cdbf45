import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { concat, from, throwError } from 'rxjs';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/createExecutor.js';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import type { Program } from '../../src/core/program.js';
import type { Recipe } from '../../src/core/recipe.js';
import { vitMae } from '../../src/models/vitMae.js';
import { patches } from '../../src/operators/views/patchify.js';
import { denormalizePatches, firstRows, normalizingEps, pictures, reconstructionImages, reconstructionSheet, squarePatch } from '../../src/sinks/pictures.js';
import { fakeRun, folder, stepped, through } from './steps.js';

const plain: Recipe = { module: 'maskflow/losses', name: 'patchReconstruction', options: { normalize: false, eps: 1e-6 } };
const normalized: Recipe = {
  module: 'maskflow/operators',
  name: 'loss',
  options: { of: { module: 'm', name: 'vitMae', options: {} }, term: { ...plain, options: { normalize: true, eps: 1e-3 } }, weight: 1 },
};
const programOf = (recipe: Recipe, prepare?: Program['prepare']): Program =>
  ({ recipe, weights: 'student', ...(prepare === undefined ? {} : { prepare }) }) as unknown as Program;

/** Grey images of 4 × 6 pixels in patches of 2 × 3: pixel i of image r has the level 10 r + i. */
function batchOf(rows: number, program = programOf(plain)): AnyBatch {
  const image = Float32Array.from({ length: rows * 24 }, (_, i) => (10 * Math.floor(i / 24) + (i % 24)) / 255);
  const mask = Uint8Array.from({ length: rows * 4 }, (_, i) => (i % 4 === 1 || i % 4 === 2 ? 1 : 0));
  return {
    rows,
    columns: {
      tokens: { data: patches(image, [rows, 4, 6, 1], [2, 3]), shape: [rows, 4, 6] },
      mask: { data: mask, shape: [rows, 2, 2] },
      label: { data: Int32Array.from({ length: rows }, (_, i) => i), shape: [rows] },
      text: { rows, values: Array.from({ length: rows }, (_, i) => `row ${i}`) },
      vector: { rows, arrow: { get: (i: number) => i } },
    },
    origins: Array.from({ length: rows }, (_, i) => ({ source: 0, id: i, epoch: 0, position: i })),
    grid: [2, 2],
    program,
  };
}
const tokensOf = (batch: AnyBatch): Column<Float32Array> => batch.columns.tokens as Column<Float32Array>;
const constant =
  (level: number) =>
  (batch: AnyBatch): Column<Float32Array> => ({ data: new Float32Array(tokensOf(batch).data.length).fill(level / 255), shape: tokensOf(batch).shape });
/** Pixels of a picture that was written, one channel. */
async function read(file: string): Promise<{ data: Buffer; width: number; height: number }> {
  const { data, info } = await sharp(file).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}
/** Without enlargement: image (row, column) of the sheet. */
function at(sheet: { data: Uint8Array; width: number }, row: number, column: number): number[] {
  return Array.from({ length: 24 }, (_, i) => sheet.data[(8 + row * 8 + Math.floor(i / 6)) * sheet.width + 8 + column * 10 + (i % 6)] as number);
}
const rising = (from: number): number[] => Array.from({ length: 24 }, (_, i) => from + i);
/** In patches of 2 × 3 on a grid of 2 × 2, patches 1 and 2 are hidden: top right and bottom left. */
const isHidden = (i: number): boolean => (Math.floor(i / 12) === 0 ? i % 6 >= 3 : i % 6 < 3);

describe('pictures', () => {
  it('shows original, masked input and reconstruction of the first samples', async () => {
    const root = folder();
    const item = stepped(2, {}, batchOf(5));
    const asked: AnyBatch[] = [];
    const evaluate = (batch: AnyBatch): Column<Float32Array> => {
      asked.push(batch);
      return constant(200)(batch);
    };
    expect(await through(pictures('p', { every: 2, rows: 2, patchSize: [2, 3], scale: 1 }), [item], fakeRun({ folder: root, evaluate }))).toEqual([item]);
    expect(readdirSync(join(root, 'p'))).toEqual(['step-00000002.png']);
    const sheet = await read(join(root, 'p', 'step-00000002.png'));
    expect([sheet.width, sheet.height]).toEqual([8 + 3 * 6 + 2 * 4 + 8, 8 + 4 + 4 + 4 + 8]);
    for (const row of [0, 1]) {
      expect(at(sheet, row, 0)).toEqual(rising(10 * row));
      expect(at(sheet, row, 1)).toEqual(rising(10 * row).map((level, i) => (isHidden(i) ? 128 : level)));
      expect(at(sheet, row, 2)).toEqual(rising(10 * row).map((level, i) => (isHidden(i) ? 200 : level)));
    }
    expect(asked.map(({ rows }) => rows)).toEqual([2]);
  });

  it.each([
    [1, 7, 3, [3, 6, 7]],
    [1, 6, 3, [3, 6]],
    [1, 1, 3, [1]],
    [8, 9, 4, [8, 9]],
  ])('draws every n-th step and the last: steps %i to %i, every %i', async (first, last, every, expected) => {
    const root = folder();
    const items = Array.from({ length: last - first + 1 }, (_, i) => stepped(first + i, {}, batchOf(1)));
    await through(pictures(root, { every, patchSize: [2, 3] }), items, fakeRun({ folder: '/', evaluate: constant(0) }));
    expect(readdirSync(root)).toEqual(expected.map((step) => `step-${String(step).padStart(8, '0')}.png`));
  });

  it('does not show rows that pad a short batch', async () => {
    const root = folder();
    const batch = batchOf(4);
    const padded = { ...batch, origins: [batch.origins[0], batch.origins[1], batch.origins[1], batch.origins[1]] as AnyBatch['origins'] };
    const shown: number[] = [];
    const evaluate = (part: AnyBatch): Column<Float32Array> => {
      shown.push(part.rows);
      return constant(0)(part);
    };
    await through(pictures(root, { every: 1, patchSize: [2, 3] }), [stepped(1, {}, padded)], fakeRun({ folder: '/', evaluate }));
    expect(shown).toEqual([2]);
  });

  it('undoes per-patch normalisation where the loss in front normalises, unless told otherwise', async () => {
    // A perfect model: its prediction is the normalised target.
    const evaluate = (batch: AnyBatch): Column<Float32Array> => {
      const { data, shape } = tokensOf(batch);
      const out = new Float32Array(data.length);
      for (let start = 0; start < data.length; start += 6) {
        const patch = data.subarray(start, start + 6);
        const mean = patch.reduce((a, b) => a + b, 0) / 6;
        const variance = patch.reduce((a, b) => a + (b - mean) ** 2, 0) / 5;
        for (let i = 0; i < 6; i++) out[start + i] = ((patch[i] as number) - mean) / Math.sqrt(variance + 1e-3);
      }
      return { data: out, shape };
    };
    const root = folder();
    await through(
      pictures('auto', { every: 1, patchSize: [2, 3], scale: 1 }),
      [stepped(1, {}, batchOf(1, programOf(normalized)))],
      fakeRun({ folder: root, evaluate }),
    );
    expect(at(await read(join(root, 'auto', 'step-00000001.png')), 0, 2)).toEqual(rising(0));
    await through(
      pictures('off', { every: 1, patchSize: [2, 3], scale: 1, normalize: false }),
      [stepped(1, {}, batchOf(1, programOf(normalized)))],
      fakeRun({ folder: root, evaluate }),
    );
    expect(at(await read(join(root, 'off', 'step-00000001.png')), 0, 2)).not.toEqual(rising(0));
    expect(normalizingEps(normalized)).toBe(1e-3);
    expect(normalizingEps(plain)).toBeUndefined();
  });

  it("denormalising undoes MAE's example: [1, 2, 3, 4] and a constant patch", () => {
    const prediction = Float32Array.from([-1.161895, -0.387298, 0.387298, 1.161895, 0, 0, 0, 0]);
    const back = denormalizePatches(prediction, Float32Array.from([1, 2, 3, 4, 5, 5, 5, 5]), 4, 1e-6);
    for (const [i, value] of [1, 2, 3, 4, 5, 5, 5, 5].entries()) expect(back[i]).toBeCloseTo(value, 5);
  });

  it('an all-visible picture is the original three times, whatever is predicted (any size, colour, patch)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(1, 3),
        fc.nat(),
        (gh, gw, ph, pw, channels, seed) => {
          const shape = [2, gh * ph, gw * pw, channels];
          const levels = Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.imul(seed + i, 2654435761) >>> 24);
          const tokens = {
            data: patches(
              Float32Array.from(levels, (v) => v / 255),
              shape,
              [ph, pw],
            ),
            shape: [2, gh * gw, ph * pw * channels],
          };
          const prediction = { data: tokens.data.map(() => Number.NaN), shape: tokens.shape };
          const images = reconstructionImages({
            tokens,
            prediction,
            mask: { data: new Uint8Array(2 * gh * gw), shape: [2, gh, gw] },
            grid: [gh, gw],
            patchSize: [ph, pw],
          });
          const size = levels.length / 2;
          for (const [i, { data }] of images.entries()) expect(data).toEqual(levels.slice(Math.floor(i / 3) * size, (Math.floor(i / 3) + 1) * size));
        },
      ),
      { numRuns: 60, seed: 4 },
    );
  });

  it('undoes mean and std a channel, and clamps', () => {
    const tokens = { data: Float32Array.from([0, 0, 0, 1, -1, 9]), shape: [1, 2, 3] };
    const images = reconstructionImages({
      tokens,
      prediction: tokens,
      mask: { data: Uint8Array.from([0, 1]), shape: [1, 1, 2] },
      grid: [1, 2],
      patchSize: 1,
      mean: [0.2, 0.4, 0.6],
      std: [0.2, 0.6, 0.2],
    });
    expect(images.map(({ data }) => [...data])).toEqual([
      [51, 102, 153, 102, 0, 255],
      [51, 102, 153, 128, 128, 128],
      [51, 102, 153, 102, 0, 255],
    ]);
  });

  it('finds the side of square patches', () => {
    expect([1, 3, 4, 12, 16, 48, 49, 768].map(squarePatch)).toEqual([1, 1, 2, 2, 4, 4, 7, 16]);
    expect(() => squarePatch(6)).toThrow('6 numbers a token are no square patch of 1 or 3 channels. Give the size that patchify was given');
  });

  it('cuts every column on its rows and makes index columns anew', () => {
    const program = programOf(plain, (batch) => ({ visible: { data: new Int32Array(batch.rows), shape: [batch.rows] } }));
    const batch = batchOf(4, program);
    const part: AnyBatch = firstRows<AnyBatch>({ ...batch, columns: { ...batch.columns, visible: { data: new Int32Array(8), shape: [4, 2] } } }, 2);
    expect(part.rows).toBe(2);
    expect(part.origins).toEqual(batch.origins.slice(0, 2));
    expect(part.columns.tokens).toEqual({ data: tokensOf(batch).data.slice(0, 48), shape: [2, 4, 6] });
    expect(part.columns.label).toEqual({ data: Int32Array.from([0, 1]), shape: [2] });
    expect(part.columns.text).toEqual({ rows: 2, values: ['row 0', 'row 1'] });
    expect(part.columns.vector).toMatchObject({ rows: 2 });
    expect(part.columns.visible).toEqual({ data: new Int32Array(2), shape: [2] });
  });

  it('gives a real model the first rows as it would see them alone: predictions are those of the whole batch', async () => {
    const executor = await createExecutor({ seed: 3, backend: 'cpu' });
    const program = vitMae({ patchSize: [2, 3], width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } });
    const { columns, ...batch } = batchOf(5, program);
    // Ragged visible sets: the index columns of the first rows alone are narrower than those of the batch.
    const mask = { data: Uint8Array.from([0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0]), shape: [5, 2, 2] };
    const whole = { ...batch, columns: { tokens: columns.tokens as Column, mask } };
    const prepared = { ...whole, columns: { ...whole.columns, ...program.prepare(whole) } };
    const all = (await executor.evaluate(program, prepared, ['prediction'])).prediction;
    const first = (await executor.evaluate(program, firstRows(prepared, 2), ['prediction'])).prediction;
    expect(first.shape).toEqual([2, 4, 6]);
    for (const [i, value] of first.data.entries()) expect(value).toBeCloseTo(all.data[i] as number, 5);
    executor.dispose();
  });

  it('keeps a sheet within sight: small images are enlarged by a whole factor, triples stand side by side', () => {
    const digit = { data: new Uint8Array(784), width: 28, height: 28, channels: 1 as const };
    const of = (triples: number): { width: number; height: number } => reconstructionSheet(Array(3 * triples).fill(digit));
    expect(of(8)).toMatchObject({ width: 8 + 6 * 112 + 4 * 4 + 16 + 8, height: 8 + 4 * 112 + 3 * 4 + 8 });
    for (const triples of [1, 2, 3, 4, 8, 16, 32]) {
      const { width, height } = of(triples);
      expect(width / height).toBeGreaterThan(0.7);
      expect(width / height).toBeLessThan(3.2);
    }
    const photo = { data: new Uint8Array(224 * 224 * 3), width: 224, height: 224, channels: 3 as const };
    expect(reconstructionSheet([photo, photo, photo]).height).toBe(240);
  });

  it.each<[string, Partial<AnyBatch>, string]>([
    ['no tokens', { columns: { mask: batchOf(1).columns.mask as Column } }, 'pictures.tokens: there is no column tokens'],
    ['no mask', { columns: { tokens: tokensOf(batchOf(1)) } }, 'pictures: needs a column mask and a model'],
    ['no model', { program: undefined }, 'pictures: needs a column mask and a model'],
    ['a grid of one axis', { grid: [4] }, 'pictures: draws tokens on a grid of two axes; got [4]'],
  ])('explains %s', async (_, change, message) => {
    await expect(
      through(
        pictures(folder(), { every: 1, patchSize: [2, 3] }),
        [stepped(1, {}, { ...batchOf(1), ...change })],
        fakeRun({ folder: '/', evaluate: constant(0) }),
      ),
    ).rejects.toThrow(message);
  });

  it('explains a patch size that does not fit, a prediction of another shape, and options', async () => {
    const item = stepped(1, {}, batchOf(1));
    const root = folder();
    await expect(through(pictures(root, { every: 1 }), [item], fakeRun({ folder: '/', evaluate: constant(0) }))).rejects.toThrow(
      'pictures.patchSize: 6 numbers a token',
    );
    await expect(through(pictures(root, { every: 1, patchSize: 2 }), [item], fakeRun({ folder: '/', evaluate: constant(0) }))).rejects.toThrow(
      'tokens of 6 numbers are no patches of 2 × 2 pixels',
    );
    const wrong = (): Column<Float32Array> => ({ data: new Float32Array(3), shape: [1, 3] });
    await expect(through(pictures(root, { every: 1, patchSize: [2, 3] }), [item], fakeRun({ folder: '/', evaluate: wrong }))).rejects.toThrow(
      "prediction must have the tokens' shape [1, 4, 6]; got [1,3]",
    );
    await expect(
      through(pictures(root, { every: 1, patchSize: [2, 3], mean: [0, 0] }), [item], fakeRun({ folder: '/', evaluate: constant(0) })),
    ).rejects.toThrow('pictures.mean: must be a number, or one for each of 1 channels; got [0,0]');
    expect(readdirSync(root)).toEqual([]);
    expect(() => pictures('p', { evry: 2 } as never)).toThrow('pictures.evry: there is no such option. Did you mean every?');
    expect(() => pictures('p', { rows: 0 })).toThrow('pictures.rows: must be an integer of at least 1; got 0.');
    expect(() => pictures('p', { normalize: true } as never)).toThrow("pictures.normalize: must be 'patch' or false; got true.");
  });

  it('a failed write or evaluation ends the run, and no file is left under a good name', async () => {
    const root = folder();
    writeFileSync(join(root, 'file'), '');
    const run = fakeRun({ folder: root, evaluate: constant(0) });
    await expect(through(pictures('file', { every: 1, patchSize: [2, 3] }), [stepped(1, {}, batchOf(1))], run)).rejects.toThrow(
      `pictures: cannot make the folder ${join(root, 'file')}`,
    );
    const broken = { ...run, files: { ...run.files, rename: async () => Promise.reject(new Error('killed')) } };
    await expect(through(pictures('p', { every: 1, patchSize: [2, 3] }), [stepped(1, {}, batchOf(1))], broken)).rejects.toThrow('pictures: killed');
    expect(readdirSync(join(root, 'p'))).toEqual(['step-00000001.png.partial']);
    const failing = fakeRun({
      folder: root,
      evaluate: () => {
        throw new Error('no engine');
      },
    });
    await expect(through(pictures('q', { every: 1, patchSize: [2, 3] }), [stepped(1, {}, batchOf(1))], failing)).rejects.toThrow(
      'pictures: no engine (batch of samples 0, epoch 0)',
    );
    await expect(
      through(
        pictures('r', { every: 9, patchSize: [2, 3] }),
        concat(
          from([stepped(1, {}, batchOf(1))]),
          throwError(() => new Error('train')),
        ),
        run,
      ),
    ).rejects.toThrow('train');
    expect(existsSync(join(root, 'r'))).toBe(false);
  });

  it('gives equal bytes for equal steps', async () => {
    const files = await Promise.all(
      [0, 1].map(async () => {
        const root = folder();
        await through(pictures(root, { every: 1, patchSize: [2, 3] }), [stepped(1, {}, batchOf(3))], fakeRun({ folder: '/', evaluate: constant(77) }));
        return readFileSync(join(root, 'step-00000001.png'));
      }),
    );
    expect(files[0]).toEqual(files[1]);
  });
});
