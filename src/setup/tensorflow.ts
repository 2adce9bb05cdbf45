// `maskflow setup tensorflow`: the user's own tfjs-node(-gpu) on the library of a pip-installed TensorFlow. Every step
// looks first whether it has been done, so that a second call changes nothing, and says which path it touches.
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import { checkOptions } from '../core/options.js';
import { ADDON, compileAddon, findCompiler, ownHeaders } from './compileAddon.js';
import { type Execute, execute as realExecute } from './execute.js';
import { findTensorflow } from './findTensorflow.js';
import { type Change, npmPackages } from './npmPackages.js';
import { type Proof, proveTensorflow } from './proveTensorflow.js';
import { patchRemovedCalls, restoreRemovedCalls } from './removedCalls.js';

export interface SetupTensorflowOptions {
  /** tfjs-node-gpu on a TensorFlow with CUDA; default false. */
  readonly gpu?: boolean | undefined;
  /** Where TensorFlow is; default: asked of Python, then ./.venv and ./venv. */
  readonly tensorflow?: string | undefined;
}

/** The world around it; given by tests. */
export interface Surroundings {
  /** Folder whose node_modules maskflow and tfjs live in. */
  readonly project?: string;
  readonly cwd?: string;
  readonly execute?: Execute;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly platform?: string;
  /** Node's own headers; `none` asks npm for them. */
  readonly headers?: string | 'none' | undefined;
  /** Told of every path that is touched. */
  readonly say?: (line: string) => void;
}

export interface TensorflowSetUp extends Proof {
  /** `@tensorflow/tfjs-node` or `-gpu`. */
  readonly package: string;
  /** TensorFlow's folder. */
  readonly tensorflow: string;
  /** False where everything had been done before. */
  readonly changed: boolean;
}

export const TFJS_NODE_VERSION = '4.22.0';
const HEADERS = 'node-api-headers';
const HEADERS_VERSION = '1.9.0';
const VARIANTS = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'] as const;
/** What we did to a package, in its own folder: gone when the package is. */
const RECORD = 'maskflow-setup.json';
/** What we make in the package's folder: the addon and the link. */
const OWN = ['lib', 'deps/lib'] as const;
const ASIDE = '.before-maskflow';

interface SetUpRecord {
  readonly tensorflow: string;
  readonly version: string | null;
  /** Packages that were not there before: `--remove` takes them away again. */
  readonly installed: readonly string[];
}

/**
 * Makes `@tensorflow/tfjs-node` or `-gpu` run on an installed TensorFlow (Linux, x64 or arm64).
 *
 * @throws MaskflowError that names what is missing with the command that brings it, and where the result does not compute
 * @example
 * const { version, gpu } = await setupTensorflow({ tensorflow: '.venv' }, { say: console.error });
 */
export async function setupTensorflow(options: SetupTensorflowOptions = {}, surroundings: Surroundings = {}): Promise<TensorflowSetUp> {
  checkOptions('setup', options, ['gpu', 'tensorflow']);
  const { gpu = false, tensorflow } = options;
  const {
    project = projectFolder(),
    cwd = process.cwd(),
    execute = realExecute,
    environment = process.env,
    platform = `${process.platform} ${process.arch}`,
    say = () => {},
  } = surroundings;
  if (!/^linux (x64|arm64)$/.test(platform)) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'platform',
      rule: 'this route to TensorFlow is for Linux on x64 or arm64',
      value: platform,
      hint: 'Use --backend wasm or webgpu.',
    });
  }
  const name = VARIANTS[gpu ? 1 : 0];
  const folder = join(project, 'node_modules', name);
  const compiler = environment.CXX || 'g++';
  const here = (path: string): string => relative(cwd, path) || '.';

  // 1. What must be there, before anything is touched.
  const found = await findTensorflow({ tensorflow, gpu }, { execute, environment, cwd });
  say(`TensorFlow  ${found.folder}${found.version === undefined ? '' : ` (${found.version})`}`);
  const record = recordOf(folder);
  const other = join(project, 'node_modules', VARIANTS[gpu ? 0 : 1]);
  const otherRecord = recordOf(other);
  const link = join(folder, 'deps/lib');
  const linked = existsSync(link) && lstatSync(link).isSymbolicLink() && readlinkSync(link) === found.folder;
  const fresh = linked && existsSync(join(folder, ADDON)) && record?.tensorflow === found.folder && record.version === (found.version ?? null);
  let changed = false;

  if (!fresh) {
    await findCompiler(execute, compiler);

    // 2. Packages, in one call.
    let headers = surroundings.headers === 'none' ? undefined : (surroundings.headers ?? ownHeaders());
    const carried = join(project, 'node_modules', HEADERS, 'include');
    const needed = [...(versionAt(folder) === TFJS_NODE_VERSION ? [] : [name]), ...(headers === undefined && !existsSync(carried) ? [HEADERS] : [])];
    if (needed.length > 0) {
      const all = new Set([name, ...(record?.installed ?? []), ...(otherRecord?.installed ?? []), ...needed]);
      reportNpm(await npmPackages('install', [...all].map(pinned), project, execute), project, here, say);
    }
    headers ??= carried;
    const installed = [...new Set([...(record?.installed ?? []), ...needed])];
    writeRecord(folder, { tensorflow: '', version: null, installed }); // who is interrupted now can still be undone

    // 3. One directory link: the CUDA wheel's libraries find each other by paths relative to theirs.
    mkdirSync(dirname(link), { recursive: true });
    if (record === undefined) for (const path of OWN) setAside(join(folder, path), here, say);
    rmSync(link, { recursive: true, force: true });
    symlinkSync(found.folder, link, 'dir');
    say(`link        ${here(link)} → ${found.folder}`);

    // 4. The addon.
    say(`compiling   ${here(join(folder, ADDON))}`);
    await compileAddon({ package: folder, tensorflow: found.folder, headers, compiler }, execute);
    writeRecord(folder, { tensorflow: found.folder, version: found.version ?? null, installed });
    say(`record      ${here(join(folder, RECORD))}`);
    changed = true;
  }

  // 5. What Node ≥ 23 lacks.
  for (const path of patchRemovedCalls(folder)) {
    say(`patched     ${here(path)} (the original beside it)`);
    changed = true;
  }

  // 6. The proof.
  const proof = await proveTensorflow(project, name, execute);

  // 7. npm unpacks afresh what it does not trust to be as it left it, the other variant among it.
  if (otherRecord !== undefined && recordOf(other) === undefined) {
    writeRecord(other, { ...otherRecord, tensorflow: '' });
    say(`again       ${here(other)}`);
    await setupTensorflow({ gpu: !gpu, tensorflow: otherRecord.tensorflow }, surroundings);
  }
  return { ...proof, package: name, tensorflow: found.folder, changed };
}

/**
 * Undoes `setupTensorflow`: what was there before stays or comes back.
 *
 * @returns the packages that were undone; none where nothing had been set up
 */
export async function removeTensorflow({
  project = projectFolder(),
  cwd = process.cwd(),
  execute = realExecute,
  say = () => {},
}: Surroundings = {}): Promise<string[]> {
  const here = (path: string): string => relative(cwd, path) || '.';
  const undone: string[] = [];
  const uninstall = new Set<string>();
  for (const name of VARIANTS) {
    const folder = join(project, 'node_modules', name);
    const record = recordOf(folder);
    if (record === undefined) continue;
    for (const path of restoreRemovedCalls(folder)) say(`restored    ${here(path)}`);
    for (const path of [...OWN, RECORD].map((part) => join(folder, part))) {
      if (!lstatSync(path, { throwIfNoEntry: false })) continue;
      rmSync(path, { recursive: true, force: true }); // of a link the link, never what it points to
      say(`removed     ${here(path)}`);
      if (!existsSync(path + ASIDE)) continue;
      renameSync(path + ASIDE, path);
      say(`restored    ${here(path)}`);
    }
    for (const one of record.installed) uninstall.add(one);
    undone.push(name);
  }
  if (uninstall.size > 0) reportNpm(await npmPackages('uninstall', [...uninstall], project, execute), project, here, say);
  return undone;
}

/** What an install script of the package's own left there stays beside ours, for `--remove`. */
function setAside(path: string, here: (path: string) => string, say: (line: string) => void): void {
  if (!existsSync(path)) return;
  renameSync(path, path + ASIDE);
  say(`moved       ${here(path)} → ${here(path + ASIDE)}`);
}

/** The folder whose node_modules holds the tfjs that maskflow uses: tfjs-node must lie beside it. */
function projectFolder(): string {
  return resolve(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json')), '../../..');
}

function recordOf(folder: string): SetUpRecord | undefined {
  const path = join(folder, RECORD);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as SetUpRecord) : undefined;
}

function writeRecord(folder: string, record: SetUpRecord): void {
  writeFileSync(join(folder, RECORD), `${JSON.stringify(record, undefined, 2)}\n`);
}

function versionAt(folder: string): string | undefined {
  const path = join(folder, 'package.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version : undefined;
}

const pinned = (name: string): string => `${name}@${name === HEADERS ? HEADERS_VERSION : TFJS_NODE_VERSION}`;

function reportNpm({ added, removed }: Change, project: string, here: (path: string) => string, say: (line: string) => void): void {
  for (const path of added) say(`installed   ${here(join(project, path))}`);
  for (const path of removed) say(`removed     ${here(join(project, path))} (by npm: package.json does not name it)`);
}
