import { linkSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withoutRemovedCalls } from '../../src/setup/removedCalls.js';
import { removeTensorflow, setupTensorflow } from '../../src/setup/tensorflow.js';
import { BACKEND, type World, fakeTensorflow, put, world } from './world.js';

const PACKAGE = '@tensorflow/tfjs-node';
const FLAGS = '--no-save --save-prod --ignore-scripts --no-audit --no-fund --loglevel=error';
let w: World;
beforeEach(() => {
  w = world();
});
afterEach(() => w.remove());
const npmCalls = (): string[] => w.calls.filter((call) => call.startsWith('npm'));

describe('setup tensorflow', () => {
  it('installs without scripts, links, compiles, patches, proves, and says which paths it touches', async () => {
    const done = await setupTensorflow({}, w.surroundings);
    const tensorflow = join(w.root, 'site-packages/tensorflow');
    expect(done).toEqual({ version: '2.21.0', gpu: false, package: PACKAGE, tensorflow, changed: true });
    expect(npmCalls()).toEqual([`npm install ${PACKAGE}@4.22.0 ${FLAGS}`]);
    expect(readlinkSync(join(w.project, 'node_modules', PACKAGE, 'deps/lib'))).toBe(tensorflow);
    expect(readFileSync(join(w.project, 'node_modules', PACKAGE, 'lib/napi-v8/tfjs_binding.node'), 'utf8')).toBe('addon');
    const compile = w.calls.find((call) => call.includes('-shared')) as string;
    expect(compile).toContain(`-DNAPI_VERSION=8 -I${join(w.root, 'headers')} -I${tensorflow}/include`);
    expect(compile).toContain(`-L${tensorflow} -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,$ORIGIN/../../deps/lib`);
    const at = `node_modules/${PACKAGE}`;
    expect(w.said).toEqual([
      `TensorFlow  ${tensorflow} (2.21.0)`,
      `installed   ${at}`,
      `link        ${at}/deps/lib → ${tensorflow}`,
      `compiling   ${at}/lib/napi-v8/tfjs_binding.node`,
      `record      ${at}/maskflow-setup.json`,
      `patched     ${at}/dist/nodejs_kernel_backend.js (the original beside it)`,
      `patched     ${at}/dist/kernels/TopK.js (the original beside it)`,
    ]);
  });

  it('done again changes nothing and proves again; another TensorFlow is linked and compiled afresh, without npm', async () => {
    await setupTensorflow({}, w.surroundings);
    w.calls.length = 0;
    expect((await setupTensorflow({}, w.surroundings)).changed).toBe(false);
    expect(w.calls.map((call) => call.split(' ', 1)[0])).toEqual(['python3', 'node']);
    fakeTensorflow(join(w.root, 'newer/lib/python3.13/site-packages'), { version: '2.22.0' });
    w.calls.length = 0;
    expect(await setupTensorflow({ tensorflow: '../newer' }, w.surroundings)).toMatchObject({
      changed: true,
      tensorflow: join(w.root, 'newer/lib/python3.13/site-packages/tensorflow'),
    });
    expect(w.calls.map((call) => call.split(' ', 1)[0])).toEqual(['g++', 'g++', 'node']);
  });

  it('undoes itself to the last file, keeps what else was brought without saving, and says so when there is nothing', async () => {
    await w.surroundings.execute?.('npm', ['install', 'webgpu@0.6.0']);
    const before = readdirSync(w.project, { recursive: true }).sort();
    await setupTensorflow({}, { ...w.surroundings, headers: 'none' });
    expect(w.has('node-api-headers')).toBe(true);
    expect(w.has('webgpu')).toBe(true);
    expect(await removeTensorflow(w.surroundings)).toEqual([PACKAGE]);
    expect(npmCalls().slice(1)).toEqual([`npm install webgpu@0.6.0 ${PACKAGE}@4.22.0 node-api-headers@1.9.0 ${FLAGS}`, `npm install webgpu@0.6.0 ${FLAGS}`]);
    expect(
      readdirSync(w.project, { recursive: true })
        .sort()
        .filter((path) => !String(path).endsWith('@tensorflow')),
    ).toEqual(before);
    expect(await removeTensorflow(w.surroundings)).toEqual([]);
  });

  it('of a package that was there it undoes only its own: originals, addon and link come back', async () => {
    await w.surroundings.execute?.('npm', ['install', `${PACKAGE}@4.22.0`]);
    const folder = join(w.project, 'node_modules', PACKAGE);
    put(join(folder, 'lib/napi-v8/tfjs_binding.node'), 'theirs');
    put(join(folder, 'deps/lib/libtensorflow.so.2'), 'theirs');
    const kernel = join(folder, 'dist/nodejs_kernel_backend.js');
    linkSync(kernel, join(w.root, 'shared.js')); // as package managers share files between projects
    w.calls.length = 0;
    await setupTensorflow({}, w.surroundings);
    expect(readFileSync(kernel, 'utf8')).toBe('if ((tensors == null)) {}\nif (Array.isArray(tensors)) {}\n');
    expect(readFileSync(join(w.root, 'shared.js'), 'utf8')).toBe(BACKEND);
    expect(readFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), 'utf8')).toBe('addon');
    await removeTensorflow(w.surroundings);
    expect(npmCalls()).toEqual([]);
    expect(readFileSync(kernel, 'utf8')).toBe(BACKEND);
    expect(readFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), 'utf8')).toBe('theirs');
    expect(readFileSync(join(folder, 'deps/lib/libtensorflow.so.2'), 'utf8')).toBe('theirs');
  });

  it('both variants can be set up: npm unpacks the first again, so it is done again', async () => {
    await setupTensorflow({}, w.surroundings);
    expect(await setupTensorflow({ gpu: true }, w.surroundings)).toMatchObject({ package: `${PACKAGE}-gpu` });
    expect(w.said).toContain(`again       node_modules/${PACKAGE}`);
    for (const name of [PACKAGE, `${PACKAGE}-gpu`]) expect(w.has(`${name}/maskflow-setup.json`), name).toBe(true);
    expect((await removeTensorflow(w.surroundings)).length).toBe(2);
    expect(w.has(PACKAGE) || w.has(`${PACKAGE}-gpu`)).toBe(false);
  });

  it('stopped while compiling it can be undone and done again', async () => {
    w.answer = (command, args) => (command === 'g++' && args.includes('-o') ? { code: 1, stderr: 'tfjs_backend.cc: error: no' } : undefined);
    await expect(setupTensorflow({}, w.surroundings)).rejects.toThrow(/setup\.compiler: g\+\+ could not compile the addon of .*error: no/s);
    w.answer = () => undefined;
    expect((await setupTensorflow({}, w.surroundings)).changed).toBe(true);
    expect(await removeTensorflow(w.surroundings)).toEqual([PACKAGE]);
    expect(w.has(PACKAGE)).toBe(false);
  });
});

describe('what is missing is named with the command that brings it, and nothing has been touched', () => {
  afterEach(() => {
    expect(npmCalls()).toEqual([]);
    expect(w.has('@tensorflow')).toBe(false);
  });

  it.each<[string, World['answer'], object, RegExp]>([
    [
      'Python',
      (command) => (/python/.test(command) ? { code: undefined } : undefined),
      {},
      /no TensorFlow was found, and no Python.*apt-get install python3 python3-venv/,
    ],
    [
      'the wheel',
      (command) => (/python/.test(command) ? { stdout: '\n' } : undefined),
      {},
      /no TensorFlow was found\. Run: python3 -m venv \.venv && \.venv\/bin\/pip install tensorflow-cpu/,
    ],
    ['the wheel with CUDA', (command) => (/python/.test(command) ? { stdout: '\n' } : undefined), { gpu: true }, /pip install 'tensorflow\[and-cuda\]'/],
    [
      'the library',
      (command) => (/python/.test(command) ? { stdout: '/nowhere/tensorflow\n' } : undefined),
      {},
      /\/nowhere\/tensorflow has no libtensorflow_cc\.so\.2: TensorFlow ≥ 2\.12/,
    ],
    [
      'the folder that was named',
      () => undefined,
      { tensorflow: 'nowhere' },
      /setup\.tensorflow: must be a folder with libtensorflow_cc\.so\.2.*got "nowhere"\. Run: /,
    ],
    [
      'the compiler',
      (command) => (command === 'g++' ? { code: undefined } : undefined),
      {},
      /there is no C\+\+ compiler g\+\+\. On Debian or Ubuntu run: apt-get install g\+\+/,
    ],
    ['the option', () => undefined, { tensorfow: 'x' }, /Did you mean tensorflow\?/],
  ])('%s', async (_, answer, options, message) => {
    w.answer = answer;
    await expect(setupTensorflow(options, w.surroundings)).rejects.toThrow(message);
  });

  it('a TensorFlow that is too old, without headers or, for the GPU, without CUDA', async () => {
    fakeTensorflow(join(w.root, 'old'), { version: '2.11.1' });
    await expect(setupTensorflow({ tensorflow: '../old' }, w.surroundings)).rejects.toThrow(/TensorFlow ≥ 2\.12 is needed; this is 2\.11\.1/);
    fakeTensorflow(join(w.root, 'cpu'));
    await expect(setupTensorflow({ tensorflow: '../cpu', gpu: true }, w.surroundings)).rejects.toThrow(/was built without CUDA\. Run: .*and-cuda/);
    for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) put(join(w.root, 'bare', name), '');
    await expect(setupTensorflow({ tensorflow: '../bare' }, w.surroundings)).rejects.toThrow(/the C headers .* are missing/);
  });

  it('a platform that the wheels do not serve', async () => {
    await expect(setupTensorflow({}, { ...w.surroundings, platform: 'darwin arm64' })).rejects.toThrow(
      /Linux on x64 or arm64; got "darwin arm64"\. Use --backend wasm/,
    );
  });

  it('a node_modules that npm would take apart', async () => {
    put(join(w.project, 'node_modules/.modules.yaml'), '');
    await expect(setupTensorflow({}, w.surroundings)).rejects.toThrow(/made by pnpm.*Run: pnpm add --ignore-scripts @tensorflow\/tfjs-node@4\.22\.0/);
  });
});

describe('the parts', () => {
  it('finds .venv in the working directory where Python knows no TensorFlow', async () => {
    w.answer = (command) => (/python/.test(command) ? { code: undefined } : undefined);
    const folder = fakeTensorflow(join(w.project, '.venv/lib/python3.12/site-packages'));
    expect((await setupTensorflow({}, w.surroundings)).tensorflow).toBe(folder);
  });

  it.each<[string, object, RegExp]>([
    [
      'wrong numbers',
      { stdout: 'maskflow {"version":"2.21.0","gpu":false,"numbers":[11,0,0]}\n' },
      /a product and a gradient must come out as 11, 22, 44; got \[11,0,0\]/,
    ],
    ['a crash', { code: 1, stderr: 'undefined symbol: TF_Foo' }, /does not run:\nundefined symbol: TF_Foo.*--remove/s],
    ['an old library', { stdout: 'maskflow {"version":"2.9.1","gpu":false,"numbers":[11,22,44]}\n' }, /TensorFlow ≥ 2\.12 is needed; got "2\.9\.1"/],
  ])('the proof refuses %s', async (_, answer, message) => {
    w.answer = (command) => (command === process.execPath ? answer : undefined);
    await expect(setupTensorflow({}, w.surroundings)).rejects.toThrow(message);
  });

  it('says what npm said', async () => {
    w.answer = (command) => (command === 'npm' ? { code: 1, stderr: 'npm error 404' } : undefined);
    await expect(setupTensorflow({}, w.surroundings)).rejects.toThrow(
      /npm install failed in .*npm error 404.*Try: npm install @tensorflow\/tfjs-node@4\.22\.0 --no-save/s,
    );
  });

  it('replaces the calls that Node 23 removed, and only those', () => {
    expect(withoutRemovedCalls('(0, util_1.promisify)(f); (0, util_1.isNullOrUndefined)(k) ? 1 : k')).toBe('(0, util_1.promisify)(f); (k == null) ? 1 : k');
  });
});
