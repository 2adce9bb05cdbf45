// The frame of evaluations at the end of a run: trained against untrained weights, figures into result.json.
import { type MonoTypeOperatorFunction, isObservable } from 'rxjs';
import { bounded, nothing, runOf } from '../core/demand/index.js';
import { check } from '../core/options.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run } from '../core/run.js';
import { type Features, type Labelled, frozenFeatures } from './frozenFeatures.js';

export interface Evaluated {
  readonly model: Program<'features'>;
  readonly train: Labelled;
  readonly test: Labelled;
  readonly label?: string;
}

/**
 * An operator that passes items on and, when its source has ended, judges the frozen features of `train` and `test` by
 * `judge`: once with the trained weights, once with untrained ones (first values from the same seed). A run that is stopped
 * early is not judged.
 */
export function evaluation<T>(
  made: string,
  name: string,
  settings: object,
  { model, train, test, label = 'label' }: Evaluated,
  judge: (run: Run, train: Features, test: Features) => Promise<number>,
): MonoTypeOperatorFunction<T> {
  check(typeof model?.build === 'function', name, 'model', 'must be a model', model);
  check(isObservable(train) && isObservable(test), name, 'train, test', 'must be streams of batches', { train, test });
  return bounded<T, T>(recipe('maskflow/sinks', made, { ...settings, label, model: model.recipe }), { name, per: 'batch', quiet: true }, (context) => ({
    work: (item) => item,
    async flush(): Promise<T | typeof nothing> {
      const run = runOf(context);
      const scored = async (set: string): Promise<number> => {
        const [from, to] = [await frozenFeatures(run, model, train, label, set, name), await frozenFeatures(run, model, test, label, set, name)];
        return judge(run, from, to);
      };
      const figure = await scored(model.weights);
      const untrained = await scored('untrained');
      run.report({ [name]: figure, untrained: { [name]: untrained } });
      return nothing;
    },
  }));
}
