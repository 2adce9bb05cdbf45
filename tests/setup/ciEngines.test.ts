// What CI does before the tests, with made-up commands in the place of Python, pip, the compiler, npm and maskflow.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { put } from './world.js';

const tool = (name: string): string => resolve(import.meta.dirname, '../../tools', name);
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'maskflow-ci-'));
  mkdirSync(join(root, 'commands'));
  put(
    join(root, 'project/package.json'),
    '{"peerDependencies":{"webgpu":"0.6.2","@tensorflow/tfjs-backend-webgpu":"4.22.0","@tensorflow/tfjs-node":"4.22.0"}}',
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A command of a line of shell; each call is noted. */
function command(name: string, shell = 'exit 0'): void {
  const file = join(root, 'commands', name);
  writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> '${root}/calls'\n${shell}\n`);
  chmodSync(file, 0o755);
}

/** `maskflow`: setup works or not, doctor finds webgpu and wasm, and tfjs-node where setup worked. */
function maskflow({ setup = true } = {}): void {
  put(
    join(root, 'project/bin/maskflow.js'),
    `const fs = require('node:fs');
const verb = process.argv[2];
fs.appendFileSync('${root}/calls', 'maskflow ' + process.argv.slice(2).join(' ') + '\\n');
if (verb === 'setup' && ${!setup}) { console.error('error setup.compiler: could not compile'); process.exit(1); }
if (verb === 'setup') { fs.writeFileSync('set-up', ''); console.log('Set up: tfjs-node'); }
if (verb === 'doctor') console.log(JSON.stringify({ engines: [
  { name: 'webgpu', works: true, device: 'SwiftShader' },
  { name: 'tfjs-node', works: fs.existsSync('set-up'), device: 'TensorFlow', reason: 'the package is not installed' },
  { name: 'wasm', works: true, device: 'WebAssembly' } ] }));`,
  );
}

/** A Python whose `-m venv DIR` makes an environment, with a pip that brings TensorFlow, or that runs `pip`. */
function pythonWith(pip?: string): void {
  const library = '/bin/mkdir -p "$d/lib/python3.12/site-packages/tensorflow" && : > "$d/lib/python3.12/site-packages/tensorflow/libtensorflow_cc.so.2"';
  const inside = join(root, 'venv-python');
  writeFileSync(inside, `#!/bin/sh\necho "pip $*" >> '${root}/calls'\nd=\${0%/bin/python}\n${pip ?? library}\n`);
  chmodSync(inside, 0o755);
  command('python3', `[ "$2" = venv ] || exit 0\n/bin/mkdir "$3/bin" && /bin/cp '${inside}' "$3/bin/python"`);
}

function ci(): { status: number | null; stdout: string; stderr: string; calls: string[] } {
  rmSync(join(root, 'calls'), { force: true });
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool('ciEngines.mjs')], {
    cwd: join(root, 'project'),
    encoding: 'utf8',
    env: { PATH: join(root, 'commands'), XDG_CACHE_HOME: join(root, 'cache') },
  });
  return { status, stdout, stderr, calls: readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') };
}

const cached = (): string[] => (existsSync(join(root, 'cache/maskflow')) ? readdirSync(join(root, 'cache/maskflow')) : []);
const packages = (calls: readonly string[]): string[] => (calls.find((call) => call.startsWith('npm ')) ?? '').split(' ').filter((word) => word.includes('@'));
const WEBGPU = ['webgpu@0.6.2', '@tensorflow/tfjs-backend-webgpu@4.22.0'];

describe.skipIf(process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))('the engines of CI', () => {
  it('are brought by one npm install that saves nothing, on a TensorFlow that is kept outside of the clone', () => {
    for (const name of ['g++', 'npm']) command(name);
    pythonWith();
    maskflow();
    const first = ci();
    expect(first).toMatchObject({ status: 0, stdout: "export MASKFLOW_TEST_BACKENDS='webgpu tfjs-node wasm'\n" });
    expect(first.calls.filter((call) => call.startsWith('npm '))).toEqual([
      `npm install ${WEBGPU.join(' ')} @tensorflow/tfjs-node@4.22.0 --no-save --save-prod --ignore-scripts --no-audit --no-fund --loglevel=error`,
    ]);
    expect(first.calls.find((call) => call.startsWith('pip '))).toMatch(/^pip -m pip install .*tensorflow-cpu>=2\.12$/);
    expect(first.calls).toContain(`maskflow setup tensorflow --tensorflow ${root}/cache/maskflow/tensorflow`);
    expect(cached()).toEqual(['tensorflow']);
    // The second time TensorFlow is there.
    expect(ci().calls.some((call) => /^(pip|python3) /.test(call))).toBe(false);
  });

  it.each<[string, () => void, RegExp]>([
    ['no compiler', () => pythonWith(), /^skipped: TensorFlow \(tfjs-node\): there is no g\+\+$/m],
    ['no Python', () => command('g++'), /^skipped: TensorFlow \(tfjs-node\): there is no python3$/m],
    [
      'a registry that cannot be reached',
      () => {
        command('g++');
        pythonWith('echo "ERROR: No matching distribution found for tensorflow-cpu" >&2\nexit 1');
      },
      /^skipped: TensorFlow \(tfjs-node\): .*No matching distribution found/m,
    ],
  ])('%s: the reason is printed, the other engine is brought, nothing half made stays, and CI goes on', (_, given, reason) => {
    given();
    command('npm');
    maskflow();
    const { status, stdout, stderr, calls } = ci();
    expect(stderr).toMatch(reason);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "export MASKFLOW_TEST_BACKENDS='webgpu wasm'\n" });
    expect(stderr).toContain('skipped: tfjs-node: the package is not installed\n');
    expect(packages(calls)).toEqual(WEBGPU);
    expect(calls.some((call) => call.startsWith('maskflow setup'))).toBe(false);
    expect(cached()).toEqual([]);
  });

  it('an npm that fails is named for both', () => {
    command('g++');
    pythonWith();
    command('npm', 'echo "npm error code ENOTFOUND" >&2\nexit 1');
    maskflow();
    const { status, stderr } = ci();
    expect(status).toBe(0);
    for (const name of ['TensorFlow (tfjs-node)', 'webgpu']) expect(stderr).toContain(`skipped: ${name}: npm: npm error code ENOTFOUND\n`);
  });

  it('a setup that fails although all is there fails CI, and the tests still learn what works', () => {
    for (const name of ['g++', 'npm']) command(name);
    pythonWith();
    maskflow({ setup: false });
    const { status, stdout, stderr } = ci();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "export MASKFLOW_TEST_BACKENDS='webgpu wasm'\n" });
    expect(stderr).toContain('failed: TensorFlow (tfjs-node): maskflow setup tensorflow:\nerror setup.compiler: could not compile\n');
  });
});

describe('the tests on each engine', () => {
  const summary = (report: string): string => {
    writeFileSync(join(root, 'report.json'), report);
    return spawnSync(process.execPath, [tool('ciEngineTests.mjs'), join(root, 'report.json')], { encoding: 'utf8' }).stdout;
  };

  it('are counted by the titles around them; skipped ones do not count', () => {
    const test = (status: string, title: string, ...ancestorTitles: string[]) => ({ status, title, ancestorTitles });
    const assertionResults = [
      test('passed', 'erf', 'operations on tfjs-node'),
      test('passed', 'goes on exactly, trial 0', 'a run on tfjs-node killed by SIGKILL'),
      test('failed', 'erf', 'operations on webgpu'),
      test('passed', 'frees everything', 'on wasm', 'what the encoder sees'),
      test('skipped', 'erf', 'operations on cpu'),
      test('passed', 'depends on nothing'),
    ];
    expect(summary(JSON.stringify({ testResults: [{ assertionResults }] }))).toBe('engines: tfjs-node 2 passed, webgpu 0 passed 1 failed, wasm 1 passed\n');
  });

  it('are none where there is no report', () => {
    expect(summary('{"testResults": [')).toBe('');
  });
});
