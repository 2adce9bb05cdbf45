import { MaskflowError } from '../../core/errors.js';
import { check, checkOptions } from '../../core/options.js';

/** `(value − mean) / std` a channel, on values in [0, 1]; one number serves all channels. `imagenet`: the usual colour statistics. */
export type Normalize = 'imagenet' | false | { readonly mean: number | readonly number[]; readonly std: number | readonly number[] };

/** Mean and standard deviation a channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Channel statistics of ImageNet's training images in [0, 1], as torchvision documents them. */
export const imagenet: Normalization = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * The checked normalisation of an option, or undefined where there is none.
 *
 * @example
 * normalization('image', { mean: 0.1307, std: 0.3081 }, 1); // { mean: [0.1307], std: [0.3081] }
 */
export function normalization(stage: string, option: Normalize, channels: number): Normalization | undefined {
  if (option === false) return undefined;
  if (option === 'imagenet') {
    check(
      channels === 3,
      stage,
      'normalize',
      "'imagenet' has statistics of three colour channels: channels must be 3",
      channels,
      'Give them: normalize: { mean: 0.45, std: 0.22 }.',
    );
    return imagenet;
  }
  if (typeof option !== 'object' || option === null) {
    throw new MaskflowError({ stage, option: 'normalize', rule: "must be 'imagenet', false or { mean, std }", value: option });
  }
  checkOptions(`${stage}.normalize`, option, ['mean', 'std']);
  const each = (value: number | readonly number[] | undefined): readonly number[] =>
    typeof value === 'number' ? Array<number>(channels).fill(value) : (value ?? []);
  const mean = each(option.mean);
  const std = each(option.std);
  check(
    mean.length === channels && mean.every(Number.isFinite),
    stage,
    'normalize.mean',
    `must be a number, or one for each of ${channels} channels`,
    option.mean,
  );
  check(
    std.length === channels && std.every((s) => s > 0 && s < Number.POSITIVE_INFINITY),
    stage,
    'normalize.std',
    `must be a positive number, or one for each of ${channels} channels`,
    option.std,
  );
  return { mean, std };
}
