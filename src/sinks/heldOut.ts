// The frame of held-out figures of language models at the end of a run: trained, untrained and by frequency alone.
import { type MonoTypeOperatorFunction, type Observable, isObservable } from 'rxjs';
import { type AnyBatch, type Batch, isColumn } from '../core/batch.js';
import { bounded, drain, nothing, runOf } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check } from '../core/options.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run } from '../core/run.js';
import { type AskedScore, askedScores } from '../losses/askedScores.js';
import { type Unigram, countedIds } from './unigram.js';

/** A model that can be asked for tokens, and how many there are: `textEncoder`. */
export type LanguageModel = Program<'askedLogits'> & { readonly vocabulary: number };

/** Host batches of text. */
export type TextBatches = Observable<Batch<unknown>>;

/** What a model was asked, and how it did. */
export interface Asked {
  /** Tokens asked. */
  count: number;
  /** Answers whose largest logit was right. */
  right: number;
  /** Σ −ln p, nats. */
  surprisal: number;
}

export interface HeldOutOptions {
  readonly model: LanguageModel;
  readonly train: TextBatches;
  readonly test: TextBatches;
  /** The batches with `labels` that a batch of `test` leads to; default: itself. */
  readonly questionsOf?: (batch: AnyBatch) => readonly AnyBatch[];
}

/**
 * An operator that passes items on and, when its source has ended, reports `figure` of what the model answers to all of `test`: of the trained weights, of untrained ones and of the frequencies in `train`, in result.json.
 */
export function heldOut<T>(
  made: string,
  name: string,
  settings: object,
  { model, train, test, questionsOf = (batch) => [batch] }: HeldOutOptions,
  figure: (asked: Asked) => number,
): MonoTypeOperatorFunction<T> {
  check(
    typeof model?.build === 'function' && Number.isInteger(model.vocabulary),
    made,
    'model',
    'must be a text model',
    model,
    'Write model: textEncoder({ … }).',
  );
  check(isObservable(train) && isObservable(test), made, 'train, test', 'must be streams of batches', { train, test });
  const scores = askedScores(model);
  return bounded<T, T>(recipe('maskflow/sinks', made, { ...settings, model: model.recipe }), { name, per: 'batch', quiet: true }, (context) => ({
    work: (item) => item,
    async flush(): Promise<T | typeof nothing> {
      const run = runOf(context);
      const unigram = await countedIds(train as Observable<AnyBatch>, model.vocabulary, run.seed, name);
      const asked = (set: string): ReturnType<typeof ask> => ask(run, { model, train, test, questionsOf }, scores, set, name, unigram);
      const trained = await asked(model.weights);
      const untrained = await asked('untrained');
      run.report({ [name]: figure(trained.model), untrained: { [name]: figure(untrained.model) }, unigram: { [name]: figure(trained.unigram) } });
      return nothing;
    },
  }));
}

async function ask(
  run: Run,
  { model, test, questionsOf }: Required<HeldOutOptions>,
  scores: Program<AskedScore>,
  set: string,
  stage: string,
  unigram: Unigram,
): Promise<{ readonly model: Asked; readonly unigram: Asked }> {
  const sums = { model: { count: 0, right: 0, surprisal: 0 }, unigram: { count: 0, right: 0, surprisal: 0 } };
  const answer = async (batch: AnyBatch): Promise<void> => {
    const described: AnyBatch = { ...batch, columns: { ...batch.columns, ...model.prepare?.(batch) }, program: scores };
    const { asked, right, surprisal } = await run.executor.evaluate(scores, described, ['asked', 'right', 'surprisal'], set);
    const { labels, asked: places } = described.columns;
    for (let slot = 0; slot < asked.data.length; slot++) {
      if (asked.data[slot] === 0) continue;
      sums.model.count++;
      sums.model.right += right.data[slot] as number;
      sums.model.surprisal += surprisal.data[slot] as number;
      const label = isColumn(labels) ? (labels.data[isColumn(places) ? (places.data[slot] as number) : slot] as number) : 0;
      sums.unigram.count++;
      sums.unigram.right += label === unigram.best ? 1 : 0;
      sums.unigram.surprisal += unigram.surprisal(label);
    }
  };
  const evaluate = bounded<AnyBatch, never>(recipe('maskflow/sinks', 'heldOut', {}), { name: stage, per: 'batch' }, () => ({
    async work(batch): Promise<typeof nothing> {
      if (batch.rows > 0) for (const question of questionsOf(batch)) await answer(question);
      return nothing;
    },
  }));
  // At a gate of its own: evaluation reads other data, and its place in them is no part of the run's cursor.
  await drain((test as Observable<AnyBatch>).pipe(evaluate), { seed: run.seed, prefetch: 2 }, () => {});
  if (sums.model.count === 0) throw new MaskflowError({ rule: 'the evaluation data must ask for at least one token', value: 0 });
  return sums;
}
