// The addon of tfjs-node in one compiler call. It speaks Node-API, so one build serves every Node from 20 on.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import { type Execute, lastLines } from './execute.js';
import { TENSORFLOW_LIBRARIES } from './findTensorflow.js';

/** Where the addon lies in the package: tfjs-node looks it up by the Node-API version. */
export const ADDON = 'lib/napi-v8/tfjs_binding.node';

/** Folder with node_api.h that came with Node itself, if there is one. */
export function ownHeaders(execPath: string = process.execPath): string | undefined {
  return [resolve(dirname(execPath), '../include/node'), '/usr/include/node', '/usr/local/include/node'].find((folder) =>
    existsSync(join(folder, 'node_api.h')),
  );
}

/** Is there a compiler? Asked before anything is touched. */
export async function findCompiler(execute: Execute, compiler: string): Promise<void> {
  const { code } = await execute(compiler, ['--version']);
  if (code === 0) return;
  throw new MaskflowError({
    stage: 'setup',
    option: 'compiler',
    rule: `there is no C++ compiler ${compiler}`,
    hint: 'On Debian or Ubuntu run: apt-get install g++ (another compiler is taken from the variable CXX)',
  });
}

/**
 * Compiles the addon into the package, in the place of one that is there.
 *
 * @returns its path
 */
export async function compileAddon(
  {
    package: folder,
    tensorflow,
    headers,
    compiler,
  }: { readonly package: string; readonly tensorflow: string; readonly headers: string; readonly compiler: string },
  execute: Execute,
): Promise<string> {
  const addon = join(folder, ADDON);
  mkdirSync(dirname(addon), { recursive: true });
  const flags = ['-O2', '-s', '-fPIC', '-shared', '-std=c++17', '-DNAPI_VERSION=8', `-I${headers}`, `-I${join(tensorflow, 'include')}`];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(folder, 'binding', name));
  const libraries = [`-L${tensorflow}`, ...TENSORFLOW_LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/../../deps/lib'];
  const compiled = await execute(compiler, [...flags, ...sources, '-o', `${addon}.partial`, ...libraries], { cwd: folder });
  if (compiled.code !== 0) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'compiler',
      rule: `${compiler} could not compile the addon of ${folder}:\n${lastLines(compiled)}\n`,
      hint: 'Another compiler is taken from the variable CXX.',
    });
  }
  renameSync(`${addon}.partial`, addon);
  return addon;
}
