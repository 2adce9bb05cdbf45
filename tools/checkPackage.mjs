// Packs the package as `npm publish` would and checks the tarball: what is in it, that each public folder has its
// subpath, publint, and arethetypeswrong (ESM only). Needs a build; touches nothing in the checkout.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders of src that have no subpath: the command line, and the run that the package's root exports. */
const PRIVATE = ['cli', 'run', 'setup'];

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const problems = [];

// 1. One subpath a public folder, and no other.
const rooms = readdirSync(join(root, 'src')).filter((name) => statSync(join(root, 'src', name)).isDirectory() && !PRIVATE.includes(name));
const expected = ['.', './package.json', ...rooms.map((room) => `./${room}`)].sort();
const actual = Object.keys(manifest.exports).sort();
for (const path of expected) if (!actual.includes(path)) problems.push(`package.json "exports" lacks ${path}`);
for (const path of actual) if (!expected.includes(path)) problems.push(`package.json "exports" has ${path}, which is no public folder of src`);

// 2. The tarball holds what it must and nothing else.
const folder = mkdtempSync(join(tmpdir(), 'maskflow-pack-'));
try {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const output = execFileSync(npm, ['pack', '--json', '--pack-destination', folder], { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' });
  const packed = Object.values(JSON.parse(output))[0];
  const files = new Map(packed.files.map((file) => [file.path, file]));
  const must = ['LICENSE', 'README.md', 'bin/maskflow.js', 'dist/cli/main.js'];
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === 'object') must.push(...Object.values(target).map((path) => path.slice(2)));
  }
  for (const path of must) if (!files.has(path)) problems.push(`the tarball lacks ${path}`);
  for (const path of files.keys()) {
    if (!/^(dist|src|docs|bin)\/|^[A-Z]+(\.md)?$|^package\.json$/.test(path)) problems.push(`the tarball holds ${path}, which is not for users`);
    if (/^dist\/.*\.js$/.test(path) && !(files.has(`${path}.map`) && files.has(path.replace(/\.js$/, '.d.ts'))))
      problems.push(`${path} lacks its source map or declarations`);
  }
  if (process.platform !== 'win32' && existsSync(join(root, 'bin/maskflow.js')) && (statSync(join(root, 'bin/maskflow.js')).mode & 0o111) === 0) {
    problems.push('bin/maskflow.js has no run bit: chmod +x bin/maskflow.js');
  }

  // 3. The two tools, on the tarball itself.
  const tarball = join(folder, packed.filename);
  for (const [tool, args] of [
    ['publint/src/cli.js', ['run', tarball, '--strict']],
    ['@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-summary', '--no-emoji', '--no-color']],
  ]) {
    const result = spawnSync(process.execPath, [join(root, 'node_modules', tool), ...args], { encoding: 'utf8' });
    if (result.status !== 0) problems.push(`${tool}:\n${result.stdout}${result.stderr}`);
  }
  console.log(`${packed.filename}: ${packed.files.length} files, ${(packed.size / 1024).toFixed(0)} KiB packed, ${actual.length - 1} entry points`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

for (const problem of problems) console.error(`package: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
