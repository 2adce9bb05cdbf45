// maskflow run: trains a pipeline and prints what came of it.
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Command } from 'commander';
import pc from 'picocolors';
import { run } from '../run/run.js';
import { sayAbove } from '../sinks/progress.js';
import { loadPipeline } from './loadPipeline.js';
import { setting, whole } from './settings.js';

interface RunFlags {
  set?: Record<string, string>;
  seed?: number;
  backend?: string;
  out?: string;
  resume?: boolean;
  prefetch?: number;
  allowSoftware?: boolean;
  json?: boolean;
}

export function addRun(program: Command): void {
  program
    .command('run')
    .description('Train a pipeline; writes metrics, checkpoints, pictures and result.json into the run folder.')
    .argument('<FILE>', 'TypeScript file that exports a pipeline')
    .option('--set <key=value>', 'set an option of the pipeline (repeatable); `maskflow describe FILE` lists them', setting)
    .option('--seed <N>', 'seed of every random choice (default: 0)', whole(0))
    .option('--backend <NAME>', 'engine: wasm, cpu, … (default: MASKFLOW_BACKEND, else the best that works)')
    .option('--allow-software', 'accept a GPU backend that runs on a software adapter')
    .option('--out <DIR>', 'run folder (default: runs/<file name>, numbered where taken)')
    .option('--resume', 'go on from the last checkpoint of the run folder')
    .option('--prefetch <N>', 'batches in flight (default: 2)', whole(1))
    .option('--json', 'print result and paths as one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  maskflow run pipelines/colormae-mnist.ts
  maskflow run pipelines/colormae-mnist.ts --set epochs=2 --set color=red --seed 7
  maskflow run pipelines/mae-mnist.ts --out runs/long --set epochs=50
  maskflow run pipelines/mae-mnist.ts --out runs/long --resume

Ctrl-C saves a checkpoint and ends with exit code 130; a second Ctrl-C ends at once.`,
    )
    .action(async (file: string, flags: RunFlags) => {
      process.exitCode = await runCommand(file, flags);
    });
}

async function runCommand(file: string, flags: RunFlags): Promise<number> {
  const { name, pipeline } = await loadPipeline(file);
  const say = (line: string): void => sayAbove(line);
  const stopping = new AbortController();
  const interrupt = (): void => {
    if (stopping.signal.aborted) process.exit(130);
    say('Stopping after what is in flight, with a checkpoint. (Ctrl-C again ends at once.)');
    stopping.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const { status, folder, step, result } = await run(pipeline, {
      name,
      say,
      signal: stopping.signal,
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      ...(flags.set === undefined ? {} : { options: flags.set }),
      ...(flags.backend === undefined ? {} : { backend: flags.backend }),
      ...(flags.allowSoftware === undefined ? {} : { allowSoftware: flags.allowSoftware }),
      ...(flags.out === undefined ? {} : { out: flags.out }),
      ...(flags.resume === undefined ? {} : { resume: flags.resume }),
      ...(flags.prefetch === undefined ? {} : { prefetch: flags.prefetch }),
    });
    const paths = written(folder);
    if (flags.json) process.stdout.write(`${JSON.stringify({ status, step, folder, result, paths })}\n`);
    else if (status === 'done') process.stdout.write(`${summary(result, paths)}\n`);
    if (status === 'done') return 0;
    const again = `maskflow run ${quoted(file)} --out ${quoted(here(folder))} --resume`;
    process.stderr.write(
      paths.checkpoint === undefined
        ? step === 0
          ? `Interrupted before the first step: there is nothing to save. Start with: ${again}\n`
          : `Interrupted at step ${step}; the chain makes no checkpoints.\n`
        : `Interrupted at step ${step}, checkpoint saved. Go on with: ${again}\n`,
    );
    return 130;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** As a shell reads it back as one word. */
const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const here = (path: string): string => relative(process.cwd(), path) || '.';

/** The files that somebody will want to open, where they exist. */
function written(folder: string): Record<string, string> {
  const newest = (path: string, pattern: RegExp): string | undefined => {
    const name = existsSync(path)
      ? readdirSync(path)
          .filter((entry) => pattern.test(entry))
          .sort()
          .at(-1)
      : undefined;
    return name === undefined ? undefined : here(join(path, name));
  };
  const found = {
    result: existsSync(join(folder, 'result.json')) ? here(join(folder, 'result.json')) : undefined,
    checkpoint: newest(join(folder, 'checkpoints'), /^step-\d+$/),
    picture: newest(join(folder, 'pictures'), /\.png$/),
    metrics: existsSync(join(folder, 'metrics.jsonl')) ? here(join(folder, 'metrics.jsonl')) : undefined,
    tensorboard: newest(folder, /^events\.out\.tfevents/),
  };
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** The figures, each beside those of untrained weights and of the baselines, and the paths. */
export function summary(result: Readonly<Record<string, unknown>>, paths: Readonly<Record<string, string>>): string {
  const figure = (value: unknown): string => (typeof value === 'number' ? value.toPrecision(4) : JSON.stringify(value));
  /** `untrained`, `unigram`: what the same figures are without having learnt. */
  const isBaseline = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
  const entries = Object.entries(result);
  const baselines = entries.flatMap(([name, value]) => (isBaseline(value) ? [[name, value] as const] : []));
  const beside = (name: string): string => {
    const found = baselines.filter(([, of]) => name in of).map(([baseline, of]) => `${baseline} ${figure(of[name])}`);
    return found.length === 0 ? '' : pc.dim(`   (${found.join(', ')})`);
  };
  const figures = entries.filter(([, value]) => !isBaseline(value)).map(([name, value]) => [name, `${pc.bold(figure(value))}${beside(name)}`]);
  const width = Math.max(...[...figures.map(([name]) => name), ...Object.keys(paths)].map((name) => (name as string).length));
  const lines = [...figures, ...Object.entries(paths)].map(([name, value]) => `  ${(name as string).padEnd(width)}  ${value}`);
  return lines.join('\n');
}
