// What a masked-diffusion model says while it learns: some rows unmasked now and then, as text. The draws of a row are the same every
// time, so that samples of different steps can be compared.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { AnyBatch } from '../core/batch.js';
import { bounded, drain, nothing, runOf } from '../core/demand/index.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Program } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run, Stepped } from '../core/run.js';
import { canvas, type UnmaskState } from '../operators/canvas.js';
import { firstHitting } from '../operators/samplers/firstHitting.js';
import { networkOf } from '../operators/samplers/networkOf.js';
import type { Sampler, UnmaskRow } from '../operators/samplers/sampler.js';
import type { StepSink } from '../operators/stages.js';
import { unmask } from '../operators/unmask.js';
import type { Tokenizer } from '../operators/views/tokenizer.js';
import { cutMetrics, reportOf } from './metrics.js';
import { fileError } from './nodeFiles.js';
import { promptRows } from './promptRows.js';
import { rowPieces } from './rowPieces.js';

export interface SamplesOptions {
  /** The language model, and the tokenizer that it reads. */
  readonly model: Program<'logits'> & { readonly vocabulary: number };
  readonly words: Tokenizer;
  /** How masks are undone; default `firstHitting()`. */
  readonly sampler?: Sampler;
  /** Samples every `every` steps, and after the last; default 500. */
  readonly every?: number;
  /** Rows unmasked together; default 4. */
  readonly rows?: number;
  /** Tokens to generate in each, special ones not counted; default 32. */
  readonly length?: number;
  /** Texts that the rows begin with, by turns; default none. */
  readonly prompts?: readonly string[];
  /** Put the tokenizer's special tokens around each row, as `tokenize` and `pack` do; default true. */
  readonly special?: boolean;
  /** States of the first row that are shown on the screen, from all hidden to all visible; default 5. 0 shows nothing of any row. */
  readonly shown?: number;
  /** Stage name, the key of its draws; default `samples`. */
  readonly name?: string;
}

const known = ['model', 'words', 'sampler', 'every', 'rows', 'length', 'prompts', 'special', 'shown', 'name'];

/** The states to show: `count` of them spread evenly, the first and the last among them. */
export function shownStates<T>(states: readonly T[], count: number): T[] {
  if (count <= 0 || states.length === 0) return [];
  const last = states.length - 1;
  const wanted = new Set(Array.from({ length: count }, (_, i) => (count === 1 ? last : Math.round((i * last) / (count - 1)))));
  return states.filter((_, i) => wanted.has(i));
}

/**
 * Unmasks `rows` rows with the weights as they are, every `every` steps and after the last. `file` (relative paths: in the run's
 * folder) gets a JSON object a row: `step`, `row`, `text`, `passes` (calls of the network for all rows); a resumed run cuts what
 * lies behind its checkpoint. Whoever watches sees the first row appear, and how the others ended.
 *
 * @throws MaskflowError for unknown or illegal options; in the stream, for prompts that the model cannot read
 *
 * @example
 * trained.pipe(samples(out('samples.jsonl'), { model: encoder, words, every: 200, length: 24 }));
 */
export function samples(file: string, options: SamplesOptions): StepSink {
  checkOptions('samples', options ?? {}, known);
  check(typeof file === 'string' && file !== '', 'samples', 'file', 'must be a path', file, "Write samples(out('samples.jsonl'), { … }).");
  const { model, words, sampler = firstHitting(), every = 500, rows = 4, length = 32, prompts = [''], special = true, shown = 5, name = 'samples' } = options;
  check(typeof model?.build === 'function' && Number.isInteger(model.vocabulary), 'samples', 'model', 'must be a text model', model);
  check(typeof words?.decode === 'function', 'samples', 'words', 'must be a tokenizer', words, "Write words: await tokenizer('tokenizer.json').");
  check(typeof sampler?.decide === 'function', 'samples', 'sampler', 'must be a sampler', sampler, 'Try confidence({ steps: 16 }).');
  check(Array.isArray(prompts) && prompts.length > 0, 'samples', 'prompts', 'must hold at least one text', prompts);
  for (const [option, value] of Object.entries({ every, rows, length })) checkInteger('samples', option, value);
  checkInteger('samples', 'shown', shown, 0);
  const settings = { model: model.recipe, words: words.recipe, sampler: sampler.recipe, every, rows, length, prompts, special };
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(
    recipe('maskflow/sinks', 'samples', settings),
    { name, per: 'batch', quiet: true },
    (context) => {
      const run = runOf(context);
      const path = resolve(run.folder, file);
      const network = networkOf(run.executor, model, { rows });
      let written: string | undefined;
      let unseen: number | undefined;
      const take = async (step: number): Promise<void> => {
        // 1. The rows, unmasked at a gate of their own.
        const texts = Array.from({ length: rows }, (_, row) => prompts[row % prompts.length] as string);
        const start = canvas(await promptRows(words, texts, { length, special }), { maskId: words.maskId });
        const never = neverDrawn(words, model.vocabulary);
        const states: UnmaskState[] = [];
        const stream = unmask(network, sampler, { start, maskId: words.maskId, vocabulary: model.vocabulary, never, seed: run.seed, name });
        await drain(stream, { seed: run.seed, prefetch: 1 }, (state) => states.push(state));
        // 2. The file, under its name only when it is complete.
        const last = states.at(-1) as UnmaskState;
        const text = (row: UnmaskRow): string =>
          rowPieces(row, words)
            .map((piece) => piece.text)
            .join('');
        written ??= run.resumed === undefined ? '' : await kept(path, run.resumed.step, run);
        written += last.rows.map((row) => `${JSON.stringify({ step, row: row.id, text: text(row), passes: last.passes })}\n`).join('');
        await run.files.makeFolder(dirname(path));
        await run.files.write(`${path}.partial`, written);
        await run.files.rename(`${path}.partial`, path);
        // 3. The screen.
        if (shown === 0) return;
        const line = (row: UnmaskRow): string => text(row).replace(/[\s\p{Cc}]/gu, ' ');
        run.say(`samples at step ${step} (${sampler.recipe.name}, ${last.passes} passes):`);
        for (const state of shownStates(states, shown)) run.say(`  ${line(state.rows[0] as UnmaskRow)}`);
        for (const row of last.rows.slice(1)) run.say(`· ${line(row)}`);
      };
      return {
        work(item) {
          unseen = reportOf(item).step;
          if (unseen % every !== 0) return item;
          const step = unseen;
          unseen = undefined;
          return take(step).then(() => item);
        },
        async flush(): Promise<typeof nothing> {
          if (unseen !== undefined) await take(unseen);
          return nothing;
        },
      };
    },
  );
  return operator as unknown as StepSink;
}

/**
 * Ids that are no text, for `unmask`'s option `never`: special tokens, the unknown one, and ids that a model has beyond its tokenizer's.
 *
 * @example
 * unmask(network, sampler, { start, maskId: words.maskId, vocabulary, never: neverDrawn(words, vocabulary) });
 */
export function neverDrawn(words: Pick<Tokenizer, 'special' | 'ids' | 'vocabulary'>, vocabulary: number): number[] {
  return Array.from({ length: vocabulary }, (_, id) => id).filter((id) => id >= words.vocabulary || words.special[id] === 1 || id === words.ids.unk);
}

/** Lines of an earlier part of the run, up to the step that it goes on from. */
async function kept(path: string, step: number, run: Run): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw fileError('read', path, error);
  }
  const cut = cutMetrics(text, step);
  if (cut.unreadable > 0) run.say(`${path}: ${cut.unreadable} lines could not be read and were dropped`);
  return cut.kept;
}
