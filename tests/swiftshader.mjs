#!/usr/bin/env node
// Brings SwiftShader, a Vulkan driver that computes on the CPU, for the tests of the webgpu backend on machines without a
// GPU: Debian's package chromium-common, downloaded and unpacked (not installed) outside the repository, once. It carries
// the Vulkan loader too. Prints the environment to set:
//
//   eval "$(node tests/swiftshader.mjs)" && npm test
//
// Where it cannot be had it says why on standard error, prints nothing, and exits with 1: `|| true` skips it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
/** Folder that holds it; an argument names another. */
const folder = process.argv[2] ?? join(cache, 'maskflow', 'swiftshader');
const driver = join(folder, 'root/usr/lib/chromium/vk_swiftshader_icd.json');
const loader = join(folder, 'root/usr/lib/chromium/libvulkan.so.1');

try {
  if (!existsSync(driver)) bring();
  // A folder with the loader alone: beside it lie Chromium's own libEGL and others, which nobody else should find.
  const libraries = join(folder, 'lib');
  mkdirSync(libraries, { recursive: true });
  if (existsSync(loader) && !existsSync(join(libraries, 'libvulkan.so.1'))) symlinkSync(loader, join(libraries, 'libvulkan.so.1'));
  // Some builds of the loader look into XDG_RUNTIME_DIR and want it writable.
  const runtime = process.env.XDG_RUNTIME_DIR || join(folder, 'runtime');
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  const path = [libraries, process.env.LD_LIBRARY_PATH].filter((part) => part && part !== '').join(':');
  for (const [name, value] of Object.entries({ VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: path, XDG_RUNTIME_DIR: runtime })) {
    process.stdout.write(`export ${name}='${value.replaceAll("'", "'\\''")}'\n`);
  }
} catch (error) {
  const said = String(error.stderr || error.message).trim();
  process.stderr.write(`skipped: SwiftShader: ${error.code === 'ENOENT' && error.path ? `there is no ${error.path}` : said.split('\n').at(-1)}\n`);
  process.exitCode = 1;
}

function bring() {
  if (process.platform !== 'linux') throw new Error(`chromium-common is a package of Debian; this is ${process.platform}`);
  mkdirSync(dirname(folder), { recursive: true });
  const partial = mkdtempSync(`${folder}.`);
  try {
    execFileSync('apt-get', ['download', 'chromium-common'], { cwd: partial, stdio: ['ignore', 'ignore', 'pipe'] });
    const archive = readdirSync(partial).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get download chromium-common brought no file');
    execFileSync('dpkg', ['-x', archive, 'root'], { cwd: partial, stdio: ['ignore', 'ignore', 'pipe'] });
    rmSync(join(partial, archive));
    if (!existsSync(join(partial, 'root/usr/lib/chromium/vk_swiftshader_icd.json'))) throw new Error('chromium-common of this release carries no SwiftShader');
    // The folder bears its name only when it is complete.
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
