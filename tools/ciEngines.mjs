// Sets up for CI the engines that `npm ci` does not bring, so that the tests run on them: TensorFlow (tfjs-node) and the
// packages of webgpu. Run in the repository, built:
//
//   variables="$(node tools/ciEngines.mjs)"; eval "$variables"; npm test
//
// What this machine cannot have (no compiler, no Python, no registry) is named and is no failure. What is all there and
// does not work is one: exit code 1. On stdout stands what a shell evaluates: the engines that work, which
// tests/backends/presentBackends.ts then insists on. package.json and the lock stay as they are.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const MINUTE = 60_000;
/** Outside the clone: a wheel of TensorFlow takes more than a gigabyte, and is the same for every run. */
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'maskflow', 'tensorflow');
const python = process.env.MASKFLOW_PYTHON || 'python3';
const compiler = process.env.CXX || 'g++';
const versions = JSON.parse(readFileSync('package.json', 'utf8')).peerDependencies;

const say = (line) => process.stderr.write(`${line}\n`);

/** Runs a command to its end; `problem` is the last line that it said, where it failed. */
function execute(command, args, minutes = 5) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: minutes * MINUTE, maxBuffer: 2 ** 26 });
  if (error?.code === 'ETIMEDOUT') return { stdout, problem: `${command} took more than ${minutes} minutes` };
  if (error) return { stdout: '', problem: `there is no ${command}` };
  const last = (stderr.trim() || stdout.trim()).split('\n').at(-1);
  return { stdout, stderr, problem: status === 0 ? undefined : `${command}: ${last || `exit code ${status}`}` };
}

/** Is TensorFlow's library in this virtual environment? */
function holdsTensorflow(folder) {
  const lib = join(folder, 'lib');
  return existsSync(lib) && readdirSync(lib).some((name) => existsSync(join(lib, name, 'site-packages/tensorflow/libtensorflow_cc.so.2')));
}

/** A virtual environment with TensorFlow, made once; returns what is in the way, or nothing. */
function bringTensorflow() {
  if (!/^linux (x64|arm64)$/.test(`${process.platform} ${process.arch}`)) return `its wheels are for Linux on x64 or arm64`;
  const lacking = execute(compiler, ['--version']).problem;
  if (lacking) return lacking;
  if (holdsTensorflow(cache)) return undefined;
  const without = execute(python, ['--version']).problem;
  if (without) return without;
  let partial;
  try {
    mkdirSync(dirname(cache), { recursive: true });
    partial = mkdtempSync(`${cache}.`);
    say(`TensorFlow: pip installs tensorflow-cpu into ${cache} (once)`);
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-cache-dir', '--disable-pip-version-check', 'tensorflow-cpu>=2.12'];
    const { problem } = [
      [python, ['-m', 'venv', partial], 5],
      [join(partial, 'bin/python'), pip, 15],
    ].reduce((before, [command, args, minutes]) => (before.problem ? before : execute(command, args, minutes)), {});
    if (problem) return problem;
    if (!holdsTensorflow(partial)) return 'the wheel of tensorflow-cpu for this Python holds no libtensorflow_cc.so.2';
    // The environment bears its name only when it is complete; another run may have been faster.
    rmSync(cache, { recursive: true, force: true });
    renameSync(partial, cache);
    return undefined;
  } catch (error) {
    return holdsTensorflow(cache) ? undefined : error.message;
  } finally {
    if (partial !== undefined) rmSync(partial, { recursive: true, force: true });
  }
}

/** The packages, in one call: the next one would remove them again. npm passes over optional peers without --save-prod. */
function install(names) {
  const specs = names.map((name) => `${name}@${versions[name]}`);
  return execute('npm', ['install', ...specs, '--no-save', '--save-prod', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']).problem;
}

const maskflow = (...args) => execute(process.execPath, ['bin/maskflow.js', ...args]);

const WEBGPU = ['webgpu', '@tensorflow/tfjs-backend-webgpu'];
const TENSORFLOW = '@tensorflow/tfjs-node';

let absent = bringTensorflow();
const refused = install(absent ? WEBGPU : [...WEBGPU, TENSORFLOW]);
absent ??= refused;
if (absent) say(`skipped: TensorFlow (tfjs-node): ${absent}`);
if (refused) say(`skipped: webgpu: ${refused}`);
if (!absent) {
  const { problem, stdout, stderr } = maskflow('setup', 'tensorflow', '--tensorflow', cache);
  say(problem ? `failed: TensorFlow (tfjs-node): maskflow setup tensorflow:\n${stderr}` : `TensorFlow: ${stdout.trim()}`);
  if (problem) process.exitCode = 1;
}

const { stdout, problem } = maskflow('doctor', '--json');
if (problem) {
  say(`failed: maskflow doctor: ${problem}`);
  process.exitCode = 1;
} else {
  const { engines } = JSON.parse(stdout);
  // A provider of an engine is called as in tests/backends/presentBackends.ts: onnx-webgpu.
  const tried = engines.flatMap(({ providers = [], ...engine }) => [
    engine,
    ...providers.map((provider) => ({ ...provider, name: `${engine.name}-${provider.name}` })),
  ]);
  const works = tried.filter((engine) => engine.works);
  for (const { name, device } of works) say(`works: ${name} (${device})`);
  for (const { name, reason } of tried.filter((engine) => !engine.works)) say(`skipped: ${name}: ${reason}`);
  process.stdout.write(`export MASKFLOW_TEST_BACKENDS='${works.map(({ name }) => name).join(' ')}'\n`);
}
