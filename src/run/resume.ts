// What a checkpoint gives back, and what must not have changed since.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Column } from '../core/batch.js';
import { MaskflowError, show } from '../core/errors.js';
import type { RunState } from '../core/run.js';
import { decodeSafetensors } from '../formats/safetensors.js';
import type { RunRecord, StageRecord } from './folder.js';

export interface Restored {
  readonly name: string;
  readonly set: string;
  readonly state: RunState;
  readonly model: ReadonlyMap<string, Column>;
  readonly training: ReadonlyMap<string, Column>;
}

/** The checkpoint that `last` names in a run folder, or undefined where no checkpoint was made yet. */
export function readCheckpoint(folder: string): Restored | undefined {
  const checkpoints = join(folder, 'checkpoints');
  const pointer = join(checkpoints, 'last');
  if (!existsSync(pointer)) return undefined;
  const name = readFileSync(pointer, 'utf8').trim();
  const read = <T>(file: string, decode: (bytes: Uint8Array) => T): T => {
    const path = join(checkpoints, name, file);
    try {
      return decode(new Uint8Array(readFileSync(path)));
    } catch (cause) {
      throw new MaskflowError({
        stage: 'run',
        option: 'resume',
        rule: `the checkpoint file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: `Write the name of another folder of ${checkpoints} into ${pointer}, or start anew with --out DIR.`,
        cause,
      });
    }
  };
  const state = read('state.json', (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as RunState & { readonly weights: string });
  return { name, set: state.weights, state, model: read('model.safetensors', decodeSafetensors), training: read('training.safetensors', decodeSafetensors) };
}

/** Options that may differ at a resume: how long to go on, never what is computed. */
const extendable = ['epochs', 'steps'];

/** What a resume goes on with. */
export interface Resumed {
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly backend: string;
  readonly settings?: RunRecord['settings'] | undefined;
}

/** Refuses to go on with other options, another seed, another engine, or one that would add in another order. */
export function refuseChanges(before: RunRecord, now: Resumed): void {
  const refuse = (option: string, was: unknown, is: unknown, way = `Resume with ${option} as it was`): never => {
    throw new MaskflowError({
      stage: 'run',
      option,
      rule: `a resumed run must go on with what it began with: ${option} was ${show(was)}`,
      value: is,
      hint: `${way}, or start a new run: --out DIR.`,
    });
  };
  const names = new Set([...Object.keys(before.options), ...Object.keys(now.options)]);
  for (const name of names) {
    const was = before.options[name];
    const is = now.options[name];
    if (was === is || JSON.stringify(was) === JSON.stringify(plain(is))) continue;
    if (extendable.includes(name) && bound(is) >= bound(was)) continue;
    refuse(name, was, is);
  }
  if (before.seed !== now.seed) refuse('seed', before.seed, now.seed);
  if (before.backend !== now.backend) refuse('backend', before.backend, now.backend);
  for (const [name, is] of Object.entries(now.settings ?? {})) {
    const was = before.settings?.[name];
    // A run that was recorded before a setting was cannot tell.
    if (was !== undefined && was !== is) refuse(name, was, is, `Set ${variable(before.backend, name)}=${was}, without which the last digits differ`);
  }
}

/** Refuses to go on with a chain whose stages changed; `epochs` may, and where the data lies (its fingerprint may not). */
export function refuseOtherChain(before: readonly StageRecord[], now: readonly StageRecord[]): void {
  const comparable = (stages: readonly StageRecord[]): string[] =>
    stages.map(({ name, function: made, options: { path: _, ...options } }) => JSON.stringify(made === 'epochs' ? { name } : { name, made, options }));
  const was = comparable(before);
  const is = comparable(now);
  const first = Array.from({ length: Math.max(was.length, is.length) }).findIndex((_, i) => was[i] !== is[i]);
  if (first === -1) return;
  throw new MaskflowError({
    stage: now[first]?.name ?? before[first]?.name ?? 'run',
    rule: `a resumed run must go on with the chain it began with; this stage was ${was[first] ?? 'not there'} and is now ${is[first] ?? 'not there'}`,
    hint: 'Undo the change to the pipeline, or start a new run: --out DIR.',
  });
}

/** The variable of an engine's setting. */
const variable = (backend: string, setting: string): string => `MASKFLOW_${backend}_${setting}`.toUpperCase().replaceAll('-', '_');

const bound = (value: unknown): number => (value === null || value === 'none' ? Number.POSITIVE_INFINITY : Number(value));

/** Infinity as run.json has it. */
export function plain(value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? 'none' : value;
}
