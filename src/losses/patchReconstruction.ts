// Masked pixel regression of MAE (He et al., CVPR 2022, section 3, "Reconstruction target"; the normalised target is the
// paper's best). One global quotient over the batch: with unequal numbers of hidden patches it is no mean of row means.
import { sizeOf } from '../core/batch.js';
import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import type { LossTerm, Signature, Tensor, Tensors } from '../core/program.js';
import { recipe } from '../core/recipe.js';

export interface PatchReconstructionOptions {
  /** Compare with pixels normalised by mean and unbiased variance of their own patch; default true. */
  readonly normalize?: boolean;
  /** Added to the variance; default 1e-6. */
  readonly eps?: number;
}

/** Each patch minus its mean over √(unbiased variance + eps); a constant patch gives exactly 0. [..., numbers], same shape out. */
export function normalizedPatches(patches: Tensor, eps: number): Tensor {
  const numbers = patches.shape[patches.shape.length - 1] as number;
  const centred = patches.sub(patches.mean(-1, true));
  return centred.div(
    centred
      .square()
      .sum(-1, true)
      .div(numbers - 1)
      .add(eps)
      .sqrt(),
  );
}

/** [rows, tokens], what each patch counts: hidden and within the row's length, times the weight of row or token. */
function countedPatches({ mask, weight, length }: Tensors, rows: number, tokens: number): Tensor {
  let counted: Tensor = (mask as Tensor).reshape([rows, tokens]).toFloat();
  if (length !== undefined) counted = counted.mul(tf.greater(length.toFloat().reshape([rows, 1]), tf.range(0, tokens).reshape([1, tokens])).toFloat());
  return weight === undefined ? counted : counted.mul(weight.toFloat().reshape([rows, -1]));
}

/**
 * Mean squared error of a patch, averaged over hidden patches: sum = Σ l · mask · weight, count = Σ mask · weight. Reads
 * `prediction` [rows, tokens, patchDim] of the model and the columns `tokens` (same shape, float32), `mask` [rows, …grid]
 * (1 = hidden), and where present `weight` ([rows], or one a token) and `length` [rows]. The gradient at visible patches and
 * padding is exactly 0. Nothing hidden gives sum and count 0: the step is to be skipped.
 *
 * @throws MaskflowError where tokens or mask are missing, or patches of one number are to be normalised.
 * @example
 * described.pipe(loss(patchReconstruction({ normalize: true })));
 */
export function patchReconstruction(options: PatchReconstructionOptions = {}): LossTerm<'prediction'> {
  checkOptions('patchReconstruction', options, ['normalize', 'eps']);
  const { normalize = true, eps = 1e-6 } = options;
  check(Number.isFinite(eps) && eps >= 0, 'patchReconstruction', 'eps', 'must be a finite number of at least 0', eps);
  return {
    recipe: recipe('maskflow/losses', 'patchReconstruction', { normalize, eps }),
    inputs({ rows, columns }: Signature) {
      const { tokens, mask, weight } = columns;
      if (tokens === undefined) {
        throw new MaskflowError({
          stage: 'patchReconstruction',
          option: 'tokens',
          rule: 'the batch has no such column',
          value: Object.keys(columns),
          hint: 'Put patchify(…) in front of model(…).',
        });
      }
      if (mask === undefined) {
        throw new MaskflowError({
          stage: 'patchReconstruction',
          option: 'mask',
          rule: 'the batch has no mask, so no patch is hidden and there is nothing to reconstruct',
          hint: 'Put mask(random({ ratio: 0.75 })) in front of model(…).',
        });
      }
      const [, count = 1, numbers = 1] = tokens.shape;
      check(
        !normalize || numbers > 1,
        'patchReconstruction',
        'normalize',
        'needs patches of at least two numbers',
        `tokens [${tokens.shape.join(', ')}]`,
        'Try patchReconstruction({ normalize: false }).',
      );
      const size = weight && sizeOf(weight.shape);
      check(
        size === undefined || size === rows || size === rows * count,
        'patchReconstruction',
        'weight',
        'must hold one number a row or one a token',
        weight?.shape,
      );
      return ['tokens', 'mask', ...['weight', 'length'].filter((name) => name in columns)];
    },
    build({ prediction }, columns) {
      const patches = columns.tokens as Tensor;
      const [rows, tokens] = patches.shape as [number, number];
      const counted = countedPatches(columns, rows, tokens);
      // Padding may hold anything, NaN included, and NaN · 0 is NaN: it is emptied before it is compared.
      const pixels = columns.length === undefined ? patches : tf.where(counted.notEqual(0).expandDims(2), patches, tf.zerosLike(patches));
      const target = normalize ? normalizedPatches(pixels, eps) : pixels;
      const errors = prediction.sub(target).square().mean(-1);
      return { sum: errors.mul(counted).sum(), count: counted.sum() };
    },
  };
}
