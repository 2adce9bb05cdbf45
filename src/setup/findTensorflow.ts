// Where is TensorFlow's library? A pip wheel from 2.12 on carries it complete, with the C headers: libtensorflow_cc.so.2.
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import type { Execute } from './execute.js';

export interface FindTensorflowOptions {
  /** The package's folder, its site-packages, or the virtual environment that holds it; default: asked of Python, then ./.venv and ./venv. */
  readonly tensorflow?: string | undefined;
  /** Needs a build with CUDA. */
  readonly gpu?: boolean | undefined;
}

export interface FoundTensorflow {
  /** The folder with the libraries and `include`, links resolved. */
  readonly folder: string;
  /** `2.21.0`, as the package's own files say; undefined where they say nothing. */
  readonly version: string | undefined;
}

export const TENSORFLOW_LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;
const OLDEST = [2, 12] as const;
const QUESTION = "import importlib.util as u; s = u.find_spec('tensorflow'); print(list(s.submodule_search_locations or [''])[0] if s else '')";

/**
 * Finds a TensorFlow ≥ 2.12.
 *
 * @throws MaskflowError that names what is missing (Python, the wheel, its library, CUDA) with the command that brings it
 */
export async function findTensorflow(
  { tensorflow, gpu = false }: FindTensorflowOptions,
  { execute, environment = process.env, cwd = process.cwd() }: { execute: Execute; environment?: Readonly<Record<string, string | undefined>>; cwd?: string },
): Promise<FoundTensorflow> {
  const wheel = gpu ? "'tensorflow[and-cuda]'" : 'tensorflow-cpu';
  const bring = `Run: python3 -m venv .venv && .venv/bin/pip install ${wheel}`;
  if (tensorflow !== undefined) {
    const found = within(resolve(cwd, tensorflow));
    if (found === undefined) {
      throw new MaskflowError({
        stage: 'setup',
        option: 'tensorflow',
        rule: `must be a folder with ${TENSORFLOW_LIBRARIES[0]}, its parent, or a virtual environment with TensorFlow ≥ ${OLDEST.join('.')}`,
        value: tensorflow,
        hint: bring,
      });
    }
    return checked(found, gpu, bring);
  }
  let python = false;
  let incomplete: string | undefined;
  for (const command of [environment.PYTHON, 'python3', 'python']) {
    if (!command) continue;
    const { code, stdout } = await execute(command, ['-c', QUESTION], { cwd });
    python ||= code === 0;
    const said = code === 0 ? stdout.trim() : '';
    if (said === '') continue;
    const found = within(said);
    if (found !== undefined) return checked(found, gpu, bring);
    incomplete = said;
  }
  for (const name of ['.venv', 'venv']) {
    const found = within(join(cwd, name));
    if (found !== undefined) return checked(found, gpu, bring);
  }
  if (incomplete !== undefined) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'tensorflow',
      rule: `${incomplete} has no ${TENSORFLOW_LIBRARIES[0]}: TensorFlow ≥ ${OLDEST.join('.')} for Linux is needed`,
      hint: bring,
    });
  }
  if (!python) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'tensorflow',
      rule: 'no TensorFlow was found, and no Python to install it',
      hint: 'On Debian or Ubuntu run: apt-get install python3 python3-venv (a wheel of TensorFlow that was unzipped by hand is taken with --tensorflow DIR)',
    });
  }
  throw new MaskflowError({
    stage: 'setup',
    option: 'tensorflow',
    rule: 'no TensorFlow was found',
    hint: `${bring} (it is found there; one elsewhere with --tensorflow DIR)`,
  });
}

/** The folder with the libraries: this one, `tensorflow` in it, or the one of a virtual environment. */
function within(folder: string): string | undefined {
  const lib = join(folder, 'lib');
  const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => /^python3/.test(name)) : [];
  const candidates = [folder, join(folder, 'tensorflow'), ...pythons.map((name) => join(lib, name, 'site-packages', 'tensorflow'))];
  const found = candidates.find((candidate) => TENSORFLOW_LIBRARIES.every((name) => existsSync(join(candidate, name))));
  return found === undefined ? undefined : realpathSync(found);
}

function checked(folder: string, gpu: boolean, bring: string): FoundTensorflow {
  const refuse = (rule: string): never => {
    throw new MaskflowError({ stage: 'setup', option: 'tensorflow', rule: `${folder}: ${rule}`, hint: bring });
  };
  if (!existsSync(join(folder, 'include/tensorflow/c/eager/c_api.h'))) refuse('the C headers (include/tensorflow/c) are missing');
  const version = versionOf(folder);
  if (version !== undefined && tooOld(version)) refuse(`TensorFlow ≥ ${OLDEST.join('.')} is needed; this is ${version}`);
  const buildInfo = join(folder, 'python/platform/build_info.py');
  if (gpu && existsSync(buildInfo) && /'is_cuda_build', False/.test(readFileSync(buildInfo, 'utf8'))) refuse('this TensorFlow was built without CUDA');
  return { folder, version };
}

export function tooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

/** From the name of the wheel's dist-info beside it, or from the headers (up to 2.20 they name it). */
function versionOf(folder: string): string | undefined {
  for (const name of readdirSync(dirname(folder))) {
    const named = /^(?:tensorflow|tf_nightly)\w*-(\d+\.\d+\.\d+\w*)\.dist-info$/.exec(name)?.[1];
    const record = join(dirname(folder), name, 'RECORD');
    if (named !== undefined && existsSync(record) && readFileSync(record, 'utf8').includes(`tensorflow/${TENSORFLOW_LIBRARIES[0]}`)) return named;
  }
  const header = join(folder, 'include/tensorflow/core/public/version.h');
  if (!existsSync(header)) return undefined;
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`#define TF_${part}_VERSION (\\d+)`).exec(readFileSync(header, 'utf8'))?.[1]);
  return parts.every((part) => part !== undefined) ? parts.join('.') : undefined;
}
