// maskflow inspect: a picture of masks over the first samples of some Arrow data.
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { MaskflowError } from '../core/errors.js';
import { encodePng } from '../formats/png.js';
import { inspectSource } from '../run/inspectSource.js';
import { openArrow } from '../run/openArrow.js';
import { nodeFiles } from '../sinks/nodeFiles.js';
import { grid } from './grid.js';
import { type Streams, layoutFlags } from './mask.js';
import { kindsHelp, maskOf } from './maskKinds.js';
import { patch } from './patch.js';
import { setting, values, whole } from './settings.js';

interface InspectFlags {
  mask: string;
  out: string;
  set?: Record<string, string>;
  seed: number;
  grid?: number[];
  length?: string;
  score?: string;
  column?: string;
  patch?: number | readonly [number, number];
  rows: number;
  json?: boolean;
}

export function addInspect(program: Command, streams: Pick<Streams, 'stdin' | 'stdout'> = process): void {
  program
    .command('inspect')
    .description('Draw masks over the first samples of Arrow data: original beside masked, or the cells alone where there are no images.')
    .argument('<SOURCE>', "Arrow file or stream, '-' for standard input")
    .requiredOption('--mask <KIND>', 'name of a mask, or a file that exports one')
    .requiredOption('--out <FILE.png>', 'picture to write')
    .option('--set <key=value>', 'set an option of the mask (repeatable)', setting)
    .option('--seed <N>', 'seed of every random choice', whole(0), 0)
    .option('--column <NAME>', 'column of images: raw pixels (tensor) or JPEG, PNG, WebP (default: image, where there is one)')
    .option('--patch <SIDE>', 'side of a patch in pixels, or 4x8 (default: about eight patches a side)', patch)
    .option('--grid <SIDES>', 'layout of the tokens, instead of --patch: 14x14; without images also 4x7x7 or 49', grid)
    .option('--length <COLUMN>', "column with each row's number of tokens")
    .option('--score <COLUMN>', 'column of one number a token, for masks that look at one')
    .option('--rows <N>', 'samples drawn', whole(1), 8)
    .option('--json', 'print the summary as one JSON object')
    .addHelpText(
      'after',
      `
Masks:
${kindsHelp}

Examples:
  maskflow inspect .maskflow/prepared/mnist-train.arrow --mask colorNoise --patch 4 --out masks.png
  maskflow inspect photos.arrow --mask block --set ratio=0.5 --column photo --rows 12 --out masks.png
  maskflow inspect speech.arrow --mask block --length frames --out spans.png

The masks are those that \`maskflow mask\` with the same options writes for these rows.`,
    )
    .action((source: string, flags: InspectFlags) => inspectCommand(source, flags, streams));
}

async function inspectCommand(source: string, flags: InspectFlags, { stdin, stdout }: Pick<Streams, 'stdin' | 'stdout'>): Promise<void> {
  const { out, seed, rows, column, patch: size } = flags;
  if (!out.toLowerCase().endsWith('.png')) {
    throw new MaskflowError({ stage: 'maskflow', option: 'out', rule: 'must end in .png', value: out });
  }
  if (source === '-' && stdin.isTTY) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'SOURCE',
      rule: 'standard input is a terminal, and Arrow is not typed',
      hint: 'Name a file, or pipe a stream.',
    });
  }
  const rule = await maskOf(flags.mask, values(flags.set ?? {}));
  const input = await openArrow(source, stdin);
  const drawn = await inspectSource(input, rule, {
    rows,
    seed,
    ...layoutFlags(flags),
    ...(column === undefined ? {} : { column }),
    ...(size === undefined ? {} : { patch: size }),
  });
  // The picture bears its name only when it is complete.
  await nodeFiles.makeFolder(dirname(resolve(out)));
  await nodeFiles.write(`${out}.partial`, await encodePng(drawn.picture));
  await nodeFiles.rename(`${out}.partial`, out);
  const layout = drawn.grid === undefined ? 'rows of their own lengths' : `grid ${drawn.grid.join(' × ')}`;
  const { picture: _, ...figures } = drawn;
  stdout.write(
    flags.json
      ? `${JSON.stringify({ ...figures, mask: rule.recipe.name, seed, out })}\n`
      : `${drawn.rows} samples, ${layout}, ${(100 * drawn.ratio).toFixed(1)} % hidden by ${rule.recipe.name} → ${out}\n`,
  );
}
