// maskflow describe: what a pipeline would do, without training.
import type { Command } from 'commander';
import pc from 'picocolors';
import { type PipelineDescription, describePipeline } from '../run/describe.js';
import { loadPipeline } from './loadPipeline.js';
import { setting, whole } from './settings.js';

export function addDescribe(program: Command): void {
  program
    .command('describe')
    .description('Show the stages of a pipeline, the columns and shapes between them, and its parameters.')
    .argument('<FILE>', 'TypeScript file that exports a pipeline')
    .option('--set <key=value>', 'set an option of the pipeline (repeatable)', setting)
    .option('--seed <N>', 'seed of every random choice', whole(0), 0)
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  maskflow describe pipelines/colormae-mnist.ts --set batchSize=64')
    .action(async (file: string, flags: { set?: Record<string, string>; seed: number; json?: boolean }) => {
      const { pipeline } = await loadPipeline(file);
      const description = await describePipeline(pipeline, {
        seed: flags.seed,
        say: (line) => process.stderr.write(`${line}\n`),
        ...(flags.set === undefined ? {} : { options: flags.set }),
      });
      process.stdout.write(flags.json ? `${JSON.stringify(description)}\n` : `${text(description)}\n`);
    });
}

/** The description as a person reads it. */
export function text({ options, stages, parameters, trainable, total }: PipelineDescription): string {
  const lines = [pc.bold('options'), ...Object.entries(options).map(([name, value]) => `  ${name} = ${value}`), '', pc.bold('stages')];
  let before: Readonly<Record<string, string>> = {};
  for (const { name, function: made, options: chosen, emits } of stages) {
    const settings = Object.entries(chosen).map(([key, value]) => `${key}: ${shortly(value)}`);
    lines.push(`  ${pc.cyan(name)}${made === name ? '' : ` (${made})`}  ${pc.dim(settings.join(', '))}`);
    if (emits === undefined) continue;
    const added = Object.entries(emits.columns).filter(([column, type]) => before[column] !== type);
    for (const [column, type] of added)
      lines.push(`      ${column}: ${type}${emits.grid !== undefined && ['tokens', 'mask'].includes(column) ? `  grid ${emits.grid.join(' × ')}` : ''}`);
    before = emits.columns;
  }
  const width = Math.max(0, ...parameters.map(({ name }) => name.length));
  lines.push(
    '',
    pc.bold('parameters'),
    ...parameters.map(({ name, shape, trainable: learns }) => `  ${name.padEnd(width)}  [${shape.join(', ')}]${learns ? '' : pc.dim('  fixed')}`),
  );
  lines.push(`  ${trainable.toLocaleString('en')} trainable of ${total.toLocaleString('en')}`);
  return lines.join('\n');
}

function shortly(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'name' in value) return `${(value as { name: string }).name}(…)`;
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 57)}…` : json;
}
