// The run folder: which one, what stands in it, and the rules of --out and --resume.
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import { fileError } from '../sinks/nodeFiles.js';

export type RunStatus = 'running' | 'done' | 'interrupted' | 'failed';

/** run.json: what ran. */
export interface RunRecord {
  readonly pipeline: string;
  readonly status: RunStatus;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly backend: string;
  /** What computed, for people; absent for an engine of the caller's own. */
  readonly device?: string;
  /** What the bits depend on beside the engine: threads, provider. */
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly prefetch: number;
  /** Stages in the order from the sink up: name, recipe, and whom each feeds. */
  readonly recipe: readonly StageRecord[];
  readonly data: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly process: number;
  readonly started: string;
  readonly ended?: string;
  readonly error?: string;
}

export interface StageRecord {
  readonly name: string;
  readonly module: string;
  readonly function: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly feeds: readonly string[];
}

const holdsRun = (folder: string): boolean => existsSync(join(folder, 'run.json'));

/** The record of the run in `folder`, or undefined where there is none. */
export function readRecord(folder: string): RunRecord | undefined {
  if (!holdsRun(folder)) return undefined;
  const path = join(folder, 'run.json');
  let record: unknown;
  try {
    record = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new MaskflowError({ stage: 'run', rule: `${path} is not readable JSON`, hint: 'Start in another folder: --out DIR.', cause });
  }
  if (!isRecord(record)) throw new MaskflowError({ stage: 'run', rule: `${path} is not the record of a run`, hint: 'Start in another folder: --out DIR.' });
  return record;
}

/** What a resume relies on is there. */
function isRecord(value: unknown): value is RunRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { status, options, recipe, data } = value as Partial<RunRecord>;
  return typeof status === 'string' && typeof options === 'object' && options !== null && Array.isArray(recipe) && typeof data === 'object' && data !== null;
}

/**
 * The folder of a new run (made here, where no --out names it), or of the one to go on with. Default runs/<name>, with -2, -3, … where that is taken; at a resume
 * the newest of these. An explicit folder that holds a run is refused unless it is resumed.
 */
export function chooseFolder(name: string, { out, resume = false, root = 'runs' }: { out?: string | undefined; resume?: boolean; root?: string }): string {
  if (out !== undefined) {
    const folder = resolve(out);
    if (holdsRun(folder) && !resume) {
      throw new MaskflowError({
        stage: 'run',
        option: 'out',
        rule: 'the folder holds a run already',
        value: out,
        hint: 'Go on with it by --resume, or start anew in another folder: --out DIR.',
      });
    }
    if (resume && !holdsRun(folder)) throw nothingToResume(out);
    return folder;
  }
  const first = resolve(root, name);
  const taken = existsSync(dirname(first)) ? numbered(dirname(first), basename(first)) : [];
  if (!resume) return claim(first, (taken.at(-1) ?? 0) + 1);
  const newest = taken.filter((n) => holdsRun(n === 1 ? first : `${first}-${n}`)).at(-1);
  if (newest === undefined) throw nothingToResume(join(root, name));
  return newest === 1 ? first : `${first}-${newest}`;
}

/** Makes the folder of the first free number from `next`: of two runs that start together each gets its own. */
function claim(first: string, next: number): string {
  mkdirSync(dirname(first), { recursive: true });
  for (let number = next; ; number++) {
    const folder = number === 1 ? first : `${first}-${number}`;
    try {
      mkdirSync(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError('make', folder, error);
    }
  }
}

function nothingToResume(folder: string): MaskflowError {
  return new MaskflowError({
    stage: 'run',
    option: 'resume',
    rule: 'there is no run to go on with',
    value: folder,
    hint: 'Start one without --resume, or name its folder: --out DIR --resume.',
  });
}

/** Numbers of the folders `name`, `name-2`, `name-3`, … that exist, ascending. */
function numbered(parent: string, name: string): number[] {
  return readdirSync(parent)
    .flatMap((entry) => {
      if (entry === name) return [1];
      const suffix = entry.startsWith(`${name}-`) ? entry.slice(name.length + 1) : '';
      return /^[1-9]\d*$/.test(suffix) && suffix !== '1' ? [Number(suffix)] : [];
    })
    .sort((a, b) => a - b);
}
