// maskflow mask: hides tokens of Arrow data. Standard output carries Arrow and nothing else; what is told goes to standard error.
import { realpathSync, statSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { type Command, Option } from 'commander';
import { MaskflowError } from '../core/errors.js';
import { type MaskStreamReport, maskStream } from '../run/maskStream.js';
import { openArrow } from '../run/openArrow.js';
import { type Target, fileTarget, streamTarget } from '../sinks/arrow/target.js';
import { grid } from './grid.js';
import { kindsHelp, maskOf } from './maskKinds.js';
import { setting, values, whole } from './settings.js';

/** Where the commands read and write, so that tests can listen. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
}

interface MaskFlags {
  set?: Record<string, string>;
  grid?: number[];
  length?: string;
  score?: string;
  seed: number;
  in: string;
  out: string;
  json?: boolean;
}

export function addMask(program: Command, streams: Streams = process): void {
  program
    .command('mask')
    .description('Hide tokens of Arrow data: Arrow in, the same columns plus the column mask (uint8, 1 = hidden) out.')
    .argument('<KIND>', 'name of a mask, or a file that exports one')
    .option('--set <key=value>', 'set an option of the mask (repeatable)', setting)
    .option('--grid <SIDES>', 'layout of the tokens of every row: 14x14, 4x7x7, 49', grid)
    .addOption(new Option('--length <COLUMN>', "column with each row's number of tokens"))
    .option('--score <COLUMN>', 'column of one number a token, for masks that look at one; gives the layout where nothing else does')
    .option('--seed <N>', 'seed of every random choice', whole(0), 0)
    .option('--in <FILE>', "Arrow file or stream to read, '-' for standard input", '-')
    .option('--out <FILE>', "file to write: .arrow is the IPC file format, .arrows the stream, '-' a stream to standard output", '-')
    .option('--json', 'print the summary as one JSON object on standard error')
    .addHelpText(
      'after',
      `
Masks:
${kindsHelp}

Examples:
  maskflow mask random --grid 14x14 --in images.arrow --out masked.arrow
  maskflow mask colorNoise --set color=green --set ratio=0.75 --grid 14x14 --seed 7 < in.arrows > out.arrows
  maskflow mask block --set ratio=0.5 --length frames --in speech.arrow --out masked.arrow
  maskflow mask ./my-mask.ts --score loss --in scored.arrow --out masked.arrow

Rows of one grid get a fixed-shape tensor; rows of their own lengths get a list as long as the row. A row's mask depends on
the seed and the row's number (or the column origin, where a chain of ours has written it), not on how rows are cut into
record batches. In a chain, this is mask(random({ … })) of a run with the same seed, in epoch 0.`,
    )
    .action(async (kind: string, flags: MaskFlags) => {
      const code = await maskCommand(kind, flags, streams);
      if (code !== 0) process.exitCode = code;
    });
}

async function maskCommand(kind: string, flags: MaskFlags, { stdin, stdout, stderr }: Streams): Promise<number> {
  const { out, seed } = flags;
  // 1. What is asked for, checked before anything is opened.
  const format = formatOf(out);
  checkPlaces(flags.in, out, stdin.isTTY === true, stdout.isTTY === true);
  const rule = await maskOf(kind, values(flags.set ?? {}));
  // 2. Masks, until the input ends, the reader of a pipe has enough, or Ctrl-C.
  const input = await openArrow(flags.in, stdin);
  const stopping = new AbortController();
  const interrupt = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
    void input.close();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const open = async (): Promise<Target> => (out === '-' ? streamTarget(stdout, 'standard output', false) : fileTarget(out));
  try {
    const report = await maskStream(input, rule, { format, open }, { seed, ...layoutFlags(flags) });
    stderr.write(`${flags.json ? JSON.stringify({ ...report, mask: rule.recipe.name, seed, out }) : told(report, rule.recipe.name, out)}\n`);
    return 0;
  } catch (error) {
    if (stopping.signal.aborted) return 130;
    if (out === '-' && isBrokenPipe(error)) return 0;
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** The flags that say how tokens lie, as options of the library. */
export function layoutFlags({ grid: sides, length, score }: Pick<MaskFlags, 'grid' | 'length' | 'score'>): Pick<MaskFlags, 'grid' | 'length' | 'score'> {
  return { ...(sides === undefined ? {} : { grid: sides }), ...(length === undefined ? {} : { length }), ...(score === undefined ? {} : { score }) };
}

function formatOf(out: string): 'file' | 'stream' {
  if (out === '-' || out.endsWith('.arrows')) return 'stream';
  if (out.endsWith('.arrow')) return 'file';
  throw new MaskflowError({ stage: 'maskflow', option: 'out', rule: 'must end in .arrow (the IPC file format) or .arrows (the stream)', value: out });
}

function checkPlaces(from: string, to: string, typed: boolean, shown: boolean): void {
  if (from === '-' && typed) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'in',
      rule: 'standard input is a terminal, and Arrow is not typed',
      hint: 'Name a file (--in data.arrow) or pipe a stream (< data.arrows).',
    });
  }
  if (to === '-' && shown) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'out',
      rule: 'standard output is a terminal, and Arrow is not readable',
      hint: 'Name a file (--out masked.arrow) or write to a pipe (> masked.arrows).',
    });
  }
  if (from !== '-' && to !== '-' && identity(from) !== undefined && identity(from) === identity(to)) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'out',
      rule: 'this is the file that is read, and what came in is never replaced',
      value: to,
      hint: 'Give the result a name of its own.',
    });
  }
}

/** Equal for two names of one file, links included. */
function identity(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    const { dev, ino } = statSync(real, { bigint: true });
    return ino === 0n ? real : `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function isBrokenPipe(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if ((cause as NodeJS.ErrnoException).code === 'EPIPE') return true;
  return false;
}

function told({ rows, tokens, hidden, ratio }: MaskStreamReport, mask: string, out: string): string {
  const number = (value: number): string => value.toLocaleString('en');
  return `${number(rows)} rows, ${number(hidden)} of ${number(tokens)} tokens hidden (${ratio.toFixed(4)}) by ${mask}${out === '-' ? '' : ` → ${out}`}`;
}
