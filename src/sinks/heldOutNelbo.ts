// How well a masked-diffusion model has learnt text, on text that it has not seen: the negative evidence lower bound (NELBO) in
// nats a token, in its time-free form (Zheng et al. 2024, "Masked diffusion models are secretly time-agnostic …", section 3: l of n
// tokens hidden, l uniform on 1 … n, each row's mean cross-entropy). Its expectation over masks is an upper bound on −ln p of
// the text a token, −ln p that of the model which unmasks in random order; more draws make the estimate tighter, never the bound.
// The operator `nelbo` gives rows their own figures; this sums up in the engine, so that no logits reach the host.
import { type MonoTypeOperatorFunction, type Observable, isObservable } from 'rxjs';
import { type AnyBatch, type Column, isColumn } from '../core/batch.js';
import { bounded, drain, nothing, runOf } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { type Key, fold, rootKey, sampleKey } from '../core/key.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run } from '../core/run.js';
import { type AskedScore, askedScores } from '../losses/askedScores.js';
import { beginDraws, beginOrder, drawUniform, inOrder } from '../operators/masks/draws.js';
import type { LanguageModel, TextBatches } from './heldOut.js';
import { type Unigram, countedIds, textPositions } from './unigram.js';

export interface HeldOutNelboOptions {
  /** The language model. */
  readonly model: LanguageModel;
  /** Id of the mask token. */
  readonly maskId: number;
  /** Batches of text (`tokens`) whose frequencies are the baseline. */
  readonly train: TextBatches;
  /** Batches of text, unmasked. */
  readonly test: TextBatches;
  /** Masks of every row, one in each of so many equal parts of time; default 4. */
  readonly draws?: number;
  /** Stage name, the key of its draws, and figure in result.json; default `nelbo`. */
  readonly name?: string;
}

/** Fraction of the golden ratio: its multiples, mod 1, fill the unit interval evenly however many there are. */
const golden = (Math.sqrt(5) - 1) / 2;

/**
 * The times of sample `id`, Float64Array [draws] in (0, 1]: one in each of `draws` equal bins, at a place that is shifted by the golden
 * ratio from id to id, so that rows are spread evenly too. `start` in [0, 1) is the place of id 0. A function of the id, not of the batch.
 *
 * @example
 * evenTimes(0, 4, 0.5); // [0.125, 0.375, 0.625, 0.875]
 */
export function evenTimes(id: number, draws: number, start: number): Float64Array {
  const place = 1 - ((start + id * golden) % 1);
  return Float64Array.from({ length: draws }, (_, draw) => (draw + place) / draws);
}

/** A batch in which, of each row's text, ⌈n · time⌉ tokens are hidden and asked for; and what each answer of a row counts, n over that. */
export interface HiddenText {
  readonly batch: AnyBatch;
  /** Float64Array [rows]: n / hidden, 0 where there is no text. */
  readonly factors: Float64Array;
}

/** Hides tokens of every row uniformly at random; `timeOf` and `keyOf` know the row. `inputs`, `labels` and `time` (the share hidden) are made. */
export function hiddenText(batch: AnyBatch, maskId: number, timeOf: (row: number) => number, keyOf: (row: number) => Key): HiddenText {
  const { data, shape } = batch.columns.tokens as Column<Int32Array>;
  const side = shape[1] as number;
  const texts = Array.from({ length: batch.rows }, (): number[] => []);
  for (const at of textPositions(batch)) texts[Math.floor(at / side)]?.push(at);
  const inputs = data.slice();
  const labels = new Int32Array(data.length).fill(-100);
  const time = new Float32Array(batch.rows).fill(1);
  const factors = new Float64Array(batch.rows);
  for (const [row, text] of texts.entries()) {
    if (text.length === 0) continue;
    const hidden = Math.min(text.length, Math.max(1, Math.ceil(text.length * timeOf(row))));
    beginDraws(keyOf(row));
    beginOrder(text.length);
    for (let i = 0; i < hidden; i++) {
      const at = text[inOrder(i)] as number;
      labels[at] = data[at] as number;
      inputs[at] = maskId;
    }
    time[row] = hidden / text.length;
    factors[row] = text.length / hidden;
  }
  const columns = { ...batch.columns, inputs: { data: inputs, shape }, labels: { data: labels, shape }, time: { data: time, shape: [batch.rows] } };
  return { batch: { ...batch, columns, program: undefined }, factors };
}

/**
 * At the end of a run: the NELBO of the text in `test`, in nats a token, given what is special (and with it the length); for the trained
 * weights, for untrained ones (`untrained.nelbo`), and the cross-entropy of the frequencies of ids in `train`, one added to each
 * (`unigram.nelbo`, exact), in result.json. e to the figure bounds the perplexity a token. A model of p = 1/V has ln V. Reads
 * `tokens` int32 [rows, L] and where present `special`, `length`, `documents`, `weight` (rows of weight 0 do not count). All three are
 * given the same masks, which depend on seed, name and sample alone.
 *
 * @throws MaskflowError for options that do not fit, text in which ids are not below the vocabulary or hold the mask, and test data without text
 *
 * @example
 * trained.pipe(heldOutNelbo({ model: encoder, maskId: words.maskId, train: rows('train'), test: rows('test'), draws: 8 }));
 */
export function heldOutNelbo<T>(options: HeldOutNelboOptions): MonoTypeOperatorFunction<T> {
  const made = 'heldOutNelbo';
  checkOptions(made, options, ['model', 'maskId', 'train', 'test', 'draws', 'name']);
  const { model, maskId, train, test, draws = 4, name = 'nelbo' } = options;
  const hint = 'Write model: textEncoder({ … }).';
  check(typeof model?.build === 'function' && Number.isInteger(model.vocabulary), made, 'model', 'must be a text model', model, hint);
  checkInteger(made, 'maskId', maskId, 0);
  check(maskId < model.vocabulary, made, 'maskId', `must be below the vocabulary of ${model.vocabulary} ids`, maskId);
  checkInteger(made, 'draws', draws);
  check(isObservable(train) && isObservable(test), made, 'train, test', 'must be streams of batches', { train, test });
  const scores = askedScores(model);
  const settings = { maskId, draws, model: model.recipe };
  return bounded<T, T>(recipe('maskflow/sinks', made, settings), { name, per: 'batch', quiet: true }, (context) => ({
    work: (item) => item,
    async flush(): Promise<T | typeof nothing> {
      const run = runOf(context);
      const unigram = await countedIds(train as Observable<AnyBatch>, model.vocabulary, run.seed, name);
      const bound = (set: string): ReturnType<typeof boundOf> => boundOf(run, { model, maskId, test, draws, name }, scores, set, unigram);
      const [trained, untrained] = [await bound(model.weights), await bound('untrained')];
      run.report({ [name]: trained.nelbo, untrained: { [name]: untrained.nelbo }, unigram: { [name]: trained.unigram } });
      return nothing;
    },
  }));
}

async function boundOf(
  run: Run,
  { model, maskId, test, draws, name }: Required<Omit<HeldOutNelboOptions, 'train'>>,
  scores: Program<AskedScore>,
  set: string,
  unigram: Unigram,
): Promise<{ readonly nelbo: number; readonly unigram: number }> {
  const key = fold(rootKey(run.seed), name);
  beginDraws(fold(key, 'time'));
  const start = drawUniform();
  const sums = { tokens: 0, nats: 0, unigram: 0 };
  const read = bounded<AnyBatch, never>(recipe('maskflow/sinks', 'heldOutNelbo', {}), { name, per: 'batch' }, () => ({
    async work(batch): Promise<typeof nothing> {
      const texts = textPositions(batch);
      if (texts.length === 0) return nothing;
      // 1. The text itself: its tokens, and what their frequencies say.
      const ids = (batch.columns.tokens as Column<Int32Array>).data;
      for (const at of texts) {
        const id = ids[at] as number;
        if (id === maskId || id >= model.vocabulary)
          throw new MaskflowError({ option: 'test', rule: `must hold ids below ${model.vocabulary} other than the mask's`, value: id });
        sums.unigram += unigram.surprisal(id);
      }
      sums.tokens += texts.length;
      // 2. Every row hidden `draws` times over.
      const times = batch.origins.map(({ id }) => evenTimes(id, draws, start));
      for (let draw = 0; draw < draws; draw++) {
        const keyOf = (row: number): Key => fold(sampleKey(key, batch.origins[row] as AnyBatch['origins'][number]), draw);
        const { batch: hidden, factors } = hiddenText(batch, maskId, (row) => (times[row] as Float64Array)[draw] as number, keyOf);
        const described = { ...hidden, columns: { ...hidden.columns, ...model.prepare?.(hidden) }, program: scores };
        const { asked, surprisal } = await run.executor.evaluate(scores, described, ['asked', 'surprisal'], set);
        const places = (described.columns as AnyBatch['columns']).asked;
        const side = ids.length / batch.rows;
        for (let slot = 0; slot < asked.data.length; slot++) {
          if (asked.data[slot] === 0) continue;
          const at = places !== undefined && isColumn(places) ? (places.data[slot] as number) : slot;
          sums.nats += (factors[Math.floor(at / side)] as number) * (surprisal.data[slot] as number);
        }
      }
      return nothing;
    },
  }));
  // At a gate of its own: evaluation reads other data, and its place in them is no part of the run's cursor.
  await drain((test as Observable<AnyBatch>).pipe(read), { seed: run.seed, prefetch: 2 }, () => {});
  if (sums.tokens === 0) throw new MaskflowError({ rule: 'the evaluation data must hold text', value: 0 });
  return { nelbo: sums.nats / draws / sums.tokens, unigram: sums.unigram / sums.tokens };
}
