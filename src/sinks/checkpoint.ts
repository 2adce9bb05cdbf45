// Checkpoints that a kill cannot tear: written beside, flushed, renamed; `last` names the newest complete one.
import { resolve } from 'node:path';
import type { AnyBatch, Column } from '../core/batch.js';
import { bounded, nothing, runOf } from '../core/demand/index.js';
import type { Files } from '../core/files.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { type Program, type Signature, type Weights, signatureOf } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run, RunState, Stepped } from '../core/run.js';
import { encodeSafetensors } from '../formats/safetensors.js';
import type { StepSink } from '../operators/stages.js';

export interface CheckpointOptions {
  /** Steps between checkpoints; one more follows the last step. Default 500. */
  readonly every?: number;
  /** Newest checkpoints to keep. Default 2. */
  readonly keep?: number;
  /** Stage name; default `checkpoint`. */
  readonly name?: string;
}

/** Weight sets that a checkpoint leaves out: evaluation makes them anew from the seed. */
export const passingSets: readonly string[] = ['untrained', 'probe', 'probe.optimizer'];

/**
 * Saves what the run needs to go on exactly: `step-00000200/` with model.safetensors and config.json (Hugging Face's names),
 * training.safetensors (optimiser slots, teachers) and state.json (cursor, step, seed, state of stages), and `last`, a text
 * file that names the newest complete one. A folder of that name is always complete; equal runs leave equal bytes.
 *
 * @example
 * trained.pipe(checkpoint(out('checkpoints'), { every: 200, keep: 3 }));
 */
export function checkpoint(folder: string, options: CheckpointOptions = {}): StepSink {
  checkOptions('checkpoint', options, ['every', 'keep', 'name']);
  check(typeof folder === 'string' && folder !== '', 'checkpoint', 'folder', 'must be a path', folder, "Write checkpoint(out('…')).");
  const { every = 500, keep = 2, name = 'checkpoint' } = options;
  checkInteger('checkpoint', 'every', every);
  checkInteger('checkpoint', 'keep', keep);
  const made = recipe('maskflow/sinks', 'checkpoint', { every, keep });
  const operator = bounded<Stepped<AnyBatch>, Stepped<AnyBatch>>(made, { name, per: 'batch', quiet: true }, (context) => {
    const run = runOf(context);
    const path = resolve(run.folder, folder);
    check(
      path === resolve(run.folder, 'checkpoints'),
      name,
      'folder',
      'must be the folder that --resume reads',
      folder,
      "Write checkpoint(out('checkpoints')).",
    );
    let saved = run.executor.weights.step;
    let last: { program: Program; signature: Signature } | undefined;
    const save = async (): Promise<void> => {
      const { step } = run.executor.weights;
      if (last === undefined || step === saved) return;
      await writeCheckpoint(run.files, path, await contents(run, last.program, last.signature), step, keep);
      saved = step;
    };
    run.atStop(save);
    return {
      work(item) {
        last = { program: item.program as Program, signature: signatureOf(item) };
        return item;
      },
      // When the stages below have seen the step too: a kill never separates a checkpoint from its line of metrics.
      after: ({ report }) => (report.step % every === 0 ? save() : undefined),
      flush: () => save().then(() => nothing),
    };
  });
  return operator as unknown as StepSink;
}

/** The files of a checkpoint, in the order in which they are written. */
export type CheckpointContents = readonly (readonly [name: string, content: Uint8Array | string])[];

async function contents(run: Run, program: Program, signature: Signature): Promise<CheckpointContents> {
  const { weights } = run.executor;
  const training = new Map<string, Column>();
  for (const set of weights.sets()) {
    if (set === program.weights || passingSets.includes(set)) continue;
    for (const [parameter, values] of await weights.snapshot(set)) training.set(`${set}/${parameter}`, values);
  }
  return [
    ['model.safetensors', encodeSafetensors(await weights.snapshot(program.weights), { format: 'pt' })],
    ['config.json', json(program.config?.(signature) ?? {})],
    ['training.safetensors', encodeSafetensors(training)],
    ['state.json', json({ ...run.state(), weights: program.weights })],
  ];
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;

/** Folder name of a step's checkpoint. */
export const checkpointName = (step: number): string => `step-${String(step).padStart(8, '0')}`;

/**
 * Writes one checkpoint and prunes old ones; whatever operation it dies before or after, `last` names a complete one. Not for
 * the step that `last` names already.
 */
export async function writeCheckpoint(files: Files, folder: string, content: CheckpointContents, step: number, keep: number): Promise<void> {
  const name = checkpointName(step);
  const unfinished = `${folder}/.unfinished-${name}`;
  // 1. What an earlier death left behind.
  await files.makeFolder(folder);
  for (const entry of await files.list(folder)) {
    if (entry.startsWith('.unfinished-') || entry.startsWith('.removed-')) await files.remove(`${folder}/${entry}`);
  }
  // 2. All files, flushed, under a name that nobody reads.
  await files.makeFolder(unfinished);
  for (const [file, bytes] of content) await files.write(`${unfinished}/${file}`, bytes);
  await files.syncFolder(unfinished);
  // 3. The name. A complete folder of this step that `last` never came to name makes way.
  await retire(files, folder, name);
  await files.rename(unfinished, `${folder}/${name}`);
  await files.syncFolder(folder);
  // 4. The pointer.
  await files.write(`${folder}/.unfinished-last`, `${name}\n`);
  await files.rename(`${folder}/.unfinished-last`, `${folder}/last`);
  await files.syncFolder(folder);
  // 5. Old ones lose their name first, then their content.
  const complete = (await files.list(folder)).filter((entry) => /^step-\d+$/.test(entry) && entry <= name);
  const stale = (await files.list(folder)).filter((entry) => /^step-\d+$/.test(entry) && entry > name);
  for (const old of [...complete.slice(0, -keep), ...stale]) await retire(files, folder, old);
}

async function retire(files: Files, folder: string, name: string): Promise<void> {
  if (!(await files.list(folder)).includes(name)) return;
  await files.rename(`${folder}/${name}`, `${folder}/.removed-${name}`);
  await files.remove(`${folder}/.removed-${name}`);
}

/** Gives a run's weights what a checkpoint holds. `model` and `training` are decoded safetensors. */
export async function restoreWeights(
  weights: Weights,
  set: string,
  model: ReadonlyMap<string, Column>,
  training: ReadonlyMap<string, Column>,
  state: RunState,
): Promise<void> {
  await weights.restore(set, model);
  const sets = new Map<string, Map<string, Column>>();
  for (const [key, values] of training) {
    const slash = key.indexOf('/');
    const named = key.slice(0, slash);
    if (!sets.has(named)) sets.set(named, new Map());
    sets.get(named)?.set(key.slice(slash + 1), values);
  }
  for (const [named, values] of sets) await weights.restore(named, values);
  weights.step = state.step;
}
