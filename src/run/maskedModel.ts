// A trained masked language model with its tokenizer, from what lies in a folder: a run's (its newest checkpoint) or a model's. No
// code of the user is needed: config.json says what the model is, run.json which tokenizer its ids came from.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import { type TextEncoder, textEncoder } from '../models/textEncoder.js';
import type { Tokenizer } from '../operators/views/tokenizer.js';
import { modelFolder } from '../sinks/modelFolder.js';
import { tokenizer } from '../sources/tokenizer.js';
import { type StageRecord, readRecord } from './folder.js';

export interface MaskedModelOptions {
  /** Checkpoint of a run folder: `step-00000200` or 200. Default: the newest one. */
  readonly checkpoint?: string | undefined;
  /** tokenizer.json, or a folder that holds one. Default: that in the folder, else that of the run. */
  readonly tokenizer?: string | undefined;
}

export interface MaskedModel {
  readonly encoder: TextEncoder;
  readonly words: Tokenizer;
  /** The folder with model.safetensors. */
  readonly folder: string;
  /** Longest row that it was made for. */
  readonly positions: number;
  /** Whether its training put special tokens around texts; true where nothing tells. */
  readonly special: boolean;
}

const stage = 'maskflow';

/**
 * Opens the model in `path`.
 *
 * @throws MaskflowError for a folder that holds no model or no such checkpoint, a model that is no masked language model of ours or
 * BERT's, a tokenizer that is missing or another one than the run's, or has no mask token
 *
 * @example
 * const { encoder, words } = await openMaskedModel('runs/diffusion-brown');
 */
export async function openMaskedModel(path: string, options: MaskedModelOptions = {}): Promise<MaskedModel> {
  const isRun = existsSync(join(path, 'run.json')) || existsSync(join(path, 'checkpoints'));
  const folder = isRun ? checkpointFolder(path, options.checkpoint) : plainFolder(path, options.checkpoint);
  const stored = modelFolder(folder);
  checkMasked(stored.config, folder);
  const encoder = textEncoder({ from: stored });
  const known = isRun ? tokenizedBy(readRecord(path)?.recipe ?? []) : undefined;
  const words = await tokenizerOf(path, folder, options.tokenizer, known);
  // Reading it is an error where there is none.
  const { maskId } = words;
  if (maskId >= encoder.vocabulary || words.vocabulary > encoder.vocabulary) {
    const rule = `the tokenizer has ${words.vocabulary} ids, and the model knows ${encoder.vocabulary}`;
    throw new MaskflowError({ stage, option: 'tokenizer', rule, where: folder, hint: 'Name the one that the model was trained with: --tokenizer FILE.' });
  }
  const positions = Number(stored.config.max_position_embeddings ?? Number.POSITIVE_INFINITY);
  return { encoder, words, folder, positions, special: known?.special ?? true };
}

/** The folder of a run's checkpoint. */
function checkpointFolder(path: string, wanted: string | undefined): string {
  const folder = join(path, 'checkpoints');
  const made = existsSync(folder) ? readdirSync(folder).filter((name) => /^step-\d+$/u.test(name)) : [];
  if (made.length === 0) {
    const hint = 'Its chain needs checkpoint(out(…)), and one is made every so many steps and at the end.';
    throw new MaskflowError({ stage, option: 'RUN', rule: 'the run has made no checkpoint yet', value: path, hint });
  }
  if (wanted === undefined) {
    const pointer = join(folder, 'last');
    return join(folder, existsSync(pointer) ? readFileSync(pointer, 'utf8').trim() : (made.sort().at(-1) as string));
  }
  const name = /^\d+$/u.test(wanted) ? `step-${wanted.padStart(8, '0')}` : wanted;
  if (made.includes(name)) return join(folder, name);
  throw new MaskflowError({ stage, option: 'checkpoint', rule: 'there is no such checkpoint', value: wanted, hint: `There are: ${made.sort().join(', ')}.` });
}

function plainFolder(path: string, wanted: string | undefined): string {
  const found = statSync(path, { throwIfNoEntry: false });
  const hint = 'Give a run folder (runs/diffusion-brown), a checkpoint in it, or a model folder with config.json and model.safetensors.';
  const refuse = (rule: string): never => {
    throw new MaskflowError({ stage, option: 'RUN', rule, value: path, hint });
  };
  if (found === undefined) refuse('there is no such folder');
  if (found?.isDirectory() !== true) refuse('this is no folder');
  if (!existsSync(join(path, 'config.json'))) refuse('the folder holds neither a run nor a model');
  if (wanted !== undefined) {
    const rule = 'only a run folder has checkpoints to choose from';
    throw new MaskflowError({ stage, option: 'checkpoint', rule, value: wanted, where: path, hint: 'Leave --checkpoint out.' });
  }
  return path;
}

/** Refuses what cannot fill in masks. */
function checkMasked(config: Readonly<Record<string, unknown>>, where: string): void {
  const refuse = (rule: string, value: unknown): never => {
    const hint = 'Models of textEncoder(…) and BertForMaskedLM can fill in masks.';
    throw new MaskflowError({ stage, option: 'RUN', rule, value, where: join(where, 'config.json'), hint });
  };
  if (config.model_type !== 'bert' && config.model_type !== 'llama') refuse('the model is no masked language model (model_type)', config.model_type);
  if (config.model_type === 'llama' && config.bidirectional !== true)
    refuse('a causal model cannot see what stands behind a mask (bidirectional)', config.bidirectional);
}

interface Known {
  readonly path: string;
  readonly fingerprint: string;
  readonly special: boolean;
  /** Names of special tokens that are not the usual ones. */
  readonly names: Readonly<Record<string, string>>;
}

/** The tokenizer in a run's recipe: of the first stage that turns text into ids. */
function tokenizedBy(stages: readonly StageRecord[]): Known | undefined {
  for (const { options } of stages) {
    const made = options.tokenizer as { readonly name?: string; readonly options?: Readonly<Record<string, unknown>> } | undefined;
    if (made?.name !== 'tokenizer' || typeof made.options?.path !== 'string') continue;
    const { path, fingerprint, special: names = {} } = made.options as { path: string; fingerprint: string; special?: Record<string, string> };
    return { path, fingerprint, special: options.special !== false, names };
  }
  return undefined;
}

async function tokenizerOf(path: string, folder: string, given: string | undefined, known: Known | undefined): Promise<Tokenizer> {
  const near = [folder, path].map((place) => join(place, 'tokenizer.json')).find((file) => existsSync(file));
  const file = given ?? near ?? (known !== undefined && existsSync(known.path) ? known.path : undefined);
  if (file === undefined) {
    const was = known === undefined ? '' : ` (the run read ${known.path})`;
    const hint = `Put its tokenizer.json into the folder, or name it: --tokenizer FILE${was}.`;
    throw new MaskflowError({ stage, option: 'RUN', rule: 'the folder holds no tokenizer.json', value: path, hint });
  }
  const words = await tokenizer(file, known === undefined || Object.keys(known.names).length === 0 ? {} : { special: known.names });
  if (known !== undefined && known.fingerprint !== words.fingerprint) {
    const rule = `this is not the tokenizer that the run was trained with: its fingerprint was ${known.fingerprint}`;
    throw new MaskflowError({
      stage,
      option: 'tokenizer',
      rule,
      value: words.fingerprint,
      where: file,
      hint: 'Bring the old file back, or name it: --tokenizer FILE.',
    });
  }
  return words;
}
