// Loads a user's TypeScript file without a build step. `maskflow` in it is this very copy: two copies would have two gates.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { MaskflowError } from '../core/errors.js';

const rooms = ['backends', 'core', 'formats', 'losses', 'models', 'operators', 'optimizers', 'sinks', 'sources'];

const own = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The module that a file exports. Errors in it keep their own line numbers. */
export async function loadModule(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'FILE',
      rule: found === undefined ? 'there is no such file' : 'this is no file',
      value: file,
      hint: 'Give the path of a pipeline: maskflow run pipelines/mae-mnist.ts.',
    });
  }
  const alias = Object.fromEntries([...rooms.map((room) => [`maskflow/${room}`, own(`${room}/index.js`)]), ['maskflow', own('index.js')]]);
  const natively = createJiti(import.meta.url, { alias, nativeModules: ['maskflow', own('')], interopDefault: false, fsCache: false });
  return (await natively.import(path)) as Record<string, unknown>;
}
