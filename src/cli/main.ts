// The command line: parse, call the library, print. Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { MaskflowError } from '../core/errors.js';
import { addDescribe } from './describe.js';
import { addDoctor } from './doctor.js';
import { addInspect } from './inspect.js';
import { addMask } from './mask.js';
import { addRun } from './run.js';
import { addSetup } from './setup.js';
import { addUnmask } from './unmask.js';

export function makeProgram(): Command {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  const program = new Command('maskflow')
    .description('Masked-modelling training as streams: sources, masks, models and losses as one RxJS chain.')
    .version(version)
    .showHelpAfterError('(maskflow --help lists the commands, maskflow COMMAND --help explains one)')
    .exitOverride();
  addRun(program);
  addDescribe(program);
  addMask(program);
  addInspect(program);
  addUnmask(program);
  addDoctor(program);
  addSetup(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Runs the command line; resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  process.exitCode = undefined;
  try {
    await makeProgram().parseAsync([...argv], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${told(error)}\n`);
    return error instanceof MaskflowError && isUsage(error) ? 2 : 1;
  }
}

/** What a person reads: our errors as one line (with the stack of what caused them, if asked for), others with their stack. */
export function told(error: unknown): string {
  if (!(error instanceof MaskflowError)) return pc.red(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const cause = process.env.MASKFLOW_DEBUG ? `\n${error.stack}${error.cause instanceof Error ? `\ncaused by ${error.cause.stack}` : ''}` : '';
  return `${pc.red('error')} ${error.message}${cause}`;
}

/** Wrong options on the command line are usage, everything that happens in a run is failure. */
function isUsage({ problem }: MaskflowError): boolean {
  const { stage, option } = problem;
  if (stage === 'backend') return option === 'backend';
  return option !== undefined && ['pipeline', 'maskflow', 'run'].includes(stage ?? '') && option !== 'resume';
}
