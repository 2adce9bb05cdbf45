// A project, a TensorFlow and the commands that setup runs, all of them made up: nothing is downloaded or compiled.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Execute, Executed } from '../../src/setup/execute.js';
import type { Surroundings } from '../../src/setup/tensorflow.js';

export const BACKEND = 'if ((0, util_1.isNullOrUndefined)(tensors)) {}\nif ((0, util_1.isArray)(tensors)) {}\n';

export const put = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

/** A folder as a wheel of TensorFlow leaves it. */
export function fakeTensorflow(sitePackages: string, { version = '2.21.0', cuda = false, wheel = 'tensorflow_cpu' } = {}): string {
  const folder = join(sitePackages, 'tensorflow');
  for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2', 'include/tensorflow/c/eager/c_api.h']) put(join(folder, name), '');
  put(join(folder, 'python/platform/build_info.py'), `OrderedDict([('is_cuda_build', ${cuda ? 'True' : 'False'})])`);
  put(join(sitePackages, `${wheel}-${version}.dist-info/RECORD`), 'tensorflow/libtensorflow_cc.so.2,,\n');
  put(join(sitePackages, 'tensorflow_io_gcs_filesystem-0.37.1.dist-info/RECORD'), 'tensorflow_io_gcs_filesystem/__init__.py,,\n');
  return folder;
}

export interface World {
  readonly root: string;
  readonly project: string;
  readonly calls: string[];
  readonly said: string[];
  /** Answers that take the place of the usual ones; undefined falls through. */
  answer: (command: string, args: readonly string[]) => Partial<Executed> | undefined;
  readonly surroundings: Surroundings;
  has(path: string): boolean;
  remove(): void;
}

export function world(): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'maskflow-setup-')));
  const project = join(root, 'project');
  const modules = join(project, 'node_modules');
  const tensorflow = fakeTensorflow(join(root, 'site-packages'), { cuda: true });
  const headers = join(root, 'headers');
  put(join(headers, 'node_api.h'), '');
  put(join(project, 'package.json'), '{}');
  const lock = join(modules, '.package-lock.json');
  const registry = 'https://registry.npmjs.org/x.tgz';
  const read = (): Record<string, object> => (JSON.parse(readFileSync(lock, 'utf8')) as { packages: Record<string, object> }).packages;
  put(lock, '{"packages":{"node_modules/rxjs":{"version":"7.8.2"}}}');
  put(join(project, 'package-lock.json'), '{"packages":{"":{},"node_modules/rxjs":{"version":"7.8.2"}}}');

  /** Like npm: what is neither locked nor named goes away. */
  const npm = (verb: string, specs: readonly string[]): void => {
    const named = specs.map((spec) => /^(.+?)(?:@([^@/]+))?$/.exec(spec) as unknown as [string, string, string | undefined]);
    const packages = read();
    const stays = (name: string): boolean => name === 'rxjs' || (verb === 'install' && named.some(([, one]) => one === name));
    for (const path of Object.keys(packages)) {
      if (stays(path.replace('node_modules/', ''))) continue;
      if (verb === 'uninstall' && !named.some(([, one]) => path === `node_modules/${one}`)) continue;
      delete packages[path];
      rmSync(join(project, path), { recursive: true });
    }
    if (verb === 'install') {
      for (const [, name, version = '1.0.0'] of named) {
        packages[`node_modules/${name}`] = { version, resolved: registry };
        const folder = join(modules, name);
        rmSync(folder, { recursive: true, force: true }); // npm unpacks it again
        put(join(folder, 'package.json'), JSON.stringify({ name, version }));
        if (name === 'node-api-headers') put(join(folder, 'include/node_api.h'), '');
        if (!name.includes('tfjs-node')) continue;
        put(join(folder, 'dist/nodejs_kernel_backend.js'), BACKEND);
        put(join(folder, 'dist/kernels/TopK.js'), 'var kCount = (0, util_1.isNullOrUndefined)(k) ? 1 : k;\n');
      }
    }
    put(lock, JSON.stringify({ packages }));
  };

  const made: World = {
    root,
    project,
    calls: [],
    said: [],
    answer: () => undefined,
    has: (path) => existsSync(join(modules, path)),
    remove: () => rmSync(root, { recursive: true, force: true }),
    surroundings: {
      project,
      cwd: project,
      platform: 'linux x64',
      environment: {},
      headers,
      say: (line) => made.said.push(line),
      execute: ((command, args) => {
        made.calls.push([command === process.execPath ? 'node' : command, ...args].join(' '));
        const usual = { code: 0, stdout: '', stderr: '' };
        const other = made.answer(command, args);
        if (other !== undefined) return Promise.resolve({ ...usual, ...other });
        if (command === 'python3') return Promise.resolve({ ...usual, stdout: `${tensorflow}\n` });
        if (command === 'g++' && args.includes('-o')) put(args[args.indexOf('-o') + 1] as string, 'addon');
        if (command === 'npm')
          npm(
            args[0] as string,
            args.slice(1).filter((arg) => !arg.startsWith('--')),
          );
        if (command === process.execPath)
          return Promise.resolve({ ...usual, stdout: 'noise\nmaskflow {"version":"2.21.0","gpu":false,"numbers":[11,22,44]}\n' });
        return Promise.resolve(usual);
      }) satisfies Execute,
    },
  };
  return made;
}
