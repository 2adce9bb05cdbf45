// The time of each row's forward process. Independent draws are MDLM's and LLaDA's training default in law; spread over a batch
// they have less variance: one draw in each of B equal bins (MDLM), or one draw and equal distances from it (VDM; SMDM's evaluation).
import { type AnyBatch, withColumns } from '../../core/batch.js';
import { stage } from '../../core/demand/index.js';
import { type Key, fold, sampleKey } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { refuseColumns } from '../corruptions/hiddenIds.js';
import { beginDraws, drawWord } from '../masks/draws.js';
import { checkCopies, copyOf } from '../masks/copyOf.js';
import type { Floats, Stage } from '../stages.js';

export interface DiffusionTimeOptions {
  /**
   * `sample`: a row's time depends on the sample alone. `batch`: low discrepancy, so it depends also on the row's place in the batch
   * and on how many rows that has. Default `sample`.
   */
  readonly scope?: 'sample' | 'batch';
  /** With scope `batch`: `bins`, (uᵢ + i) / B, or `shift`, (u₀ + i / B) mod 1 with u₀ of the first row's sample. Default `bins`. */
  readonly spread?: 'bins' | 'shift';
  /** Times lie in (least, 1]: a weight of 1/t is at most 1/least. Default 0.001; 0 for an unbiased bound. */
  readonly least?: number;
  /** Times repeat after so many epochs, as in `mask`. Default: never. */
  readonly copies?: number;
  /** Stage name, the key of its draws; default `diffusionTime`. */
  readonly name?: string;
}

/**
 * Times of `rows` rows from a uniform each in (0, 1): as they are, one a bin, or shifted by the first one's. Float64Array [rows].
 *
 * @example
 * spreadTimes(Float64Array.of(0.5, 0.5), 'bins'); // [0.25, 0.75]
 */
export function spreadTimes(uniforms: Float64Array, spread: 'none' | 'bins' | 'shift'): Float64Array {
  const rows = uniforms.length;
  if (spread === 'none') return uniforms.slice();
  if (spread === 'bins') return uniforms.map((u, i) => (u + i) / rows);
  return uniforms.map((_, i) => ((uniforms[0] as number) + i / rows) % 1);
}

/** Uniform in (0, 1): (n + ½) / 2^52. */
export function openUniform(key: Key): number {
  beginDraws(key);
  return ((drawWord() >>> 6) * 67108864 + (drawWord() >>> 6) + 0.5) / 4503599627370496;
}

/**
 * Adds `time`: float32 [rows], each row's time in (0, 1], for `absorbing` or `absorbingCount`, weights, and networks that read it.
 *
 * @throws MaskflowError for unknown or illegal options, and a batch that has times already
 *
 * @example
 * sentences.pipe(diffusionTime({ scope: 'batch' }), mask(absorbing()), diffusionWeight());
 */
export function diffusionTime(options: DiffusionTimeOptions = {}): Stage<unknown, { readonly time: Floats }> {
  checkOptions('diffusionTime', options, ['scope', 'spread', 'least', 'copies', 'name']);
  const { scope = 'sample', spread = 'bins', least = 1e-3, copies = Number.POSITIVE_INFINITY, name = 'diffusionTime' } = options;
  check(scope === 'sample' || scope === 'batch', 'diffusionTime', 'scope', "must be 'sample' or 'batch'", scope);
  check(spread === 'bins' || spread === 'shift', 'diffusionTime', 'spread', "must be 'bins' or 'shift'", spread);
  check(options.spread === undefined || scope === 'batch', 'diffusionTime', 'spread', "needs scope: 'batch'", spread);
  check(typeof least === 'number' && least >= 0 && least < 1, 'diffusionTime', 'least', 'must lie in [0, 1)', least);
  checkCopies('diffusionTime', copies);
  const made = recipe('maskflow/operators', 'diffusionTime', { scope, ...(scope === 'batch' ? { spread } : {}), least, copies });
  const operator = stage<AnyBatch, AnyBatch>(made, { name, per: 'batch' }, ({ key }) => {
    const ofTime = fold(key, 'time');
    return (batch) => {
      refuseColumns(batch, 'time');
      const uniforms = Float64Array.from(batch.origins, (origin) => openUniform(sampleKey(ofTime, copyOf(origin, copies))));
      const times = spreadTimes(uniforms, scope === 'sample' ? 'none' : spread);
      // A shifted time may be 0 exactly, and float32 rounds the lowest ones down: neither may be divided by.
      const data = Float32Array.from(times, (t) => Math.max(least + (1 - least) * t, 2 ** -53));
      return withColumns(batch, { time: { data, shape: [batch.rows] } });
    };
  });
  return operator as unknown as Stage<unknown, { readonly time: Floats }>;
}
