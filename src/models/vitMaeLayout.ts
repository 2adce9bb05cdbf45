// What a ViT-MAE is made of, given the layout of its input: sizes, parameters with Hugging Face's names, configuration.
import { MaskflowError } from '../core/errors.js';
import { check } from '../core/options.js';
import type { Parameters, Signature } from '../core/program.js';
import { sizeOf } from '../core/batch.js';
import { normal } from './initializers/normal.js';
import { sinCosTable } from './initializers/sinCosTable.js';
import { xavierUniform } from './initializers/xavierUniform.js';
import { zeros } from './initializers/zeros.js';
import { layerNormParameters } from './layers/layerNorm.js';
import { linearParameters } from './layers/linear.js';
import { transformerBlockParameters } from './layers/transformerBlock.js';

/** Sizes of a ViT-MAE that do not depend on its input. */
export interface VitMaeSizes {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly mlpRatio: number;
  readonly decoder: { readonly width: number; readonly depth: number; readonly heads: number };
  readonly channels: number;
  readonly patchSize?: readonly number[];
  readonly layerNormEps: number;
}

/** The layout of one input. */
export interface VitMaeLayout {
  readonly rows: number;
  readonly grid: readonly number[];
  /** Tokens of a row: the product of the grid. */
  readonly tokens: number;
  /** Numbers of a token: the patch's pixels times channels, channel fastest. */
  readonly patchDim: number;
  /** Sides of a patch; [1, n] for tokens that are no images. */
  readonly patch: readonly number[];
}

function patchOf(sizes: VitMaeSizes, grid: readonly number[], patchDim: number): readonly number[] {
  const { channels, patchSize } = sizes;
  const pixels = patchDim / channels;
  check(
    Number.isInteger(pixels),
    'vitMae',
    'channels',
    `must divide the ${patchDim} numbers of a token`,
    channels,
    'channels is the last axis of the image, 3 for RGB.',
  );
  if (patchSize !== undefined) {
    check(
      sizeOf(patchSize) === pixels,
      'vitMae',
      'patchSize',
      `must have a product of ${pixels} (${patchDim} numbers a token, ${channels} channels)`,
      patchSize,
    );
    return patchSize;
  }
  const side = Math.round(Math.sqrt(pixels));
  if (side * side === pixels) return [side, side];
  if (grid.length !== 2) return [1, pixels];
  throw new MaskflowError({
    stage: 'vitMae',
    option: 'patchSize',
    rule: `${pixels} pixels a patch are no square`,
    hint: `Give patchSize: [height, width], or channels where that is not ${channels}.`,
  });
}

/** Reads the layout off a signature: `tokens` float32 [rows, tokens, patchDim] and the grid. */
export function vitMaeLayout(sizes: VitMaeSizes, signature: Signature): VitMaeLayout {
  const { columns, grid } = signature;
  const spec = columns.tokens;
  if (spec === undefined) {
    throw new MaskflowError({
      stage: 'vitMae',
      option: 'tokens',
      rule: 'the batch has no such column',
      value: Object.keys(columns),
      hint: 'Put patchify(…) in front of model(…).',
    });
  }
  check(
    spec.dtype === 'float32' && spec.shape.length === 3,
    'vitMae',
    'tokens',
    'must be float32 [rows, tokens, numbers of a token]',
    `${spec.dtype} [${spec.shape.join(', ')}]`,
    'patchify(…) makes such a column.',
  );
  const [rows, tokens, patchDim] = spec.shape as [number, number, number];
  if (grid === undefined || sizeOf(grid) !== tokens) {
    throw new MaskflowError({
      stage: 'vitMae',
      option: 'grid',
      rule: `the batch needs a grid of ${tokens} tokens`,
      value: grid,
      hint: 'The view that makes the tokens states it: patchify(…).',
    });
  }
  return { rows, grid, tokens, patchDim, patch: patchOf(sizes, grid, patchDim) };
}

/**
 * Shapes and first values, named as in the state dict of `ViTMAEForPreTraining`: Xavier uniform for every weight (the patch
 * projection seen as [width, patchDim], query/key/value as one matrix), zeros for biases, N(0, 0.02²) for the class and mask
 * tokens (MAE's code, models_mae.py; card point 9). Position tables are kept and saved, never trained.
 */
export function vitMaeParameters(sizes: VitMaeSizes, { grid, tokens, patchDim, patch }: VitMaeLayout): Parameters {
  const { width, depth, mlpRatio, channels, decoder } = sizes;
  const blocks = (prefix: string, count: number, size: number): Parameters =>
    Object.assign({}, ...Array.from({ length: count }, (_, i) => transformerBlockParameters(`${prefix}.${i}`, { width: size, hidden: size * mlpRatio })));
  return {
    'vit.embeddings.cls_token': { shape: [1, 1, width], init: normal({ std: 0.02 }) },
    'vit.embeddings.position_embeddings': { shape: [1, tokens + 1, width], init: sinCosTable({ grid, width }), trainable: false },
    'vit.embeddings.patch_embeddings.projection.weight': { shape: [width, channels, ...patch], init: xavierUniform({ fanIn: patchDim, fanOut: width }) },
    'vit.embeddings.patch_embeddings.projection.bias': { shape: [width], init: zeros() },
    ...blocks('vit.encoder.layer', depth, width),
    ...layerNormParameters('vit.layernorm', width),
    'decoder.mask_token': { shape: [1, 1, decoder.width], init: normal({ std: 0.02 }) },
    'decoder.decoder_pos_embed': { shape: [1, tokens + 1, decoder.width], init: sinCosTable({ grid, width: decoder.width }), trainable: false },
    ...linearParameters('decoder.decoder_embed', { inputs: width, outputs: decoder.width }),
    ...blocks('decoder.decoder_layers', decoder.depth, decoder.width),
    ...layerNormParameters('decoder.decoder_norm', decoder.width),
    ...linearParameters('decoder.decoder_pred', { inputs: decoder.width, outputs: patchDim }),
  };
}

/**
 * The `ViTMAEConfig` of a model on a 2-D grid. Hugging Face's classes accept only square images and patches; others keep
 * the same keys with [height, width]. On other grids there is no such class: `architectures` is left out and the grid given.
 */
export function vitMaeConfig(sizes: VitMaeSizes, { grid, patch }: VitMaeLayout): Readonly<Record<string, unknown>> {
  const { width, depth, heads, mlpRatio, decoder, channels, layerNormEps } = sizes;
  const plain = (sides: readonly number[]): number | readonly number[] => (sides.every((side) => side === sides[0]) ? (sides[0] as number) : sides);
  const image = grid.length === 2 && patch.length === 2;
  return {
    ...(image
      ? { architectures: ['ViTMAEForPreTraining'], image_size: plain(grid.map((side, axis) => side * (patch[axis] as number))), patch_size: plain(patch) }
      : { grid, patch_size: patch }),
    model_type: 'vit_mae',
    num_channels: channels,
    hidden_size: width,
    num_hidden_layers: depth,
    num_attention_heads: heads,
    intermediate_size: width * mlpRatio,
    decoder_hidden_size: decoder.width,
    decoder_num_hidden_layers: decoder.depth,
    decoder_num_attention_heads: decoder.heads,
    decoder_intermediate_size: decoder.width * mlpRatio,
    hidden_act: 'gelu',
    qkv_bias: true,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
    layer_norm_eps: layerNormEps,
  };
}
