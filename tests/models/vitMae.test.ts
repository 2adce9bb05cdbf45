import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { useBackend } from '../../src/backends/useBackend.js';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import { fold, rootKey, uniforms } from '../../src/core/key.js';
import { signatureOf } from '../../src/core/program.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { presentTfjs, tfjsName } from '../backends/presentBackends.js';
import {
  type Values,
  batchOf,
  firstValues,
  formulaTokens,
  forward,
  largestDifference,
  lengthColumn,
  lossAndGradients,
  maskColumn,
  prepared,
} from './harness.js';

const tiny = vitMae({ width: 8, depth: 2, heads: 2, decoder: { width: 8, depth: 1 } });
const raw = patchReconstruction({ normalize: false });
const weightsFor = (batch: AnyBatch, seed = 1): Values => firstValues(tiny.parameters(signatureOf(batch)), seed);
const make = (
  bits: number[][],
  grid: number[],
  { tokens = formulaTokens(bits.length, (bits[0] as number[]).length, 4), length }: { tokens?: Column; length?: number[] } = {},
): AnyBatch => prepared(tiny, batchOf({ tokens, mask: maskColumn(bits, grid), ...(length ? { length: lengthColumn(length) } : {}) }, grid));
/** The tokens of `batch` with noise added where `where` says so. */
const disturbed = (
  bits: number[][],
  where: (row: number, token: number) => boolean,
  by: (i: number) => number = (i) => 3 * Math.sin(i),
): Column<Float32Array> => {
  const tokens = formulaTokens(bits.length, (bits[0] as number[]).length, 4);
  const count = (bits[0] as number[]).length;
  return { ...tokens, data: tokens.data.map((v, i) => (where(Math.floor(i / 4 / count), Math.floor(i / 4) % count) ? v + by(i) : v)) };
};

describe('parameters', () => {
  const signature = signatureOf(batchOf({ tokens: formulaTokens(2, 4, 18) }, [2, 2]));
  const program = vitMae({ width: 8, depth: 2, heads: 2, channels: 2, decoder: { width: 12, depth: 1, heads: 3 } });
  const parameters = program.parameters(signature);
  const layer = (prefix: string, d: number): [string, number[]][] => [
    ...['query', 'key', 'value'].flatMap((part): [string, number[]][] => [
      [`${prefix}.attention.attention.${part}.weight`, [d, d]],
      [`${prefix}.attention.attention.${part}.bias`, [d]],
    ]),
    [`${prefix}.attention.output.dense.weight`, [d, d]],
    [`${prefix}.attention.output.dense.bias`, [d]],
    [`${prefix}.intermediate.dense.weight`, [4 * d, d]],
    [`${prefix}.intermediate.dense.bias`, [4 * d]],
    [`${prefix}.output.dense.weight`, [d, 4 * d]],
    [`${prefix}.output.dense.bias`, [d]],
    [`${prefix}.layernorm_before.weight`, [d]],
    [`${prefix}.layernorm_before.bias`, [d]],
    [`${prefix}.layernorm_after.weight`, [d]],
    [`${prefix}.layernorm_after.bias`, [d]],
  ];

  test('names and shapes are those of ViTMAEForPreTraining', () => {
    const expected: [string, number[]][] = [
      ['vit.embeddings.cls_token', [1, 1, 8]],
      ['vit.embeddings.position_embeddings', [1, 5, 8]],
      ['vit.embeddings.patch_embeddings.projection.weight', [8, 2, 3, 3]],
      ['vit.embeddings.patch_embeddings.projection.bias', [8]],
      ...layer('vit.encoder.layer.0', 8),
      ...layer('vit.encoder.layer.1', 8),
      ['vit.layernorm.weight', [8]],
      ['vit.layernorm.bias', [8]],
      ['decoder.mask_token', [1, 1, 12]],
      ['decoder.decoder_pos_embed', [1, 5, 12]],
      ['decoder.decoder_embed.weight', [12, 8]],
      ['decoder.decoder_embed.bias', [12]],
      ...layer('decoder.decoder_layers.0', 12),
      ['decoder.decoder_norm.weight', [12]],
      ['decoder.decoder_norm.bias', [12]],
      ['decoder.decoder_pred.weight', [18, 12]],
      ['decoder.decoder_pred.bias', [18]],
    ];
    expect(Object.fromEntries(Object.entries(parameters).map(([name, { shape }]) => [name, shape]))).toEqual(Object.fromEntries(expected));
  });

  test('position tables alone are not trained', () => {
    expect(Object.keys(parameters).filter((name) => parameters[name]?.trainable === false)).toEqual([
      'vit.embeddings.position_embeddings',
      'decoder.decoder_pos_embed',
    ]);
  });

  test('first values are those of the MAE card: Xavier uniform, zeros and ones, N(0, 0.02²)', () => {
    const values = firstValues(parameters, 1);
    const largest = (name: string): number => (values[name] as Float32Array).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    // The projection counts as [width, patchDim]; query, key and value as one matrix [3 · width, width].
    const fans: Record<string, number> = {
      'vit.embeddings.patch_embeddings.projection.weight': 8 + 18,
      'vit.encoder.layer.1.attention.attention.value.weight': 4 * 8,
      'vit.encoder.layer.1.attention.output.dense.weight': 2 * 8,
      'vit.encoder.layer.1.intermediate.dense.weight': 8 + 32,
      'vit.encoder.layer.1.output.dense.weight': 8 + 32,
      'decoder.decoder_embed.weight': 8 + 12,
      'decoder.decoder_layers.0.attention.attention.query.weight': 4 * 12,
      'decoder.decoder_pred.weight': 12 + 18,
    };
    for (const [name, fan] of Object.entries(fans)) {
      const bound = Math.sqrt(6 / fan);
      expect(largest(name), name).toBeLessThanOrEqual(bound * (1 + 1e-6));
      // At least 64 uniforms, all below 0.75 of the bound: 0.75^64 = 1e-8.
      expect(largest(name), name).toBeGreaterThan(0.75 * bound);
    }
    for (const [name, data] of Object.entries(values)) {
      if (name.endsWith('bias')) expect(new Set(data), name).toEqual(new Set([0]));
      if (/norm.*\.weight$/.test(name)) expect(new Set(data), name).toEqual(new Set([1]));
    }
    const tokens = [...(values['vit.embeddings.cls_token'] as Float32Array), ...(values['decoder.mask_token'] as Float32Array)];
    // Σ z² of 20 normals lies outside [2.4, 66] with probability below 2e-6.
    const chiSquare = tokens.reduce((sum, v) => sum + (v / 0.02) ** 2, 0);
    expect(chiSquare).toBeGreaterThan(2.4);
    expect(chiSquare).toBeLessThan(66);
  });

  test('config.json speaks of the model as ViTMAEConfig does', () => {
    expect(program.config(signature)).toEqual({
      architectures: ['ViTMAEForPreTraining'],
      model_type: 'vit_mae',
      image_size: 6,
      patch_size: 3,
      num_channels: 2,
      hidden_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 32,
      decoder_hidden_size: 12,
      decoder_num_hidden_layers: 1,
      decoder_num_attention_heads: 3,
      decoder_intermediate_size: 48,
      hidden_act: 'gelu',
      qkv_bias: true,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
      initializer_range: 0.02,
      layer_norm_eps: 1e-6,
    });
    const wide = signatureOf(batchOf({ tokens: formulaTokens(1, 6, 8) }, [2, 3]));
    expect(vitMae({ patchSize: [2, 4] }).config(wide)).toMatchObject({ image_size: [4, 12], patch_size: [2, 4] });
    const sound = signatureOf(batchOf({ tokens: formulaTokens(1, 6, 80) }, [6]));
    expect(vitMae().config(sound)).toMatchObject({ grid: [6], patch_size: [1, 80] });
    expect(vitMae().config(sound)).not.toHaveProperty('architectures');
  });
});

describe.each(await presentTfjs())('on %s', { timeout: 120_000 }, (name, { device, software }) => {
  // On a software adapter each shape's kernels are compiled on the CPU, seconds a test: there what depends on the engine
  // (bits, NaN, empty tensors), and vitMae.reference.test.ts.
  const quick = test.skipIf(software);
  if (software) console.log(`skipped: most properties of vitMae on ${name}: ${device} takes minutes for them`);

  beforeEach(() => useBackend(tfjsName(name)));

  describe('what the encoder sees', () => {
    const bits = [
      [1, 0, 1, 1, 0, 0],
      [0, 1, 1, 1, 0, 0],
    ];

    test('encoder outputs do not depend on hidden pixels, bitwise', async () => {
      const [a, b] = [make(bits, [2, 3]), make(bits, [2, 3], { tokens: disturbed(bits, (row, token) => bits[row]?.[token] === 1) })];
      const values = weightsFor(a);
      for (const output of ['encoded', 'features', 'cls', 'prediction'] as const)
        expect(await forward(tiny, a, output, values)).toEqual(await forward(tiny, b, output, values));
      const seen = make(bits, [2, 3], { tokens: disturbed(bits, (row, token) => bits[row]?.[token] === 0) });
      expect(await forward(tiny, seen, 'features', values)).not.toEqual(await forward(tiny, a, 'features', values));
    });

    quick('rows do not see each other', async () => {
      const [a, b] = [make(bits, [2, 3]), make(bits, [2, 3], { tokens: disturbed(bits, (row) => row === 1) })];
      const values = weightsFor(a);
      expect((await forward(tiny, a, 'prediction', values)).subarray(0, 24)).toEqual((await forward(tiny, b, 'prediction', values)).subarray(0, 24));
    });

    quick('without a mask all tokens are visible: the same as a mask of zeros', async () => {
      const open = prepared(tiny, batchOf({ tokens: formulaTokens(2, 6, 4) }, [2, 3]));
      expect(Object.keys(open.columns)).toEqual(['tokens']);
      const zeros = make(
        [
          [0, 0, 0, 0, 0, 0],
          [0, 0, 0, 0, 0, 0],
        ],
        [2, 3],
      );
      const values = weightsFor(open);
      for (const output of ['features', 'cls', 'encoded', 'prediction'] as const)
        expect(largestDifference(await forward(tiny, open, output, values), await forward(tiny, zeros, output, values))).toBeLessThan(1e-6);
    });

    quick('features are the mean of the visible patch tokens', async () => {
      const batch = make(
        [
          [1, 0, 1, 1, 0, 0],
          [0, 1, 1, 1, 0, 1],
        ],
        [2, 3],
      );
      const values = weightsFor(batch);
      const encoded = await forward(tiny, batch, 'encoded', values);
      const features = await forward(tiny, batch, 'features', values);
      [3, 2].forEach((count, row) => {
        for (let c = 0; c < 8; c++) {
          let sum = 0;
          for (let slot = 1; slot <= count; slot++) sum += encoded[(row * 4 + slot) * 8 + c] as number;
          expect(features[row * 8 + c]).toBeCloseTo(sum / count, 5);
        }
      });
    });

    quick('ragged visible sets: every row equals its run alone', async () => {
      const bit = fc.integer({ min: 0, max: 1 });
      const sets = fc.array(fc.tuple(...Array.from({ length: 6 }, () => bit)), { minLength: 2, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(sets, async (rows) => {
          const together = make(rows as number[][], [2, 3]);
          const values = weightsFor(together);
          const predicted = await forward(tiny, together, 'prediction', values);
          const features = await forward(tiny, together, 'features', values);
          const tokens = together.columns.tokens as Column<Float32Array>;
          for (const [i, row] of rows.entries()) {
            const alone = make([row as number[]], [2, 3], { tokens: { data: tokens.data.slice(i * 24, (i + 1) * 24), shape: [1, 6, 4] } });
            expect(largestDifference(await forward(tiny, alone, 'prediction', values), predicted.subarray(i * 24, (i + 1) * 24))).toBeLessThan(1e-5);
            expect(largestDifference(await forward(tiny, alone, 'features', values), features.subarray(i * 8, (i + 1) * 8))).toBeLessThan(1e-5);
          }
        }),
        { numRuns: 12 },
      );
    });

    test('what padding holds never changes valid outputs, NaN included', async () => {
      const length = [3, 6];
      const pads = (row: number, token: number): boolean => token >= (length[row] as number);
      const a = make(bits, [2, 3], { length });
      const b = make(bits, [2, 3], { length, tokens: disturbed(bits, pads, () => Number.NaN) });
      const values = weightsFor(a);
      for (const output of ['features', 'cls', 'prediction'] as const)
        expect(await forward(tiny, a, output, values)).toEqual(await forward(tiny, b, output, values));
      const [x, y] = [await lossAndGradients(tiny, patchReconstruction(), a, values), await lossAndGradients(tiny, patchReconstruction(), b, values)];
      expect(x).toEqual(y);
      expect(x.count).toBe(2 + 3);
    });

    quick('a padded row equals the same row in a shorter grid', async () => {
      const tokens = formulaTokens(2, 5, 4);
      const long = prepared(
        tiny,
        batchOf(
          {
            tokens,
            mask: maskColumn(
              [
                [0, 1, 0, 0, 0],
                [0, 1, 0, 1, 0],
              ],
              [5],
            ),
            length: lengthColumn([3, 5]),
          },
          [5],
        ),
      );
      const short = prepared(tiny, batchOf({ tokens: { data: tokens.data.slice(0, 12), shape: [1, 3, 4] }, mask: maskColumn([[0, 1, 0]], [3]) }, [3]));
      const [values, fewer] = [weightsFor(long), weightsFor(short)];
      expect(
        largestDifference((await forward(tiny, long, 'prediction', values)).subarray(0, 12), await forward(tiny, short, 'prediction', fewer)),
      ).toBeLessThan(1e-5);
    });

    test('ratio 0: everything visible, nothing to learn', async () => {
      const batch = make([[0, 0, 0, 0]], [2, 2]);
      const { sum, count, gradients } = await lossAndGradients(tiny, raw, batch, weightsFor(batch));
      expect([sum, count]).toEqual([0, 0]);
      expect(Object.values(gradients).every((gradient) => gradient.every((g) => g === 0))).toBe(true);
    });

    test('ratio 1: the encoder sees the class token alone and still runs', async () => {
      const batch = make(
        [
          [1, 1, 1, 1],
          [1, 1, 1, 1],
        ],
        [2, 2],
      );
      const values = weightsFor(batch);
      expect((await forward(tiny, batch, 'features', values)).every((v) => v === 0)).toBe(true);
      expect((await forward(tiny, batch, 'prediction', values)).every(Number.isFinite)).toBe(true);
      const { count, gradients } = await lossAndGradients(tiny, raw, batch, values);
      expect(count).toBe(8);
      expect(Object.values(gradients).every((gradient) => gradient.every(Number.isFinite))).toBe(true);
      expect(gradients['vit.embeddings.cls_token']?.some((g) => g !== 0)).toBe(true);
    });

    quick('grids of one and three axes run too', async () => {
      for (const grid of [[8], [2, 2, 2]]) {
        const batch = make([[1, 0, 1, 0, 1, 0, 1, 0]], grid);
        expect(await forward(tiny, batch, 'prediction', weightsFor(batch))).toHaveLength(32);
      }
    });
  });

  quick('the decoder does not run for features', async () => {
    const batch = make([[1, 0, 1, 0]], [2, 2]);
    const values = weightsFor(batch);
    const encoder = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, name.startsWith('decoder.') ? v.map(() => Number.NaN) : v]));
    expect(await forward(tiny, batch, 'features', encoder)).toEqual(await forward(tiny, batch, 'features', values));
    expect((await forward(tiny, batch, 'prediction', encoder)).some(Number.isNaN)).toBe(true);
  });

  quick('gradients equal finite differences', async () => {
    const batch = make(
      [
        [1, 0, 1, 0, 0, 1],
        [0, 0, 1, 1, 0, 0],
      ],
      [2, 3],
      { length: [6, 5] },
    );
    // Larger weights than the first ones, so that no gradient drowns in float32.
    const values: Values = Object.fromEntries(
      Object.entries(weightsFor(batch, 2)).map(([name, v], j) => [name, /position|pos_embed/.test(name) ? v : v.map((w, i) => w + 0.1 * Math.sin(i + j))]),
    );
    // The loss again, in float64 from the prediction: token 5 of row 1 is padding.
    const tokens = batch.columns.tokens as Column<Float32Array>;
    const hidden = [0, 2, 5, 8, 9];
    const loss = async (at: Values): Promise<number> => {
      const predicted = await forward(tiny, batch, 'prediction', at);
      return hidden.reduce(
        (sum, patch) =>
          sum + [0, 1, 2, 3].reduce((part, k) => part + ((predicted[4 * patch + k] as number) - (tokens.data[4 * patch + k] as number)) ** 2 / 4, 0),
        0,
      );
    };
    const { sum, gradients } = await lossAndGradients(tiny, raw, batch, values);
    expect(sum).toBeCloseTo(await loss(values), 4);
    for (const [name, gradient] of Object.entries(gradients)) {
      // One random direction a parameter: all of its elements are tested by one quotient.
      const direction = Float64Array.from(uniforms(fold(rootKey(5), name), gradient.length), (u) => (u < 0.5 ? -1 : 1));
      const slope = gradient.reduce((sum, g, i) => sum + g * (direction[i] as number), 0);
      const h = 4e-3 / Math.sqrt(gradient.length);
      const moved = (sign: number): Values => ({ ...values, [name]: (values[name] as Float32Array).map((w, i) => w + sign * h * (direction[i] as number)) });
      const quotient = ((await loss(moved(1))) - (await loss(moved(-1)))) / (2 * h);
      expect(Math.abs(quotient - slope), `${name}: ${quotient} by differences, ${slope} by gradients`).toBeLessThan(0.02 + 0.02 * Math.abs(slope));
    }
  });
});

describe('errors', () => {
  test('options', () => {
    expect(() => vitMae({ width: 30, heads: 4 })).toThrow('vitMae.width: must be a multiple of 4 heads; got 30. Try 32.');
    expect(() => vitMae({ decoder: { width: 30, heads: 4 } })).toThrow('vitMae.decoder.width: must be a multiple of 4 heads');
    expect(() => vitMae({ dept: 3 } as never)).toThrow('vitMae.dept: there is no such option. Did you mean depth?');
    expect(() => vitMae({ decoder: { hads: 3 } } as never)).toThrow('vitMae.decoder.hads: there is no such option. Did you mean heads?');
    expect(() => vitMae({ mlpRatio: 0.3 })).toThrow('vitMae.mlpRatio');
    expect(() => vitMae({ patchSize: [0, 2] })).toThrow('vitMae.patchSize: must hold positive integers');
  });

  test('batches', () => {
    const inputs = (columns: Record<string, Column>, grid: number[], program = tiny): unknown =>
      program.inputs(signatureOf({ ...batchOf({ tokens: formulaTokens(2, 4, 4) }, grid), columns }));
    expect(() => inputs({}, [2, 2])).toThrow('vitMae.tokens: the batch has no such column; got []. Put patchify(…) in front of model(…).');
    expect(() => inputs({ tokens: lengthColumn([1, 2]) }, [2, 2])).toThrow('must be float32 [rows, tokens, numbers of a token]');
    expect(() => inputs({ tokens: formulaTokens(2, 4, 4) }, [2, 3])).toThrow('vitMae.grid: the batch needs a grid of 4 tokens; got [2,3]');
    expect(() => inputs({ tokens: formulaTokens(2, 4, 6) }, [2, 2])).toThrow('vitMae.patchSize: 6 pixels a patch are no square');
    expect(() => inputs({ tokens: formulaTokens(2, 4, 4) }, [2, 2], vitMae({ channels: 3 }))).toThrow(
      'vitMae.channels: must divide the 4 numbers of a token; got 3',
    );
    expect(() => inputs({ tokens: formulaTokens(2, 4, 4) }, [2, 2], vitMae({ patchSize: 3 }))).toThrow('vitMae.patchSize: must have a product of 4');
    expect(() =>
      inputs(
        {
          tokens: formulaTokens(2, 4, 4),
          mask: maskColumn(
            [
              [0, 1, 0, 1],
              [1, 0, 0, 1],
            ],
            [2, 2],
          ),
        },
        [2, 2],
      ),
    ).toThrow('vitMae.visible: the batch has a mask but not the index columns made from it. model(vitMae(…)) adds them');
  });
});
