// The columns that losses at asked tokens read, and the error where a diffusion's weights would count twice.
import { sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { check } from '../core/options.js';
import type { Signature } from '../core/program.js';

export interface AskedColumns {
  /** Name of the column of target ids. */
  readonly labels: string;
  /** Name of the column of weights, where one was given by name. */
  readonly weight?: string | undefined;
}

/**
 * `labels`, and where there are such columns `asked` and the weights (`weight` unless another name was given).
 *
 * @throws MaskflowError where labels are missing or of another shape, for weights that are neither one a row nor one a token,
 * and for weights given by name that are missing
 *
 * @example
 * askedInputs('maskedLanguage', signature, { labels: 'labels' }); // ['labels', 'asked']
 */
export function askedInputs(stage: string, { rows, columns }: Signature, { labels, weight }: AskedColumns): string[] {
  const spec = columns[labels];
  if (spec === undefined) {
    throw new MaskflowError({
      stage,
      option: 'labels',
      rule: 'must name a column of target ids',
      value: labels,
      hint: `corrupt(…) or labels() adds them behind mask(…). Columns: ${Object.keys(columns).join(', ')}.`,
    });
  }
  const legal = spec.dtype === 'int32' && spec.shape.length === 2;
  check(legal, stage, 'labels', 'must be int32 [rows, L]', `${spec.dtype} [${spec.shape.join(', ')}]`);
  const name = weight ?? 'weight';
  const given = columns[name];
  if (given === undefined && weight !== undefined) {
    const hint = `Columns: ${Object.keys(columns).join(', ')}.`;
    throw new MaskflowError({ stage, option: 'weight', rule: 'must name a column of weights', value: weight, hint });
  }
  const size = given && sizeOf(given.shape);
  check(size === undefined || size === rows || size === sizeOf(spec.shape), stage, 'weight', 'must hold one number a row or one a token', columns[name]?.shape);
  return [labels, ...['asked', name].filter((column) => column in columns)];
}

/**
 * Refuses weights beside times where the sum is divided by the weights of asked tokens: −α′/(1 − α) already stands for a
 * division by the hidden share (1/t), and to divide by what is hidden once more would count it twice.
 */
export function refuseTimeWeight(stage: string, option: string, { rows, columns }: Signature, weight = 'weight'): void {
  const { time } = columns;
  const isTime = time?.dtype === 'float32' && sizeOf(time.shape) === rows;
  if (!isTime || !(weight in columns)) return;
  throw new MaskflowError({
    stage,
    option,
    rule: `the batch has times of a diffusion and a column ${weight}, and a sum weighted by time is divided by all tokens, never by the weights of hidden ones`,
    hint:
      "Write maskedLanguage({ over: 'tokens' }). For the plain mean over hidden tokens leave diffusionWeight out, and last: 'pad'; " +
      'a column time of another meaning needs another name.',
  });
}
