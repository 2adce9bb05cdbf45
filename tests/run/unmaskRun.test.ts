import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { Executor } from '../../src/core/program.js';
import type { UnmaskState } from '../../src/operators/canvas.js';
import { confidence } from '../../src/operators/samplers/confidence.js';
import { remasking } from '../../src/operators/samplers/remasking.js';
import { type MaskedModel, openMaskedModel } from '../../src/run/maskedModel.js';
import { type UnmaskRunOptions, unmaskRun } from '../../src/run/unmaskRun.js';
import { temporaryFolder } from '../sources/arrowFiles.js';
import { wordPiece } from '../sources/text/kinds.js';
import { textRunFolder } from './textRunFolder.js';

const root = temporaryFolder();
const at = (...names: string[]): string => join(root, ...names);
let file = '';
let model: MaskedModel;
beforeAll(async () => {
  file = await textRunFolder(at('run'));
  model = await openMaskedModel(at('run'));
});

async function states(options: UnmaskRunOptions, of = model): Promise<UnmaskState[]> {
  const seen: UnmaskState[] = [];
  const last = await unmaskRun(of, { backend: 'cpu', ...options }, (state) => void seen.push(state));
  expect(seen.at(-1)).toBe(last);
  return seen;
}
const ids = (of: UnmaskState[]): number[][] => (of.at(-1) as UnmaskState).rows.map((row) => [...row.ids]);

describe('openMaskedModel', () => {
  it('takes the newest checkpoint of a run, another by its step, or the folder itself', async () => {
    expect(model).toMatchObject({ folder: at('run', 'checkpoints', 'step-00000003'), positions: 32, special: true });
    expect(model.words.fingerprint).toBe((await openMaskedModel(at('run'), { tokenizer: file })).words.fingerprint);
    for (const checkpoint of ['2', 'step-00000002']) expect((await openMaskedModel(at('run'), { checkpoint })).folder).toMatch(/step-00000002$/u);
    // A checkpoint or a model folder brings its tokenizer along.
    cpSync(at('run', 'checkpoints', 'step-00000003'), at('model'), { recursive: true });
    cpSync(file, at('model', 'tokenizer.json'));
    const copy = await openMaskedModel(at('model'));
    expect(ids(await states({ length: 5 }, copy))).toEqual(ids(await states({ length: 5 })));
  });

  it('reads how the run was tokenized', async () => {
    await textRunFolder(at('plain'), { special: false });
    const plain = await openMaskedModel(at('plain'));
    expect(plain.special).toBe(false);
    expect(ids(await states({ length: 5 }, plain))[0]).toHaveLength(5);
    expect(ids(await states({ length: 5, special: true }, plain))[0]).toHaveLength(7);
  });

  it('says what a folder lacks', async () => {
    const fails = (path: string, options = {}) => expect(openMaskedModel(path, options)).rejects;
    await fails(at('nowhere')).toThrow('maskflow.RUN: there is no such folder');
    await fails(file).toThrow('maskflow.RUN: this is no folder');
    mkdirSync(at('empty'));
    await fails(at('empty')).toThrow('maskflow.RUN: the folder holds neither a run nor a model');
    await fails(at('run'), { checkpoint: '7' }).toThrow('maskflow.checkpoint: there is no such checkpoint; got "7". There are: step-00000002, step-00000003.');
    await fails(at('model'), { checkpoint: '2' }).toThrow('maskflow.checkpoint: only a run folder has checkpoints to choose from; got "2"');
    mkdirSync(at('young', 'checkpoints'), { recursive: true });
    await fails(at('young')).toThrow('maskflow.RUN: the run has made no checkpoint yet');
    cpSync(at('run', 'checkpoints', 'step-00000003'), at('mute'), { recursive: true });
    await fails(at('mute')).toThrow('maskflow.RUN: the folder holds no tokenizer.json');
  });

  it('refuses models that cannot fill in masks', async () => {
    const config = JSON.parse(readFileSync(at('run', 'checkpoints', 'step-00000003', 'config.json'), 'utf8')) as object;
    const like = async (change: object, rule: string): Promise<void> => {
      cpSync(at('run', 'checkpoints', 'step-00000003'), at('other'), { recursive: true });
      writeFileSync(at('other', 'config.json'), JSON.stringify({ ...config, ...change }));
      await expect(openMaskedModel(at('other'), { tokenizer: file })).rejects.toThrow(rule);
    };
    await like({ model_type: 'vit_mae' }, 'maskflow.RUN: the model is no masked language model (model_type); got "vit_mae"');
    await like({ bidirectional: undefined }, 'maskflow.RUN: a causal model cannot see what stands behind a mask (bidirectional); got undefined');
  });

  it('refuses another tokenizer than the run had', async () => {
    const other = at('other.json');
    writeFileSync(other, JSON.stringify(wordPiece));
    await expect(openMaskedModel(at('run'), { tokenizer: other })).rejects.toThrow(
      'maskflow.tokenizer: this is not the tokenizer that the run was trained with',
    );
    renameSync(file, `${file}.away`);
    try {
      await expect(openMaskedModel(at('run'))).rejects.toThrow(`or name it: --tokenizer FILE (the run read ${file})`);
    } finally {
      renameSync(`${file}.away`, file);
    }
    expect(existsSync(file)).toBe(true);
    const small = { ...model.encoder, vocabulary: 5 };
    await expect(unmaskRun({ ...model, encoder: small }, {}, () => {})).rejects.toThrow("maskflow.tokenizer: must have at most the model's 5 ids; got 271");
  });
});

describe('unmaskRun', () => {
  it('emits a state a step, from all hidden to all visible; prompts stay', async () => {
    const seen = await states({ prompts: ['the world', 'the'], length: 6 });
    expect(seen.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const [first, last] = [seen[0] as UnmaskState, seen.at(-1) as UnmaskState];
    expect(first.rows.map(({ masked }) => masked.reduce((sum, one) => sum + one, 0))).toEqual([6, 6]);
    for (const [i, row] of last.rows.entries()) {
      expect(row.masked.every((one) => one === 0)).toBe(true);
      for (const [j, id] of row.ids.entries()) {
        if (row.free[j] === 0) expect(id).toBe(first.rows[i]?.ids[j]);
        // No special token, no unknown one.
        else expect(id).toBeGreaterThan(4);
      }
    }
  });

  it('depends on the seed and the row, not on other rows', async () => {
    const alone = ids(await states({ prompts: ['the'], length: 6 }));
    expect(ids(await states({ prompts: ['the'], length: 6, rows: 3 }))[0]).toEqual(alone[0]);
    expect(new Set(ids(await states({ prompts: ['the'], length: 6, rows: 3 })).map(String)).size).toBe(3);
    expect(ids(await states({ prompts: ['the'], length: 6, seed: 1 }))).not.toEqual(alone);
  });

  it('fills in masks, takes any sampler and guidance', async () => {
    const seen = await states({ prompts: ['the [MASK][MASK] the'], sampler: confidence({ steps: 1 }) });
    expect(seen).toHaveLength(2);
    expect(ids(seen)[0]).toHaveLength(6);
    expect(await states({ prompts: ['the'], length: 4, sampler: remasking({ steps: 2 }), guidance: 1 })).toHaveLength(3);
  });

  it('is of the weights in the folder', async () => {
    const early = await openMaskedModel(at('run'), { checkpoint: '2' });
    const options = { prompts: ['the'], length: 12, sampler: confidence() };
    const told = async (of: MaskedModel): Promise<string> => {
      const made = await createExecutor({ backend: 'cpu', seed: 0 });
      const kept = { ...made, backend: 'cpu', weights: made.weights, evaluate: made.evaluate.bind(made), dispose: () => {} } as Executor;
      await unmaskRun(of, { ...options, executor: async () => kept }, () => {});
      const values = (await made.weights.snapshot('student')).get('model.norm.weight');
      made.dispose();
      return String(values?.data);
    };
    expect(await told(early)).not.toBe(await told(model));
  });

  it('stops where it is told to', async () => {
    const stopping = new AbortController();
    const seen: UnmaskState[] = [];
    const stopped = unmaskRun(model, { backend: 'cpu', length: 8, signal: stopping.signal }, (state) => {
      seen.push(state);
      if (state.step === 2) stopping.abort();
    });
    await expect(stopped).rejects.toThrow('the stream was stopped before its end');
    expect(seen.length).toBeLessThan(5);
  });

  it('says what does not fit', async () => {
    const fails = (options: UnmaskRunOptions) => expect(unmaskRun(model, options, () => {})).rejects;
    await fails({ length: 31 }).toThrow('maskflow.length: the model reads rows of at most 32 tokens; got 33. Shorten the prompt or --length by 1.');
    await fails({ length: 0 }).toThrow('unmask.prompt: there is nothing to unmask in it; got ""');
    await fails({ rows: 0 }).toThrow('maskflow.rows: must be an integer of at least 1; got 0');
    await fails({ guidance: -2 }).toThrow('maskflow.guidance: must be a finite number of at least −1; got -2');
    await fails({ lenght: 2 } as never).toThrow('unmaskRun.lenght: there is no such option. Did you mean length?');
  });
});
