// maskflow doctor: which engines work on this machine, what each stands on, and what mends those that do not.
import type { Command } from 'commander';
import { createColors } from 'picocolors';
import { doctor } from '../run/doctor.js';
import type { DoctorReport, EngineReport, ProviderReport } from '../run/doctor/doctorReport.js';
import { whole } from './settings.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Try every engine by a real product and gradient, and say what each needs. Exit code 0 whatever is found.')
    .option('--limit <SECONDS>', 'time that each engine has', whole(1), 60)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  maskflow doctor
  maskflow doctor --json

Each engine is tried in a process of its own: one that crashes or hangs harms nothing.`,
    )
    .action(async ({ limit, json }: { limit: number; json?: boolean }) => {
      const live = process.stderr.isTTY === true;
      const report = await doctor({ limit: limit * 1000, say: (line) => live && process.stderr.write(`\r\u001b[K${line} …`) });
      if (live) process.stderr.write('\r\u001b[K');
      process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${doctorText(report)}\n`);
    });
}

const width = 80;
type Colors = ReturnType<typeof createColors>;

/** The report as a person reads it, in lines of at most 80 columns; the environment says whether in colour (NO_COLOR). */
export function doctorText(report: DoctorReport, { color }: { color?: boolean } = {}): string {
  const pc = createColors(color);
  const { node, memory, gpus } = report;
  const cards = gpus.map(({ name, driver, cuda }) => `${name}, driver ${driver}${cuda === undefined ? '' : `, CUDA up to ${cuda}`}`);
  const head = [
    `maskflow ${report.maskflow} · Node ${node.found} (${node.supported ? 'supported' : `needs ${node.expected}`}) · ${report.platform}`,
    `${report.threads} ${report.threads === 1 ? 'thread' : 'threads'} · memory ${gigabytes(memory.limit ?? memory.total)}${memory.limit === undefined ? '' : ' (a limit is set)'}, ${gigabytes(memory.free)} free on the machine`,
    ...(cards.length === 0 ? ['NVIDIA cards: none seen'] : cards),
  ].flatMap((line) => wrapped(line, '', ''));
  const table = report.engines.flatMap((engine) => engineLines(engine, pc));
  return [...head, '', pc.bold(row('engine', 'installed', 'works', 'runs on', 'Node')), ...table, '', lastLine(report, pc)].join('\n');
}

/** What a run takes. */
function lastLine({ chosen, engines }: DoctorReport, pc: Colors): string {
  if (chosen === undefined) return pc.red('No engine works here.');
  const taken = `maskflow run takes ${pc.bold(chosen.name)}`;
  if (chosen.because === 'best') return `${taken}, the best that works.`;
  const engine = engines.find(({ name }) => name === chosen.name);
  if (engine === undefined) return pc.red(`${chosen.because} names ${chosen.name}, which is none of the engines: a run fails. Unset it.`);
  const { works, on } = engine;
  if (!works)
    return pc.red(
      `${chosen.because} ${chosen.because === 'MASKFLOW_BACKEND' ? 'names' : 'asks for'} ${chosen.name}, which does not work here: a run fails. Unset it.`,
    );
  return `${taken}, named by ${chosen.because}${on === 'software' ? ', with --allow-software' : ''}.`;
}

const row = (...cells: string[]): string =>
  cells
    .map((cell, i) => cell.padEnd([16, 12, 9, 12, 18][i] ?? 0))
    .join('')
    .trimEnd();

function engineLines(engine: EngineReport, pc: Colors): string[] {
  const { name, carried, installed, works, on, device, node, parts, reason, mend, providers = [] } = engine;
  const line = row(name, yes(installed), yes(works), on ?? '–', node.supported ? 'yes' : `no: ${node.expected}`);
  const paint = works && on !== 'software' ? pc.green : works ? pc.yellow : carried ? pc.red : pc.dim;
  const versions = parts
    .filter(({ found }) => found !== undefined)
    .map(({ name: part, found, expected }) => `${part} ${found}${found === expected ? '' : ` (expected ${expected})`}`);
  // Of what is not there, an engine that works needs nothing.
  const absent = works || !carried ? [] : parts.filter(({ found }) => found === undefined).map(({ name: part, expected }) => `${part} (expected ${expected})`);
  return [
    paint(line),
    ...(device === undefined ? [] : wrapped(device, '    device  ')),
    ...(versions.length === 0 ? [] : wrapped(versions.join(', '), '    found   ')),
    ...(absent.length === 0 ? [] : wrapped(absent.join(', '), '    missing ')),
    ...(reason === undefined ? [] : wrapped(reason, '    why     ')),
    ...(mend === undefined ? [] : wrapped(mend, '    mend    ')),
    ...providers.flatMap(providerLines),
  ];
}

/** What an engine can also compute on, and how one asks for it. */
function providerLines({ name, works, on, device, reason, mend }: ProviderReport): string[] {
  const how = works
    ? `${on}${device === undefined ? '' : `: ${device}`}`
    : `no: ${reason}${reason?.endsWith('.') ? '' : '.'}${mend === undefined ? '' : ` ${mend}`}`;
  return wrapped(`${name}: ${how}`, '    also    ');
}

const yes = (holds: boolean): string => (holds ? 'yes' : 'no');

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Words in lines of at most 80 columns; a longer word (a path) has a line of its own. */
function wrapped(text: string, first: string, rest = ' '.repeat(first.length)): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
