// Cross-entropy at the tokens that a mask hid: masked language modelling (Devlin et al., NAACL 2019, section 3.1, task 1) and,
// with weights of 1/t and `over: 'tokens'`, the bound of masked diffusion (Sahoo et al., MDLM, NeurIPS 2024, equation 10).
import * as tf from '@tensorflow/tfjs';
import { check, checkOptions } from '../core/options.js';
import type { LossTerm, Signature, Tensor, Tensors } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { askedInputs, refuseTimeWeight } from './askedInputs.js';
import { askedLabels } from './askedLabels.js';
import { surprisals } from './surprisals.js';

export interface MaskedLanguageOptions {
  /** Column of target ids, int32 [rows, L]; negative where nothing is asked. Default `labels`. */
  readonly labels?: string;
  /**
   * What the sum is divided by. `asked`: the weights of the asked tokens, which makes the mean over the batch's asked tokens
   * (not the mean of row means). `tokens`: the number of tokens that could be asked, hidden or not, in rows of a weight above 0:
   * with 1/t as weight an unbiased bound in nats a token. Default `asked`, which refuses a batch with times and weights: those of
   * a diffusion would then count twice.
   */
  readonly over?: 'asked' | 'tokens';
  /** Column of weights, [rows] or [rows, L]; must be there where it is named. Default: `weight`, where there is one. */
  readonly weight?: string;
}

/** Numbers of tokens that could be asked: not special, or, without that column, within the row's length; in rows that count. */
function tokensOf({ special, length }: Tensors, weight: Tensor | undefined, rows: number, tokens: number): Tensor {
  let each: Tensor = tf.ones([rows, tokens]);
  if (special !== undefined) each = tf.sub(1, special.toFloat());
  else if (length !== undefined) each = tf.greater(length.reshape([rows, 1]), tf.range(0, tokens, 1, 'int32').reshape([1, tokens])).toFloat();
  if (weight === undefined) return each.sum();
  const counting = weight.reshape([rows, -1]).max(1, true).greater(0).toFloat();
  return each.mul(counting).sum();
}

/**
 * −ln p(label) summed over asked tokens, in nats, each times its weight. Reads the model's `askedLogits` float32
 * [slots, vocabulary] at the positions of its column `asked` (all positions where there is none), `labels`, where present
 * `weight` ([rows] or [rows, L]), and with `over: 'tokens'` `special` or `length`. Nothing asked gives sum and count 0, and no
 * gradient. Equal logits give ln(vocabulary) exactly.
 *
 * @throws MaskflowError where labels are missing or of another shape, for weights that are neither one a row nor one a token, and
 * with `over: 'asked'` for a batch that has times (float32 [rows]) and weights.
 * @example
 * described.pipe(loss(maskedLanguage()));
 */
export function maskedLanguage(options: MaskedLanguageOptions = {}): LossTerm<'askedLogits'> {
  checkOptions('maskedLanguage', options, ['labels', 'over', 'weight']);
  const { labels = 'labels', over = 'asked', weight } = options;
  check(over === 'asked' || over === 'tokens', 'maskedLanguage', 'over', "must be 'asked' or 'tokens'", over);
  check(weight === undefined || (typeof weight === 'string' && weight !== ''), 'maskedLanguage', 'weight', 'must be the name of a column', weight);
  return {
    recipe: recipe('maskflow/losses', 'maskedLanguage', { labels, over, ...(weight === undefined ? {} : { weight }) }),
    inputs(signature: Signature) {
      const names = askedInputs('maskedLanguage', signature, { labels, weight });
      if (over === 'asked') refuseTimeWeight('maskedLanguage', 'over', signature, weight);
      const { columns } = signature;
      const counted = over === 'asked' ? [] : ['special' in columns ? 'special' : 'length'];
      return [...names, ...counted.filter((name) => name in columns)];
    },
    build({ askedLogits }, columns) {
      const targets = columns[labels] as Tensor;
      const [rows, tokens] = targets.shape as [number, number];
      const { label, weight: each } = askedLabels(columns, labels, weight);
      const nats = surprisals(askedLogits, label);
      // A slot of weight 0 may hold anything, and ∞ · 0 is NaN.
      const sum = tf.where(each.notEqual(0), nats.mul(each), tf.zerosLike(nats)).sum();
      return { sum, count: over === 'asked' ? each.sum() : tokensOf(columns, columns[weight ?? 'weight'], rows, tokens) };
    },
  };
}
