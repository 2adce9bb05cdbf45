// The asymmetric masked autoencoder: a ViT that reads visible tokens only, a light decoder that sees all places (He, Chen,
// Xie, Li, Dollár, Girshick: "Masked autoencoders are scalable vision learners", CVPR 2022, section 3). Visible tokens stay
// in raster order (attention does not care), so that ragged visible sets and valid lengths need a key mask and nothing else.
import * as tf from '@tensorflow/tfjs';
import type { AnyBatch, Column } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { type Program, type Signature, type Tensor, type Tensors, lazy, signatureOf } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { gatherTokens } from './layers/gatherTokens.js';
import { layerNorm } from './layers/layerNorm.js';
import { linear, project } from './layers/linear.js';
import { parameter } from './layers/parameter.js';
import { restoreTokens } from './layers/restoreTokens.js';
import { transformerBlock } from './layers/transformerBlock.js';
import { visiblePlan } from './visiblePlan.js';
import { type VitMaeLayout, type VitMaeSizes, vitMaeConfig, vitMaeLayout, vitMaeParameters } from './vitMaeLayout.js';

export interface VitMaeOptions {
  /** Channels of the encoder; default 64. A multiple of `heads`, and of 4 on 2-D grids (positions). */
  readonly width?: number;
  /** Blocks of the encoder; default 4. */
  readonly depth?: number;
  /** Attention heads of the encoder; default 4. */
  readonly heads?: number;
  /** Hidden units of every MLP over its width; default 4. */
  readonly mlpRatio?: number;
  /** The decoder; defaults: width 48, depth 2, as many heads as the encoder. */
  readonly decoder?: { readonly width?: number; readonly depth?: number; readonly heads?: number };
  /** Channels of a pixel, 3 for RGB; default 1. Only the layout of the patch projection's weight depends on it. */
  readonly channels?: number;
  /** Sides of a patch where it is no square: [height, width]; default: the square root of the pixels of a patch. */
  readonly patchSize?: number | readonly number[];
  /** Added to the variance in every layer norm; default 1e-6. */
  readonly layerNormEps?: number;
  /** Weight set that it reads; default `student`. */
  readonly weights?: string;
}

/**
 * `prediction` [rows, tokens, patchDim]: every patch, in raster order. `features` [rows, width]: mean of the encoder's output
 * over the visible patch tokens (0 where none is visible). `cls` [rows, width]: its class token. `encoded`
 * [rows, 1 + slots, width]: its whole output, class token first, slots as in the column `visible`. All float32.
 */
export type VitMaeOutput = 'prediction' | 'features' | 'cls' | 'encoded';
export type VitMae = Program<VitMaeOutput> & Required<Pick<Program, 'prepare' | 'config'>>;

const planColumns = ['visible', 'restore', 'visibleKeys', 'tokenKeys'] as const;

function sizesOf(options: VitMaeOptions): VitMaeSizes {
  checkOptions('vitMae', options, ['width', 'depth', 'heads', 'mlpRatio', 'decoder', 'channels', 'patchSize', 'layerNormEps', 'weights']);
  checkOptions('vitMae.decoder', options.decoder ?? {}, ['width', 'depth', 'heads']);
  const { width = 64, depth = 4, heads = 4, mlpRatio = 4, channels = 1, layerNormEps = 1e-6, patchSize } = options;
  const decoder = { width: 48, depth: 2, heads, ...options.decoder };
  for (const [name, part] of [
    ['', { width, depth, heads }],
    ['decoder.', decoder],
  ] as const) {
    checkInteger('vitMae', `${name}width`, part.width);
    checkInteger('vitMae', `${name}depth`, part.depth, 0);
    checkInteger('vitMae', `${name}heads`, part.heads);
    check(
      part.width % part.heads === 0,
      'vitMae',
      `${name}width`,
      `must be a multiple of ${part.heads} heads`,
      part.width,
      `Try ${Math.ceil(part.width / (4 * part.heads)) * 4 * part.heads}.`,
    );
    check(
      Number.isInteger(part.width * mlpRatio) && mlpRatio > 0,
      'vitMae',
      'mlpRatio',
      `must give a whole number of hidden units at width ${part.width}`,
      mlpRatio,
    );
  }
  checkInteger('vitMae', 'channels', channels);
  check(Number.isFinite(layerNormEps) && layerNormEps > 0, 'vitMae', 'layerNormEps', 'must be a positive number', layerNormEps);
  const patch = typeof patchSize === 'number' ? [patchSize, patchSize] : patchSize;
  if (patch !== undefined)
    check(patch.length > 0 && patch.every((side) => Number.isInteger(side) && side > 0), 'vitMae', 'patchSize', 'must hold positive integers', patchSize);
  return { width, depth, heads, mlpRatio, decoder, channels, layerNormEps, ...(patch === undefined ? {} : { patchSize: patch }) };
}

/** Patches, in their order row, column, channel, to [rows, slots, width]; the weight lies as [width, channels, …patch]. */
function embedPatches(parameters: Tensors, patches: Tensor): Tensor {
  const name = 'vit.embeddings.patch_embeddings.projection';
  const weight = parameter(parameters, `${name}.weight`);
  const [width, channels] = weight.shape as [number, number];
  const flat = channels === 1 ? weight.reshape([width, -1]) : weight.reshape([width, channels, -1]).transpose([0, 2, 1]).reshape([width, -1]);
  return project(patches, flat, parameter(parameters, `${name}.bias`));
}

function blocks(parameters: Tensors, prefix: string, depth: number, x: Tensor, options: { heads: number; eps: number; keys: Tensor | undefined }): Tensor {
  let y = x;
  for (let i = 0; i < depth; i++) y = transformerBlock(parameters, `${prefix}.${i}`, y, options);
  return y;
}

/** [rows, n] keys with a first column of ones for the class token. */
function withClassKey(keys: Tensor | undefined): Tensor | undefined {
  return keys?.shape[1] ? tf.concat([tf.ones([keys.shape[0] as number, 1]), keys], 1) : undefined;
}

/** The encoder's normed output, [rows, 1 + slots, width]. */
function encode(sizes: VitMaeSizes, { rows, tokens }: VitMaeLayout, parameters: Tensors, columns: Tensors): Tensor {
  const { visible, visibleKeys } = columns;
  const patches = columns.tokens as Tensor;
  const positions = parameter(parameters, 'vit.embeddings.position_embeddings').reshape([tokens + 1, sizes.width]);
  // A token's own position is added whether before the gather, as in the reference, or after it with the same index;
  // after it, hidden patches are never projected. Row 0 of the table is the class token's: −1 + 1 in slots that pad.
  const embedded =
    visible === undefined
      ? embedPatches(parameters, patches).add(positions.slice([1, 0], [tokens, sizes.width]))
      : embedPatches(parameters, gatherTokens(patches, visible)).add(
          tf.gather(positions, visible.add(tf.scalar(1, 'int32')).reshape([-1]) as tf.Tensor1D).reshape([rows, -1, sizes.width]),
        );
  // Broadcast by an addition: the gradient of `tile` would slice row by row.
  const first = parameter(parameters, 'vit.embeddings.cls_token').add(positions.slice([0, 0], [1, sizes.width]));
  const x = tf.concat([tf.zeros([rows, 1, sizes.width]).add(first), embedded], 1);
  const y = blocks(parameters, 'vit.encoder.layer', sizes.depth, x, { heads: sizes.heads, eps: sizes.layerNormEps, keys: withClassKey(visibleKeys) });
  return layerNorm(parameters, 'vit.layernorm', y, sizes.layerNormEps);
}

/** All patches predicted from the encoder's output, [rows, tokens, patchDim]. */
function decode(sizes: VitMaeSizes, { rows, tokens, patchDim }: VitMaeLayout, parameters: Tensors, columns: Tensors, encoded: Tensor): Tensor {
  const { visible, restore, tokenKeys } = columns;
  const embedded = linear(parameters, 'decoder.decoder_embed', encoded);
  const all = visible && restore ? restoreTokens(embedded, parameter(parameters, 'decoder.mask_token'), { visible, restore }) : embedded;
  const x = all.add(parameter(parameters, 'decoder.decoder_pos_embed'));
  const y = blocks(parameters, 'decoder.decoder_layers', sizes.decoder.depth, x, {
    heads: sizes.decoder.heads,
    eps: sizes.layerNormEps,
    keys: withClassKey(tokenKeys),
  });
  const patches = layerNorm(parameters, 'decoder.decoder_norm', y, sizes.layerNormEps).slice([0, 1, 0], [rows, tokens, sizes.decoder.width]);
  return linear(parameters, 'decoder.decoder_pred', patches).reshape([rows, tokens, patchDim]);
}

function meanOfPatches(encoded: Tensor, keys: Tensor | undefined): Tensor {
  const [rows, length, width] = encoded.shape as [number, number, number];
  const patches = encoded.slice([0, 1, 0], [rows, length - 1, width]);
  if (!keys?.shape[1]) return patches.mean(1);
  return patches.mul(keys.expandDims(2)).sum(1).div(keys.sum(1, true).maximum(1));
}

/**
 * ViT-MAE as a program. Reads `tokens` float32 [rows, tokens, patchDim] (patches as `patchify` makes them: row, column,
 * channel, channel fastest), where present `mask` [rows, …grid] (1 = hidden) and `length` [rows] (tokens that exist), through
 * the index columns of `visiblePlan`, which `prepare` makes on the host and the `model` stage adds to the batch. Without a
 * mask every token is visible: features of whole images. What hidden patches and padding hold never enters.
 *
 * Parameters bear the names, shapes and layout of Hugging Face's `ViTMAEForPreTraining`; positions are fixed sine-cosine
 * tables for the batch's grid of any rank and shape. Outputs: `VitMaeOutput`; the decoder runs only for `prediction`.
 *
 * @throws MaskflowError where an option, the tokens' shape or the grid does not fit, or `prepare` was left out.
 * @example
 * const program = vitMae({ width: 96, depth: 4, heads: 4, decoder: { width: 64, depth: 2 } });
 * digits.pipe(mask(random({ ratio: 0.75 })), model(program), loss(patchReconstruction()));
 */
export function vitMae(options: VitMaeOptions = {}): VitMae {
  const sizes = sizesOf(options);
  const { weights = 'student' } = options;
  return {
    recipe: recipe('maskflow/models', 'vitMae', { ...sizes, weights }),
    weights,
    inputs(signature: Signature) {
      vitMaeLayout(sizes, signature);
      const { columns } = signature;
      for (const cause of ['mask', 'length']) {
        if (!(cause in columns) || 'visible' in columns) continue;
        throw new MaskflowError({
          stage: 'vitMae',
          option: 'visible',
          rule: `the batch has a ${cause} but not the index columns made from it`,
          hint: 'model(vitMae(…)) adds them; by hand: withColumns(batch, program.prepare(batch)).',
        });
      }
      return ['tokens', ...planColumns.filter((name) => columns[name]?.shape[1])];
    },
    prepare(batch: AnyBatch): Readonly<Record<string, Column>> {
      const { columns } = batch;
      const { rows, tokens } = vitMaeLayout(sizes, signatureOf(batch));
      const tensor = (name: string): Column | undefined => {
        const column = columns[name];
        if (column === undefined || 'data' in column) return column;
        throw new MaskflowError({ stage: 'vitMae', option: name, rule: 'must be a tensor column', value: Object.keys(column) });
      };
      const [mask, length] = [tensor('mask'), tensor('length')];
      if (mask === undefined && length === undefined) return {};
      return { ...visiblePlan({ rows, tokens, ...(mask === undefined ? {} : { mask }), ...(length === undefined ? {} : { length }) }) };
    },
    parameters: (signature) => vitMaeParameters(sizes, vitMaeLayout(sizes, signature)),
    draws: () => ({}),
    config: (signature) => vitMaeConfig(sizes, vitMaeLayout(sizes, signature)),
    build(parameters, columns, _draws, signature) {
      const layout = vitMaeLayout(sizes, signature);
      const outputs: Readonly<Record<VitMaeOutput, Tensor>> = lazy<VitMaeOutput, Tensor>({
        encoded: () => encode(sizes, layout, parameters, columns),
        prediction: () => decode(sizes, layout, parameters, columns, outputs.encoded),
        features: () => meanOfPatches(outputs.encoded, columns.visibleKeys),
        cls: () => outputs.encoded.slice([0, 0, 0], [layout.rows, 1, sizes.width]).reshape([layout.rows, sizes.width]),
      });
      return outputs;
    },
  };
}
