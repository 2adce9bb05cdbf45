// A learning rate as a pure function of the moment: no state, so a resumed run reads the same value at the same step.
import type { Recipe } from '../core/recipe.js';
import type { Optimizer } from '../core/program.js';

/** When a step happens. */
export interface Moment {
  /** Finished steps before this one: 0 at the first. */
  readonly step: number;
  /** Share of the whole run that is done, in [0, 1]; left out where the length of the run is not known. */
  readonly progress?: number;
  /** Epochs of the whole run; left out where not known. */
  readonly epochs?: number;
}

/** A number for every moment; `recipe` is what run.json keeps of it. */
export interface Schedule {
  readonly recipe: Recipe;
  at(moment: Moment): number;
}

/** What our optimisers are: the update, and the rate that `train` reads before every step. */
export type OptimizerWithSchedule = Optimizer & { readonly learningRate: Schedule };
