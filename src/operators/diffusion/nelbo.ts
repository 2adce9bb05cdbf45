// Evaluation of masked diffusion in a chain: a bound on −ln p for every row of a batch, by the network as it is at that moment.
import { type AnyBatch, type Column, withColumns } from '../../core/batch.js';
import { bounded, runOf } from '../../core/demand/index.js';
import { MaskflowError } from '../../core/errors.js';
import { sampleKey } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Program } from '../../core/program.js';
import { recipe } from '../../core/recipe.js';
import { columnOf, refuseColumns, told } from '../corruptions/hiddenIds.js';
import type { Network } from '../samplers/network.js';
import { networkOf } from '../samplers/networkOf.js';
import type { Floats, Integers, Stage } from '../stages.js';
import { type LikelihoodBoundOptions, likelihoodBound } from './likelihoodBound.js';

export interface NelboOptions extends LikelihoodBoundOptions {
  /** Stage name, the key of its draws; default `nelbo`. */
  readonly name?: string;
}

/**
 * Adds `nelbo`: float32 [rows], an estimate in nats of the bound on −ln p of each row's tokens that exist and are not special, given
 * those that are special; and `counted`: float32 [rows], their number. Σ nelbo / Σ counted is nats a token, `perplexityBound` of the
 * sums the perplexity. Draws depend on the sample, not on the batch. A program is evaluated with the run's weights once
 * nothing is held below. Reads `tokens` (int32 [rows, L]), and where present `length` and `special`.
 *
 * @throws MaskflowError for options that do not fit, a missing or ill-typed column, a batch that has such columns already, and,
 * with a program, outside of a run
 *
 * @example
 * heldOut.pipe(nelbo(network, { maskId: 4, vocabulary: 8000, draws: 32 }));
 */
export function nelbo(
  model: Network | Program<'logits'>,
  options: NelboOptions,
): Stage<{ readonly tokens: Integers }, { readonly nelbo: Floats; readonly counted: Floats }> {
  checkOptions('nelbo', options, ['maskId', 'vocabulary', 'draws', 'batchSize', 'form', 'name']);
  const { name = 'nelbo', ...bound } = options;
  const isNetwork = typeof model === 'function';
  check(isNetwork || typeof model?.build === 'function', 'nelbo', 'model', 'must be a network or a program', model);
  checkInteger('nelbo', 'maskId', bound.maskId, 0);
  checkInteger('nelbo', 'vocabulary', bound.vocabulary);
  const made = recipe('maskflow/operators', 'nelbo', { ...bound, ...(isNetwork ? {} : { model: model.recipe }) });
  const operator = bounded<AnyBatch, AnyBatch>(made, { name, per: 'batch', quiet: !isNetwork }, (context) => {
    const network = isNetwork ? model : networkOf(runOf(context).executor, model, { rows: bound.batchSize ?? 32 });
    return {
      async work(batch) {
        refuseColumns(batch, 'nelbo', 'counted');
        const { data, shape } = tokensOf(batch);
        const cells = shape[1] as number;
        const [lengths, specials] = ['length', 'special'].map((column) => numbersOf(batch, column));
        const result = { nelbo: new Float32Array(batch.rows), counted: new Float32Array(batch.rows) };
        for (let row = 0; row < batch.rows; row++) {
          const length = lengths?.[row] ?? cells;
          const ids = data.slice(row * cells, row * cells + length);
          const scored = Uint8Array.from(ids, (_, i) => (specials !== undefined && specials[row * cells + i] !== 0 ? 0 : 1));
          const key = sampleKey(context.key, batch.origins[row] as (typeof batch.origins)[number]);
          result.nelbo[row] = await likelihoodBound(network, { ids, scored }, key, bound);
          result.counted[row] = scored.reduce((sum, one) => sum + one, 0);
        }
        const column = (of: Float32Array): Floats => ({ data: of, shape: [batch.rows] });
        return withColumns(batch, { nelbo: column(result.nelbo), counted: column(result.counted) });
      },
    };
  });
  return operator as unknown as Stage<{ readonly tokens: Integers }, { readonly nelbo: Floats; readonly counted: Floats }>;
}

function tokensOf(batch: AnyBatch): Column<Int32Array> {
  const column = columnOf(batch, 'tokens', 'Put tokenize(…) in front.');
  if ('data' in column && column.data instanceof Int32Array && column.shape.length === 2) return column as Column<Int32Array>;
  throw new MaskflowError({ option: 'tokens', rule: `must be int32 [${batch.rows}, L]`, value: told(column) });
}

function numbersOf(batch: AnyBatch, name: string): Float32Array | Int32Array | Uint8Array | undefined {
  const column = batch.columns[name];
  return column !== undefined && 'data' in column ? column.data : undefined;
}
