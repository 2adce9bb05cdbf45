// The weight of masked diffusion's cross-entropy in its continuous form: −α′(t) / (1 − α(t)), 1/t for the linear schedule. The sum over
// hidden tokens of weight · cross-entropy, divided by the number of tokens that may be hidden (`maskedLanguage({ over: 'tokens' })`;
// dividing by those that are hidden would weight twice), estimates an upper bound on −ln p a token. The time-free form is
// `countWeight`; a batch has one of them.
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { columnOf, hiddenOf, told } from '../corruptions/hiddenIds.js';
import type { Bytes, Floats, Stage } from '../stages.js';
import { linearNoise } from './linearNoise.js';
import { type NoiseSchedule, checkSchedule } from './noiseSchedule.js';
import { rowWeights } from './weights.js';

export interface DiffusionWeightOptions<As extends string = string> {
  /** The schedule of the mask; default `linearNoise()`. */
  readonly schedule?: NoiseSchedule;
  /** Name of the new column. Default `weight`. */
  readonly as?: As;
  /** Stage name; default `diffusionWeight`. */
  readonly name?: string;
}

/**
 * Adds `weight`: float32 [rows], −α′/(1 − α) at each row's `time`. Where it has another name (`as`), a column `weight` that says
 * which rows count is multiplied in.
 *
 * @throws MaskflowError for a missing or ill-typed `time` or `mask`, a time outside (0, 1], and a batch that has weights already
 * (with the default name a type error too)
 *
 * @example
 * sentences.pipe(diffusionTime(), mask(absorbing()), diffusionWeight(), replaceWithMask({ maskId }), labels());
 */
export function diffusionWeight<As extends string = 'weight'>(
  options: DiffusionWeightOptions<As> = {},
): Stage<{ readonly time: Floats; readonly mask: Bytes } & { readonly [K in As]?: never }, { readonly [K in As]: Floats }> {
  checkOptions('diffusionWeight', options, ['schedule', 'as', 'name']);
  const { schedule = linearNoise(), as = 'weight', name = 'diffusionWeight' } = options;
  checkSchedule('diffusionWeight', schedule);
  const made = recipe('maskflow/operators', 'diffusionWeight', { schedule: schedule.recipe, as });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, () => (batch) => {
    const times = timesOf(batch);
    const { mask, cells } = hiddenOf(batch);
    return withColumns(
      batch,
      rowWeights(batch, as, mask, cells, (row) => schedule.weight(times[row] as number)),
    );
  });
  return operator as unknown as Stage<{ readonly time: Floats; readonly mask: Bytes } & { readonly [K in As]?: never }, { readonly [K in As]: Floats }>;
}

function timesOf(batch: AnyBatch): Float32Array {
  const column = columnOf(batch, 'time', 'Put diffusionTime() in front of mask.');
  if (!('data' in column && column.data instanceof Float32Array && column.data.length === batch.rows)) {
    throw new MaskflowError({ option: 'time', rule: `must be float32 [${batch.rows}]`, value: told(column) });
  }
  for (const time of column.data) if (!(time > 0 && time <= 1)) throw new MaskflowError({ option: 'time', rule: 'must lie in (0, 1]', value: time });
  return column.data;
}
