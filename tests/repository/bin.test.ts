// The command without a build says how to build it.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const BIN = resolve(import.meta.dirname, '../../bin/maskflow.js');

describe('bin/maskflow.js', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maskflow-bin-'));
    mkdirSync(join(folder, 'bin'));
    copyFileSync(BIN, join(folder, 'bin/maskflow.js'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const start = () => spawnSync(process.execPath, [join(folder, 'bin/maskflow.js'), 'describe'], { encoding: 'utf8' });

  it('has its run bit', () => {
    expect(statSync(BIN).mode & 0o100).toBe(0o100);
  });

  it('names the build where dist is missing', () => {
    const { status, stderr } = start();
    expect(status).toBe(1);
    expect(stderr).toContain('npm run build');
  });

  it('hands the arguments to the command line and its exit code back', () => {
    mkdirSync(join(folder, 'dist/cli'), { recursive: true });
    writeFileSync(join(folder, 'dist/cli/main.js'), 'export const main = async (argv) => { console.log(argv.join()); return 2; };');
    expect(start()).toMatchObject({ status: 2, stdout: 'describe\n' });
  });
});
