import type { AnyBatch } from '../core/batch.js';
import { stage } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import { type Loss, type LossTerm, type Program, type Tensor, lazy } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { LossStage } from './stages.js';

export interface LossOptions {
  /** Factor of this term in the sum of several; default 1. */
  readonly weight?: number;
  /** Stage name; default `loss`. */
  readonly name?: string;
}

/**
 * Adds a loss term to the batch's program. A second one is added to the first: the value is Σ weight · sum / count over
 * the terms. Where steps accumulate, terms after the first are averaged with the first one's counts.
 *
 * @example
 * described.pipe(loss(patchReconstruction({ normalize: true })));
 */
export function loss<Needs extends string>(term: LossTerm<Needs>, options: LossOptions = {}): LossStage<Needs> {
  checkOptions('loss', options, ['weight', 'name']);
  const { weight = 1, name = 'loss' } = options;
  check(typeof term?.build === 'function', 'loss', 'term', 'must be a loss term', term, 'Write loss(patchReconstruction()).');
  check(Number.isFinite(weight) && weight >= 0, 'loss', 'weight', 'must be a finite number of at least 0', weight);
  const composed = new WeakMap<Program, Program>();
  const operator = stage<AnyBatch, AnyBatch>(recipe('maskflow/operators', 'loss', { term: term.recipe, weight }), { name, per: 'batch' }, () => (batch) => {
    const inner = batch.program;
    if (inner === undefined) {
      throw new MaskflowError({ rule: 'there is no model in front of this loss', hint: 'Put model(…) between the mask and the loss.' });
    }
    let program = composed.get(inner);
    if (program === undefined) {
      program = withLoss(inner, term, weight);
      composed.set(inner, program);
    }
    return { ...batch, program };
  });
  return operator as unknown as LossStage<Needs>;
}

/** The program of `inner` with one more term in its loss: the pure half of `loss`. */
export function withLoss<Needs extends string>(inner: Program<Needs>, term: LossTerm<Needs>, weight = 1): Program<Needs | 'loss'> {
  return {
    ...inner,
    recipe: { module: 'maskflow/operators', name: 'loss', options: { of: inner.recipe, term: term.recipe, weight } },
    inputs: (signature) => [...new Set([...inner.inputs(signature), ...term.inputs(signature)])],
    parameters: (signature) => inner.parameters(signature),
    draws: (signature) => inner.draws(signature),
    build(parameters, columns, draws, signature) {
      const outputs = inner.build(parameters, columns, draws, signature) as Readonly<Record<string, Tensor | Loss>>;
      const total = (): Loss => {
        const added = term.build(outputs as Readonly<Record<Needs, Tensor>>, columns, signature);
        if (!('loss' in outputs)) return { sum: added.sum.mul(weight), count: added.count };
        const first = outputs.loss as Loss;
        // A term that counts nothing has no mean: the first one's count is then the other's, and the other adds nothing.
        const count = first.count.add(first.count.equal(0).cast('float32').mul(added.count));
        const some = added.count.add(added.count.equal(0).cast('float32'));
        return { sum: first.sum.add(added.sum.mul(weight).mul(count.div(some))), count };
      };
      const names = Object.keys(outputs).filter((output) => output !== 'loss');
      return lazy<string, Tensor | Loss>({ ...Object.fromEntries(names.map((output) => [output, () => outputs[output] as Tensor | Loss])), loss: total });
    },
  };
}
