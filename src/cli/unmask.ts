// maskflow unmask: lets a trained model fill in hidden tokens, step by step, before the eyes of whoever watches.
import type { Readable, Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { createColors } from 'picocolors';
import { MaskflowError } from '../core/errors.js';
import type { UnmaskState } from '../operators/canvas.js';
import { type MaskedModel, openMaskedModel } from '../run/maskedModel.js';
import { type UnmaskRunOptions, unmaskRun } from '../run/unmaskRun.js';
import { rowPieces } from '../sinks/rowPieces.js';
import { type LiveFrame, liveFrame } from './liveFrame.js';
import { samplerOf, samplersHelp } from './samplerKinds.js';
import { setting, values, whole } from './settings.js';
import { unmaskFrame } from './unmaskFrame.js';

interface UnmaskFlags {
  prompt?: string[];
  length?: number;
  rows: number;
  sampler: string;
  steps?: number;
  temperature?: number;
  blocks?: number;
  guidance?: number;
  set?: Record<string, string>;
  special: boolean;
  seed: number;
  backend?: string;
  allowSoftware?: boolean;
  checkpoint?: string;
  tokenizer?: string;
  delay: number;
  json?: boolean;
}

type Screen = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Where the command reads and writes, so that tests can listen. */
export interface UnmaskStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Screen;
  readonly stderr: Screen;
}

const number = (text: string): number => {
  if (text.trim() === '' || !Number.isFinite(Number(text))) throw new InvalidArgumentError('Expected a number.');
  return Number(text);
};
const several = (text: string, before: readonly string[] = []): string[] => [...before, text];

export function addUnmask(program: Command, streams: UnmaskStreams = process): void {
  program
    .command('unmask')
    .description('Let a trained text model fill in hidden tokens, and watch the text appear.')
    .argument('<RUN>', 'run folder (its newest checkpoint), a checkpoint, or a model folder')
    .option('--prompt <TEXT>', "text to begin with, [MASK] for each token to fill in (repeatable; '-' reads one a line from standard input)", several)
    .option('--length <N>', 'tokens to generate behind each prompt (default: 32; 0 where a prompt has masks)', whole(0))
    .option('--rows <N>', 'texts for each prompt', whole(1), 1)
    .option('--sampler <NAME>', 'how masks are undone, see below', 'firstHitting')
    .option('--steps <N>', "the sampler's option: steps in which a row is unmasked (default: one a token; ancestral: 128)", whole(1))
    .option('--temperature <T>', "the sampler's option: 0 takes the most probable token, 1 draws as the model says", number)
    .option('--blocks <N>', 'work on one block of N tokens after the other, from left to right', whole(1))
    .option('--guidance <W>', 'follow the prompt more: weight of unsupervised classifier-free guidance (default: 0)', number)
    .option('--set <key=value>', 'set another option of the sampler (repeatable)', setting)
    .option('--no-special', "leave out the tokenizer's special tokens around the text (default: as in training)")
    .option('--seed <N>', 'seed of every random choice', whole(0), 0)
    .option('--backend <NAME>', 'engine: onnx, wasm, cpu, … (default: MASKFLOW_BACKEND, else the best that works)')
    .option('--allow-software', 'accept a GPU backend that runs on a software adapter')
    .option('--checkpoint <STEP>', 'checkpoint of the run folder: 200 or step-00000200 (default: the newest)')
    .option('--tokenizer <FILE>', 'tokenizer.json (default: that in the folder, else that of the run)')
    .option('--delay <MS>', 'wait so many milliseconds behind each step, for watching', whole(0), 0)
    .option('--json', 'print each state as one JSON object a line: step, passes, rows with ids, masked, text')
    .addHelpText(
      'after',
      `
Samplers:
${samplersHelp}

Examples:
  maskflow unmask runs/diffusion-brown
  maskflow unmask runs/diffusion-brown --prompt "The jury said" --length 24 --delay 80
  maskflow unmask runs/diffusion-brown --prompt "The[MASK][MASK] of the city" --sampler confidence
  maskflow unmask runs/diffusion-brown --rows 4 --sampler ancestral --steps 16 --seed 7
  maskflow unmask runs/diffusion-brown --sampler threshold --set least=0.5 --json | head -1

On a terminal the text appears in place, prompts bold. Elsewhere standard output gets the finished texts alone, a line each. What a
text becomes depends on model, options, seed and the number of its row. Ctrl-C ends with exit code 130.`,
    )
    .action(async (run: string, flags: UnmaskFlags) => {
      const code = await unmaskCommand(run, flags, streams);
      if (code !== 0) process.exitCode = code;
    });
}

async function unmaskCommand(path: string, flags: UnmaskFlags, { stdin, stdout, stderr }: UnmaskStreams): Promise<number> {
  // 1. What is asked for, checked before anything is opened.
  const { steps, temperature } = flags;
  const own = { ...(steps === undefined ? {} : { steps }), ...(temperature === undefined ? {} : { temperature }) };
  const sampler = samplerOf(flags.sampler, { ...own, ...values(flags.set ?? {}) }, flags.blocks);
  const prompts = await promptsOf(flags.prompt, stdin);
  const { checkpoint, tokenizer } = flags;
  const model = await openMaskedModel(path, { checkpoint, tokenizer });
  // 2. Who watches.
  const say = (line: string): void => void stderr.write(`${line}\n`);
  const view = flags.json
    ? jsonView(model, stdout)
    : stdout.isTTY
      ? terminalView(model, stdout, sampler.recipe.name)
      : plainView(model, stdout, stderr, sampler.recipe.name);
  const stopping = new AbortController();
  const interrupt = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
  };
  let gone = false;
  const broken = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    gone = true;
    stopping.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // The cursor comes back whatever ends the process.
  process.once('exit', view.stop);
  stdout.on('error', broken);
  // 3. States, each drawn before the next is asked for.
  const options: UnmaskRunOptions = {
    prompts,
    rows: flags.rows,
    sampler,
    seed: flags.seed,
    say,
    signal: stopping.signal,
    ...(flags.length === undefined ? {} : { length: flags.length }),
    ...(flags.guidance === undefined ? {} : { guidance: flags.guidance }),
    ...(flags.special ? {} : { special: false }),
    ...(flags.backend === undefined ? {} : { backend: flags.backend }),
    ...(flags.allowSoftware === undefined ? {} : { allowSoftware: flags.allowSoftware }),
  };
  try {
    const last = await unmaskRun(model, options, async (state) => {
      view.show(state);
      if (flags.delay > 0) await wait(flags.delay, undefined, { signal: stopping.signal }).catch(() => undefined);
    });
    view.end(last);
    return 0;
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    return gone ? 0 : 130;
  } finally {
    view.stop();
    process.off('exit', view.stop);
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    stdout.off('error', broken);
  }
}

async function promptsOf(given: readonly string[] | undefined, stdin: UnmaskStreams['stdin']): Promise<string[]> {
  if (given === undefined) return [''];
  if (!given.includes('-')) return [...given];
  if (stdin.isTTY) {
    const hint = 'Write the prompt itself, or pipe lines of text.';
    throw new MaskflowError({ stage: 'maskflow', option: 'prompt', rule: 'standard input is a terminal, and no lines come from it', value: '-', hint });
  }
  const lines = (await readAll(stdin)).split(/\r?\n/u).filter((line) => line.trim() !== '');
  const prompts = given.flatMap((prompt) => (prompt === '-' ? lines : [prompt]));
  if (prompts.length === 0) throw new MaskflowError({ stage: 'maskflow', option: 'prompt', rule: 'standard input holds no line of text', value: '-' });
  return prompts;
}

/** Where states go. */
interface View {
  show(state: UnmaskState): void;
  /** All is done. */
  end(last: UnmaskState): void;
  /** Whatever has happened: a second call does nothing. */
  stop(): void;
}

/** A row as text, hidden tokens shown. */
const textOf = (row: UnmaskState['rows'][number], { words }: MaskedModel): string =>
  rowPieces(row, words)
    .map(({ text }) => text)
    .join('');

function jsonView(model: MaskedModel, stdout: Writable): View {
  return {
    show({ step, passes, rows }) {
      const each = rows.map((row) => ({ id: row.id, ids: [...row.ids], masked: [...row.masked], text: textOf(row, model) }));
      stdout.write(`${JSON.stringify({ step, passes, rows: each })}\n`);
    },
    end() {},
    stop() {},
  };
}

function plainView(model: MaskedModel, stdout: Writable, stderr: Screen, sampler: string): View {
  let told = false;
  return {
    show(state) {
      if (!stderr.isTTY) return;
      told = true;
      stderr.write(`\r\u001b[2K${statusOf(state, sampler)}`);
    },
    end(last) {
      this.stop();
      if (!stderr.isTTY) stderr.write(`${statusOf(last, sampler)}\n`);
      for (const row of last.rows) stdout.write(`${textOf(row, model)}\n`);
    },
    stop() {
      if (told) stderr.write('\n');
      told = false;
    },
  };
}

function terminalView(model: MaskedModel, stdout: Screen, sampler: string): View {
  const color = createColors().isColorSupported && (process.env.NO_COLOR ?? '') === '';
  const frame: LiveFrame = liveFrame(stdout);
  let current: UnmaskState | undefined;
  const lines = (state: UnmaskState, height = stdout.rows || 24): string[] =>
    unmaskFrame(state, model.words, { columns: stdout.columns || 80, lines: height, color, status: statusOf(state, sampler) });
  const redraw = (): void => void (current && frame.draw(lines(current)));
  stdout.on('resize', redraw);
  return {
    show(state) {
      current = state;
      redraw();
    },
    // What was too long for the screen is printed whole.
    end: (last) => frame.end(lines(last, Number.POSITIVE_INFINITY)),
    stop() {
      stdout.off('resize', redraw);
      frame.end();
    },
  };
}

/** How far it is. */
export function statusOf({ step, passes, rows }: UnmaskState, sampler: string): string {
  const hidden = rows.reduce((sum, { masked }) => sum + masked.reduce((count, one) => count + one, 0), 0);
  const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
  // What matters most first: a narrow terminal cuts the end.
  return `${hidden === 0 ? 'done' : `${hidden} hidden`} · ${counted(step, 'step')} · ${counted(passes, 'pass', 'passes')} · ${sampler}`;
}
