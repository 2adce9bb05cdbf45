// maskflow describe: the stages, what flows between them, the parameters; nothing is trained and nothing is left behind.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { throwError } from 'rxjs';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { text } from '../../src/cli/describe.js';
import { pipeline } from '../../src/core/pipeline.js';
import { batch } from '../../src/operators/batch.js';
import { type PipelineDescription, describePipeline } from '../../src/run/describe.js';
import { memory } from '../../src/sources/memory.js';
import { tiny } from '../resume/tiny.js';
import { built, start } from './built.js';
import { plainText } from './console.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-cli-describe-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const temporary = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('maskflow-describe-'));
// Here a pipeline is described, never computed; TensorFlow and Dawn print lines of their own where they are there.
vi.stubEnv('MASKFLOW_BACKEND', 'wasm');
let before: string[] = [];
beforeEach(() => {
  before = temporary();
});
/** Of this test: others may describe at the same time. */
const left = (): string[] => temporary().filter((name) => !before.includes(name));

const told = (description: PipelineDescription): string => plainText(text(description));

describe('describePipeline', () => {
  it('lists the stages from source to sink, with options, whom they feed and what they emit', async () => {
    const { stages, options } = await describePipeline(tiny());
    expect(options).toEqual({ epochs: 3, steps: 'none', drop: 'keep', every: 2, accumulate: 1 });
    expect(stages.map(({ name }) => name)).toEqual([
      'tinyImages',
      'epochs',
      'shuffle',
      'keep',
      'batch',
      'patchify',
      'mask',
      'model',
      'loss',
      'train',
      'checkpoint',
      'metrics',
    ]);
    const of = (name: string) => stages.find((stage) => stage.name === name);
    expect(of('tinyImages')?.emits).toEqual({ kind: 'sample', columns: { image: 'float32 [4, 4, 1]', label: 'number' } });
    expect(of('batch')?.emits).toEqual({ kind: 'batch', columns: { image: 'float32 [7, 4, 4, 1]', label: 'float32 [7]' } });
    expect(of('mask')?.emits).toMatchObject({ columns: { tokens: 'float32 [7, 4, 4]', mask: 'uint8 [7, 2, 2]' }, grid: [2, 2] });
    expect(of('epochs')).toMatchObject({ function: 'epochs', options: { n: 3 }, feeds: ['shuffle'] });
    // Behind groupBy there is one stage `batch` for each group; it is described once, in its place.
    expect(of('keep')?.feeds.filter((fed) => fed === 'batch')).toEqual(['batch']);
    expect(of('batch')?.feeds).toEqual(['patchify']);
    for (const name of ['train', 'checkpoint', 'metrics']) expect(of(name)?.emits).toBeUndefined();
  });

  it('sums the parameters, those that are not trained apart', async () => {
    const { parameters, total, trainable } = await describePipeline(tiny());
    const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
    expect(total).toBe(parameters.reduce((sum, { shape }) => sum + size(shape), 0));
    const fixed = parameters.filter((parameter) => !parameter.trainable);
    expect(fixed.map(({ name }) => name)).toEqual(['vit.embeddings.position_embeddings', 'decoder.decoder_pos_embed']);
    expect(total - trainable).toBe(2 * (4 + 1) * 8);
    expect(told(await describePipeline(tiny()))).toContain(`${trainable.toLocaleString('en')} trainable of ${total.toLocaleString('en')}`);
  });

  it('takes options and refuses unknown ones', async () => {
    expect((await describePipeline(tiny(), { options: { epochs: '5' } })).stages.find(({ name }) => name === 'epochs')?.options).toEqual({ n: 5 });
    await expect(describePipeline(tiny(), { options: { epoch: 5 } })).rejects.toThrow(/pipeline\.epoch: there is no such option\. Did you mean epochs\?/);
  });

  it('is the same every time, for every seed', async () => {
    expect(await describePipeline(tiny(), { seed: 1 })).toEqual(await describePipeline(tiny(), { seed: 1 }));
    expect(await describePipeline(tiny(), { seed: 2 })).toEqual(await describePipeline(tiny(), { seed: 1 }));
  });

  it('reads no more than a step needs, performs none and leaves nothing behind', async () => {
    let read = 0;
    const cwd = readdirSync('.').sort();
    await describePipeline(tiny(() => void read++, 6000));
    // One batch of 7 of two groups, of 70 % of the samples, and what a batch in flight lets in.
    expect(read).toBeLessThan(100);
    expect(left()).toEqual([]);
    expect(readdirSync('.').sort()).toEqual(cwd);
  });

  it('describes a chain that trains nothing', async () => {
    const { stages, parameters, total } = await describePipeline(
      pipeline({ size: 2 }, ({ size }) =>
        memory([
          { x: 1, name: 'a' },
          { x: 2, name: 'b' },
        ]).pipe(batch(size)),
      ),
    );
    expect(stages.map(({ name }) => name)).toEqual(['memory', 'batch']);
    expect(stages[1]?.emits).toEqual({ kind: 'batch', columns: { x: 'float32 [2]', name: 'carried' } });
    expect({ parameters, total }).toEqual({ parameters: [], total: 0 });
  });

  it('tells the error of a pipeline or of its chain, and leaves nothing behind', async () => {
    const broken = pipeline({ epochs: 1 }, (): never => {
      throw new Error('no such camera');
    });
    await expect(describePipeline(broken)).rejects.toThrow(/no such camera/);
    await expect(describePipeline(pipeline({}, () => throwError(() => new Error('torn'))))).rejects.toThrow(/^describe: torn\.$/);
    vi.stubEnv('MASKFLOW_BACKEND', 'wsm');
    try {
      await expect(describePipeline(tiny())).rejects.toThrow(/there is no such backend/);
    } finally {
      vi.stubEnv('MASKFLOW_BACKEND', 'wasm');
    }
    expect(left()).toEqual([]);
  });
});

describe('the text of a description', () => {
  it('shows each stage, the columns that it adds, and every parameter', async () => {
    const lines = told(await describePipeline(tiny())).split('\n');
    expect(lines).toContain('  epochs = 3');
    expect(lines).toContain('  steps = none');
    expect(lines.filter((line) => /^ {6}label: /.test(line))).toEqual(['      label: number', '      label: float32 [7]']);
    expect(lines.filter((line) => /^ {6}tokens: /.test(line))).toEqual(['      tokens: float32 [7, 4, 4]  grid 2 × 2']);
    expect(lines.some((line) => /^ {2}mask {2}rule: random\(…\)/.test(line))).toBe(true);
    expect(lines.some((line) => /^ {2}vit\.embeddings\.cls_token +\[1, 1, 8\]$/.test(line))).toBe(true);
    expect(lines.some((line) => /^ {2}decoder\.decoder_pos_embed +\[1, 5, 8\] {2}fixed$/.test(line))).toBe(true);
  });
});

describe.skipIf(!built)('maskflow describe', () => {
  const file = (name: string): string => fileURLToPath(new URL(`../../pipelines/${name}.ts`, import.meta.url));

  it.each(['colormae-mnist', 'mae-mnist'])(
    '%s: shapes from pixels to tokens, and the sum of parameters; twice the same',
    async (name) => {
      const cwd = mkdtempSync(join(root, 'cwd-'));
      const json = await start(cwd, ['describe', file(name), '--set', 'batchSize=64', '--json']).ended;
      expect(json.code, json.stderr).toBe(0);
      const description = JSON.parse(json.stdout) as PipelineDescription;
      const of = (stage: string) => description.stages.find((found) => found.name === stage);
      expect(description.stages.map((stage) => stage.name).slice(0, 5)).toEqual(['arrow', 'epochs', 'shuffle', 'image', 'batch']);
      expect(of('arrow')?.emits?.columns).toEqual({ image: 'uint8 [28, 28, 1]', label: 'number' });
      expect(of('patchify')?.emits).toMatchObject({ kind: 'batch', columns: { tokens: 'float32 [64, 16, 49]', label: 'float32 [64]' }, grid: [4, 4] });
      expect(of('mask')?.emits?.columns).toMatchObject({ mask: 'uint8 [64, 4, 4]' });
      // Nothing was trained and no run was made: data that the pipeline prepares once is all.
      expect(readdirSync(cwd)).toEqual(['.maskflow']);
      expect(readdirSync(join(cwd, '.maskflow/prepared')).sort()).toEqual(['mnist-test.arrow', 'mnist-train.arrow']);
      const prepared = readFileSync(join(cwd, '.maskflow/prepared/mnist-train.arrow')).byteLength;
      expect(prepared).toBeGreaterThan(8000 * 784);
      const plain = await start(cwd, ['describe', file(name), '--set', 'batchSize=64']).ended;
      expect(plain.stderr).toBe('');
      expect(plain.stdout).toContain('tokens: float32 [64, 16, 49]  grid 4 × 4');
      expect(plain.stdout).toContain(`${description.trainable.toLocaleString('en')} trainable of ${description.total.toLocaleString('en')}`);
      expect((await start(cwd, ['describe', file(name), '--set', 'batchSize=64', '--json']).ended).stdout).toBe(json.stdout);
    },
    60_000,
  );
});
