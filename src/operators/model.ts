import type { AnyBatch, Batch } from '../core/batch.js';
import { stage } from '../core/demand/index.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { ModelStage } from './stages.js';

export interface ModelOptions {
  /** Stage name; default `model`. */
  readonly name?: string;
}

/**
 * Attaches a model: from here on the batch carries the program whose outputs losses, `evaluate` and `train` ask for.
 * Nothing is computed here.
 *
 * @example
 * masked.pipe(model(vitMae({ width: 96 })), loss(patchReconstruction()), train(adamw()));
 */
export function model<In, Out extends string>(program: Program<Out>, { name = 'model' }: ModelOptions = {}): ModelStage<In, Out> {
  const operator = stage<AnyBatch, AnyBatch>(recipe('maskflow/operators', 'model', { model: program.recipe }), { name, per: 'batch' }, () => (batch) => ({ ...batch, program }));
  return operator as unknown as ModelStage<In, Out> & ((s: never) => never) as ModelStage<In, Out>;
}

/** Batches whose program is known; for code that reads it. */
export type Described<O extends string> = Batch<unknown, Program<O>>;
