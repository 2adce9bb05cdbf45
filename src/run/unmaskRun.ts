// What `maskflow unmask` does: an engine, rows from prompts, and one state after the other to whoever wants to see them.
import { chooseBackend } from '../backends/index.js';
import { drain } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Executor } from '../core/program.js';
import { canvas, type UnmaskState } from '../operators/canvas.js';
import { mapBounded } from '../operators/flow/mapBounded.js';
import { firstHitting } from '../operators/samplers/firstHitting.js';
import { networkOf } from '../operators/samplers/networkOf.js';
import type { Sampler } from '../operators/samplers/sampler.js';
import { unmask } from '../operators/unmask.js';
import { promptRows } from '../sinks/promptRows.js';
import { neverDrawn } from '../sinks/samples.js';
import type { MaskedModel } from './maskedModel.js';

export interface UnmaskRunOptions {
  /** Texts that rows begin with, the mask token where tokens are to be filled in; default one empty text. */
  readonly prompts?: readonly string[];
  /** Tokens to generate behind each. Default 32, and 0 where a prompt holds mask tokens. */
  readonly length?: number;
  /** Rows for each prompt, with other draws each; default 1. */
  readonly rows?: number;
  /** Default `firstHitting()`. */
  readonly sampler?: Sampler;
  /** w of unsupervised classifier-free guidance; default 0. */
  readonly guidance?: number;
  /** Put the tokenizer's special tokens around the rows; default as in training. */
  readonly special?: boolean;
  readonly seed?: number;
  /** Engine; default the best that works. */
  readonly backend?: string;
  readonly allowSoftware?: boolean;
  readonly say?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** For tests: another engine. */
  readonly executor?: (seed: number) => Promise<Executor>;
}

const known = ['prompts', 'length', 'rows', 'sampler', 'guidance', 'special', 'seed', 'backend', 'allowSoftware', 'say', 'signal', 'executor'];
const stage = 'maskflow';

/**
 * Unmasks, and calls `next` with each state, the one at the start included; waits for what it returns. A row depends on the model,
 * the options, the seed and its own number.
 *
 * @returns the last state
 * @throws MaskflowError for options that do not fit, prompts with nothing to unmask, rows longer than the model can read, an engine
 * that does not work; and where `signal` stopped it
 *
 * @example
 * const model = await openMaskedModel('runs/diffusion-brown');
 * await unmaskRun(model, { prompts: ['The jury'], length: 24 }, ({ rows }) => console.log(model.words.decode(rows[0].ids)));
 */
export async function unmaskRun(
  { encoder, words, positions, special: trained }: MaskedModel,
  options: UnmaskRunOptions,
  next: (state: UnmaskState) => void | Promise<void>,
): Promise<UnmaskState> {
  checkOptions('unmaskRun', options, known);
  const { prompts = [''], rows = 1, sampler = firstHitting(), guidance = 0, special = trained, seed = 0, say = () => {}, signal } = options;
  const { maskId, vocabulary: ids } = words;
  const holes = prompts.some((prompt) => prompt.includes(words.token(maskId) as string));
  const { length = holes ? 0 : 32 } = options;
  checkInteger(stage, 'length', length, 0);
  checkInteger(stage, 'rows', rows);
  check(Number.isFinite(guidance) && guidance >= -1, stage, 'guidance', 'must be a finite number of at least −1', guidance);
  check(ids <= encoder.vocabulary, stage, 'tokenizer', `must have at most the model's ${encoder.vocabulary} ids`, ids);
  // 1. The rows.
  const texts = prompts.flatMap((prompt) => Array<string>(rows).fill(prompt));
  const start = canvas(await promptRows(words, texts, { length, special }), { maskId });
  const longest = Math.max(...start.rows.map((row) => row.ids.length));
  if (longest > positions) {
    const rule = `the model reads rows of at most ${positions} tokens`;
    const hint = `Shorten the prompt or --length by ${longest - positions}.`;
    throw new MaskflowError({ stage, option: 'length', rule, value: longest, hint });
  }
  // 2. The engine; the model's first values are those of the folder.
  const make =
    options.executor ??
    (async (s: number) => {
      const { name, device, software, executor } = await chooseBackend({ backend: options.backend, allowSoftware: options.allowSoftware });
      say(`Engine: ${name} (${device}${software ? '; no GPU' : ''})`);
      return executor({ seed: s });
    });
  const executor = await make(seed);
  try {
    // 3. State after state.
    const network = networkOf(executor, encoder, { multiple: 8 });
    const never = neverDrawn(words, encoder.vocabulary);
    const states = unmask(network, sampler, { start, maskId, vocabulary: encoder.vocabulary, never, guidance, seed });
    const seen = mapBounded(async (state: UnmaskState) => {
      await next(state);
      return state;
    });
    let last = start;
    await drain(states.pipe(seen), { seed, prefetch: 1, ...(signal === undefined ? {} : { signal }) }, (state) => (last = state));
    return last;
  } finally {
    executor.dispose();
  }
}
