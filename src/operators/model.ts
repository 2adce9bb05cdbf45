import type { AnyBatch } from '../core/batch.js';
import { stage } from '../core/demand/index.js';
import { check, checkOptions } from '../core/options.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { ModelStage } from './stages.js';

export interface ModelOptions {
  /** Stage name; default `model`. */
  readonly name?: string;
}

/**
 * Attaches a model: from here on the batch carries the program whose outputs losses, `evaluate` and `train` ask for.
 * Nothing is computed here but the host columns that the model asks for (`prepare`: index plans of the visible tokens).
 *
 * @example
 * masked.pipe(model(vitMae({ width: 96 })), loss(patchReconstruction()), train(adamw()));
 */
export function model<In, Out extends string>(program: Program<Out>, options: ModelOptions = {}): ModelStage<In, Out> {
  checkOptions('model', options, ['name']);
  const { name = 'model' } = options;
  check(typeof program?.build === 'function', 'model', 'program', 'must be a model', program, 'Write model(vitMae({ width: 96 })).');
  const operator = stage<AnyBatch, AnyBatch>(recipe('maskflow/operators', 'model', { model: program.recipe }), { name, per: 'batch' }, () => (batch) => {
    const prepared = program.prepare?.(batch);
    return { ...batch, ...(prepared === undefined ? {} : { columns: { ...batch.columns, ...prepared } }), program };
  });
  return operator as unknown as ModelStage<In, Out>;
}
