// Runs the experiments of bench/methods, keeps their lines in bench/methods/results.jsonl and writes docs/results.md from them.
// `node tools/results.mjs` runs all, `node tools/results.mjs lem guidance` some: the figures of the others stay.
// From the first option on, arguments go to the scripts (`--all`: larger settings), but for these two:
// `--quiet` says that the machine does nothing else, so that times count; `--from FILE` runs nothing and takes lines that a script printed.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';

const root = fileURLToPath(new URL('..', import.meta.url));
const methods = join(root, 'bench/methods');
const store = join(methods, 'results.jsonl');
const scripts = readdirSync(methods)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replace(/\.ts$/, ''))
  .sort();

const given = process.argv.slice(2);
const names = [];
const files = [];
const options = [];
let quiet = false;
for (let i = 0; i < given.length; i++) {
  if (given[i] === '--quiet') quiet = true;
  else if (given[i] === '--from' && i + 1 < given.length) files.push(given[++i]);
  else if (options.length > 0 || given[i].startsWith('-')) options.push(given[i]);
  else names.push(given[i]);
}
const unknown = names.filter((name) => !scripts.includes(name));
if (unknown.length > 0) {
  console.error(`no script is called ${unknown.join(' or ')}; there are: ${scripts.join(', ')}`);
  process.exit(2);
}

const linesIn = (text) => text.split('\n').filter((line) => line.startsWith('{'));
const lines = linesIn(readFileSync(store, { encoding: 'utf8', flag: 'a+' }));
for (const file of files) lines.push(...linesIn(readFileSync(file, 'utf8')));
if (files.length === 0) {
  if (spawnSync(process.execPath, [join(root, 'tools/isBuilt.mjs')]).status !== 0) {
    console.error('dist is missing or out of date, and it is what is measured: npm run build');
    process.exit(1);
  }
  for (const name of names.length === 0 ? scripts : names) {
    console.error(`bench/methods/${name}`);
    const command = ['--expose-gc', join(root, 'node_modules/jiti/lib/jiti-cli.mjs'), join(methods, `${name}.ts`), ...options];
    const { status, stdout } = spawnSync(process.execPath, command, {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, BENCH_QUIET: quiet ? '1' : '0' },
      maxBuffer: 1e8,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Half an experiment is none: what stood there stays.
    if (status === 0) lines.push(...linesIn(stdout));
    else process.exitCode = 1;
  }
}
const { newestLines, renderResults } = await createJiti(import.meta.url).import(join(methods, 'support/renderResults.ts'));
const kept = newestLines(lines.map((line) => JSON.parse(line))).filter(({ bench }) => scripts.includes(bench.replace('methods/', '')));
writeFileSync(store, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
writeFileSync(join(root, 'docs/results.md'), renderResults(kept, scripts));
