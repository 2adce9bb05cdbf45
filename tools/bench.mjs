// Runs the benchmarks: each bench/*.ts in a process of its own (peak memory is a process's), one after the other.
// They print JSON lines to stdout. `npm run bench -- masks` runs those whose name contains "masks"; from the first option on
// (`npm run bench -- step --workload w1`) arguments are theirs.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const firstOption = given.findIndex((argument) => argument.startsWith('-'));
const wanted = firstOption < 0 ? given : given.slice(0, firstOption);
const options = given.slice(wanted.length);
const all = readdirSync(join(root, 'bench')).filter((name) => name.endsWith('.ts'));
const chosen = all.filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
if (chosen.length === 0) {
  console.error(`no benchmark is called ${wanted.join(' or ')}; there are: ${all.map((name) => name.replace('.ts', '')).join(', ')}`);
  process.exitCode = 2;
}
for (const name of chosen) {
  console.error(`bench/${name}`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(root, 'node_modules/jiti/lib/jiti-cli.mjs'), join(root, 'bench', name), ...options], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
